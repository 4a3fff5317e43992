"""Conversations for the checks: small ones written here about a vet's practice, and the real traces."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.data.records import Conversation, Message, ToolCall
from harness.data.tools import Toolbox

REPLY = "respond_to_user"
Turn = str | ToolCall | list[dict[str, str]]
Talk = Callable[..., Conversation]


def _tool(name: str, required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}


TEXT = {"type": "string"}
TOOLS = (
    _tool(REPLY, ["message"], message=TEXT),
    _tool("FindVets", ["city"], city=TEXT, animal={"type": "string", "enum": ["cat", "dog", "rabbit"]}),
    _tool("BookVisit", ["vet_name", "date", "time"], vet_name=TEXT, date=TEXT, time=TEXT),
)


@pytest.fixture(scope="session")
def toolbox() -> Toolbox:
    return Toolbox(TOOLS)


@pytest.fixture(scope="session")
def tools() -> tuple[dict[str, Any], ...]:
    return TOOLS


@pytest.fixture(scope="session")
def talk() -> Talk:
    """A function from turns to a conversation: texts alternate from the user on, a call is the agent's, a list its
    result; `>` before a text makes it the agent's whatever came before, `<` the user's."""

    def make(*turns: Turn, id: str = "c") -> Conversation:
        found: list[Message] = []
        for turn in turns:
            if isinstance(turn, ToolCall):
                found.append(Message(role="assistant", tool_calls=(turn,)))
            elif isinstance(turn, list):
                found.append(Message(role="user", content=json.dumps(turn)))
            elif turn[:1] == ">" or (turn[:1] != "<" and found and found[-1].role == "user"):
                call = ToolCall(name=REPLY, arguments={"message": turn.removeprefix(">")})
                found.append(Message(role="assistant", tool_calls=(call,)))
            else:
                found.append(Message(role="user", content=turn.removeprefix("<")))
        return Conversation(id=id, messages=tuple(found), source="")

    return make


@pytest.fixture(scope="session")
def visit(talk: Talk) -> Conversation:
    """A whole conversation in which nothing is wrong."""
    vet = {"vet_name": "Paws on Mill Road", "city": "Ely", "animal": "rabbit", "phone_number": "555-010-4477"}
    booking = {"vet_name": "Paws on Mill Road", "date": "2019-03-05", "time": "10:30"}
    return talk(
        "My rabbit is unwell, is there a vet for it in Ely?",
        ToolCall(name="FindVets", arguments={"city": "Ely", "animal": "rabbit"}),
        [vet],
        "There is Paws on Mill Road, which sees rabbits.",
        "Book me in there on March 5th at half past ten please, 10:30 in the morning.",
        "Paws on Mill Road on March 5th at 10:30 am, is that right?",
        "Yes, that is right.",
        ToolCall(name="BookVisit", arguments=booking),
        [{**vet, **booking}],
        "Your visit is booked for 10:30 am. Their number is 555-010-4477.",
        "Thank you, that is all.",
        "Get well soon to the rabbit.",
        id="visit",
    )
