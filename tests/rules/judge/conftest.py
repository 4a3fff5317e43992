"""Cases for the rules: small conversations written here, and the real ones of the source files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.records import Case, Message, ToolCall, TurnPair

REPLY = "respond_to_user"
Turn = str | ToolCall | list[dict[str, str]]
MakeCase = Callable[..., Case]


def messages(*turns: Turn) -> tuple[Message, ...]:
    """Return a conversation: texts alternate from the user on, a call is the agent's, a list its result."""
    found: list[Message] = []
    for turn in turns:
        if isinstance(turn, ToolCall):
            found.append(Message(role="assistant", tool_calls=(turn,)))
        elif isinstance(turn, list):
            found.append(Message(role="user", content=json.dumps(turn)))
        elif found and found[-1].role == "user":
            found.append(Message(role="assistant", tool_calls=(ToolCall(name=REPLY, arguments={"message": turn}),)))
        else:
            found.append(Message(role="user", content=turn))
    return tuple(found)


@pytest.fixture(scope="session")
def make_case() -> MakeCase:
    """A function from turns, a prediction (text to the user, or a call) and a reference to a case."""

    def make(*turns: Turn, says: str | ToolCall | None, reference: str | ToolCall = "") -> Case:
        call = ToolCall(name=REPLY, arguments={"message": says}) if isinstance(says, str) else says
        expected = reference
        if isinstance(expected, str):
            expected = ToolCall(name=REPLY, arguments={"message": expected})
        prefix = messages(*turns)
        return Case(id="c:0", conversation="c", prefix=prefix, reference=expected, prediction=str(says), call=call)

    return make


@pytest.fixture(scope="session")
def pairs(sources: Path) -> list[TurnPair]:
    """The turns of the published test set."""
    return expand_pairs(read_test_conversations(sources / "tft-benchmark" / "test.jsonl"))
