"""Conversations of a small library's agent, written here, and wrong ones made from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from harness.data.records import Conversation, Message, Task, ToolCall

REPLY = "respond_to_user"
TITLES = ["The Silent Harbour", "Winter Wheat", "A Map of Rivers", "Glass Gardens", "The Ninth Ferry", "Paper Moons"]
SHELVES = ["fiction", "travel", "history", "poetry"]
CITIES = ["Lund", "Porto", "Ghent", "Bergen", "Trieste"]
FOREIGN = [
    "Your oil change takes ninety minutes at the garage.",
    "Which tyres should the mechanic fit on your van?",
    "The brakes were repaired and the engine runs smoothly.",
    "Do you want winter tyres for the van?",
    "The mechanic at Quickfix Motors charges 240 for brakes.",
    "Shall the garage tow your van?",
]


def task() -> Task:
    """Two services and a tool that speaks."""
    return Task(
        description="Help readers of a city library find a book and borrow it.",
        tools=(
            _tool("FindBooks", {"city": "City of the library", "shelf": "Kind of book"}, ("city",)),
            _tool(
                "BorrowBook", {"city": "City", "title": "Name of the book", "date": "Day"}, ("city", "title", "date")
            ),
            _tool(REPLY, {"message": "What to say"}, ("message",)),
        ),
    )


def _tool(name: str, parameters: dict[str, str], required: tuple[str, ...]) -> dict[str, object]:
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}


def clean(count: int) -> list[Conversation]:
    """Return conversations that differ in wording, values and length."""
    return [_conversation(f"lib-{number:03d}") for number in range(count)]


def _conversation(id: str) -> Conversation:
    rng = Random(id)
    city, shelf, day = rng.choice(CITIES), rng.choice(SHELVES), rng.randint(2, 28)
    titles = rng.sample(TITLES, rng.randint(1, 3))
    rows = [{"city": city, "shelf": shelf, "title": title, "pages": str(rng.randint(90, 700))} for title in titles]
    lent = {"city": city, "title": titles[0], "date": f"2019-03-{day:02d}"}
    turns: list[object] = [
        rng.choice(["I want something to read.", "Can you find me a book?", "I am after a new book."]),
        rng.choice(["In which city, please?", "Which city are you in?"]),
        rng.choice([f"I am in {city}, and I like {shelf}.", f"{city}. Something from {shelf}, please."]),
        ToolCall(name="FindBooks", arguments={"city": city, "shelf": shelf}),
        rows,
        rng.choice([f"There is {titles[0]} on the {shelf} shelf.", f"We have {titles[0]} in {city}."]),
    ]
    if rng.random() < 0.5:
        turns += [
            "How many pages does it have?",
            rng.choice([f"It has {rows[0]['pages']} pages.", f"{rows[0]['pages']} pages long."]),
        ]
    turns += [
        rng.choice(["I would like to borrow it.", "Good, lend me that one."]),
        rng.choice(["From which day on?", "When will you pick it up?"]),
        f"On March {day}th.",
        rng.choice([f"You borrow {titles[0]} in {city} on March {day}th, right?", f"{titles[0]} in {city}, correct?"]),
        rng.choice(["Yes, that is right.", "Correct."]),
        ToolCall(name="BorrowBook", arguments=lent),
        [{**lent, "pages": rows[0]["pages"]}],
        rng.choice(["It is reserved for you.", "Your book is set aside."]),
        rng.choice(["Thanks a lot.", "Thank you."]),
        rng.choice(["Anything else I can look up?", "Can I look up anything else?"]),
        rng.choice(["No, that was all.", "No, bye."]),
        rng.choice(["Enjoy your book!", "Happy reading!"]),
    ]
    return Conversation(id=id, messages=messages(id, turns), source=id)


def messages(id: str, turns: Sequence[object]) -> tuple[Message, ...]:
    """Return messages: texts alternate from the user on, a call is the agent's, a list its result."""
    found: list[Message] = []
    for number, turn in enumerate(turns):
        if isinstance(turn, list):
            found.append(Message(role="user", content=json.dumps(turn)))
        elif isinstance(turn, ToolCall):
            found.append(Message(role="assistant", tool_calls=(replace(turn, id=f"{id}-{number}"),)))
        elif found and found[-1].role == "user":
            call = ToolCall(name=REPLY, arguments={"message": turn}, id=f"{id}-{number}")
            found.append(Message(role="assistant", tool_calls=(call,)))
        else:
            found.append(Message(role="user", content=str(turn)))
    return tuple(found)


def call_at(conversation: Conversation, position: int) -> ToolCall:
    """Return the one call of an assistant message."""
    return conversation.messages[position].tool_calls[0]


def with_call(conversation: Conversation, position: int, call: ToolCall) -> Conversation:
    """Return the conversation with another call at a position, under the same id."""
    changed = list(conversation.messages)
    changed[position] = Message(role="assistant", tool_calls=(replace(call, id=call_at(conversation, position).id),))
    return replace(conversation, messages=tuple(changed))


def with_foreign(
    conversations: Sequence[Conversation], share: float
) -> tuple[list[Conversation], set[tuple[str, int]]]:
    """Return the conversations with a garage's replies in random places, and these places."""
    found, places = [], set()
    for conversation in conversations:
        rng = Random(f"foreign:{conversation.id}")
        for position, message in enumerate(conversation.messages):
            if message.tool_calls and message.tool_calls[0].name == REPLY and rng.random() < share:
                reply = ToolCall(name=REPLY, arguments={"message": rng.choice(FOREIGN)})
                conversation = with_call(conversation, position, reply)  # noqa: PLW2901
                places.add((conversation.id, position))
        found.append(conversation)
    return found, places
