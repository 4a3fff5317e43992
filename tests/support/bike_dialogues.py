"""A made-up service, bikes for rent, with conversations drawn for it and noise put on their calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from harness.data.records import Conversation, Message, Task, ToolCall

TOWNS = ("Delft", "Ghent", "Aarhus", "Basel", "Lund", "Bergen")
SHOPS = ("Spoke Corner", "Chain Reaction", "Two Wheels", "Pedal House", "Old Gear", "Saddle Up")
KINDS = ("Racing", "Cargo", "Folding")


def _tool(name: str, description: str, required: dict[str, Any], optional: dict[str, Any] | None = None) -> Any:
    properties = {**required, **(optional or {})}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TEXT = {"type": "string"}
TASK = Task(
    description="Find bikes for rent and rent them.",
    tools=(
        _tool("say_to_user", "Say something to the user", {"message": TEXT}),
        _tool("SearchBikes", "Search for shops with bikes", {"town": TEXT}, {"kind": {**TEXT, "enum": list(KINDS)}}),
        _tool(
            "RentBike",
            "Rent bikes from a shop",
            {"shop": TEXT, "town": TEXT, "pickup_time": TEXT, "bikes": {"type": "integer"}},
        ),
    ),
)


def say(text: str) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name="say_to_user", arguments={"message": text}),))


def call(tool: str, **arguments: Any) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name=tool, arguments=arguments),))


def user(text: str) -> Message:
    return Message(role="user", content=text)


def returned(*rows: dict[str, Any]) -> Message:
    return Message(role="user", content=json.dumps(list(rows)))


def conversation(number: int) -> Conversation:
    """Return a conversation: a search, sometimes for a kind, an offer, and a rental, which now and then fails."""
    rng = Random(f"bikes:{number}")
    town, kind, (shop, other) = rng.choice(TOWNS), rng.choice(KINDS), rng.sample(SHOPS, 2)
    wanted = {"kind": kind} if rng.random() < 0.5 else {}
    hour, bikes = rng.randrange(8, 19), rng.randrange(2, 6)
    rows = [{"town": town, "kind": kind, "shop": one, "price": str(rng.randrange(9, 30))} for one in (shop, other)]
    rental = {"shop": shop, "town": town, "pickup_time": f"{hour:02}:30", "bikes": bikes}
    clock = f"{hour % 12 or 12}:30 {'am' if hour < 12 else 'pm'}"
    fails = rng.random() < 0.2
    messages = (
        user("I need a bike."),
        say("In which town?"),
        user(f"In {town} please" + (f", a {kind.lower()} one." if wanted else ".")),
        call("SearchBikes", town=town, **wanted),
        returned(*rows),
        say(f"There are two shops, {shop} is one."),
        user(f"That is fine, I want {bikes} of them at {clock}."),
        say(f"You want {bikes} bikes from {shop} in {town} at {clock}, right?"),
        user("Yes, exactly."),
        call("RentBike", **rental),
        returned(*([] if fails else [{**rental, "kind": kind, "price": "12"}])),
        say("Sorry, that did not work." if fails else "They are yours."),
        user("Thanks, bye."),
        say("Have a good ride!"),
    )
    return Conversation(id=f"bike-{number:03}", messages=messages, source=f"made:{number}")


def damaged(clean: Sequence[Conversation], share: float = 0.5) -> list[Conversation]:
    """Return the conversations with a share of the calls replaced: another tool, other arguments, a reply."""
    calls = [message.tool_calls[0] for one in clean for message in one.messages if message.tool_calls]
    return [_damaged(one, calls, Random(f"noise:{one.id}"), share) for one in clean]


def _damaged(one: Conversation, calls: Sequence[ToolCall], rng: Random, share: float) -> Conversation:
    messages = list(one.messages)
    for position, message in enumerate(messages):
        if not message.tool_calls or rng.random() >= share:
            continue
        right = message.tool_calls[0]
        other = rng.choice([wrong for wrong in calls if wrong != right])
        if right.name != "say_to_user" and rng.random() < 0.3:
            other = replace(right, name="RentBike" if right.name == "SearchBikes" else "SearchBikes")
        messages[position] = replace(message, tool_calls=(other,))
    return replace(one, messages=tuple(messages))
