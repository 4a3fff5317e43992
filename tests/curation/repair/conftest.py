"""A made-up task of a library, its clean conversations, and ways to damage and mend them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.curation.repair.ground_truth import Truth, Truths
from harness.data.records import Conversation, Message, ToolCall
from harness.data.tools import Toolbox

TEXT = {"type": "string"}
TOOLS = (
    {"name": "say_to_reader", "parameters": {"properties": {"message": TEXT}, "required": ["message"]}},
    {"name": "FindBook", "parameters": {"properties": {"title": TEXT, "due_date": TEXT}, "required": ["title"]}},
    {"name": "LendBook", "parameters": {"properties": {"title": TEXT, "due_date": TEXT}, "required": ["title"]}},
)


def reply(text: str) -> ToolCall:
    return ToolCall(name="say_to_reader", arguments={"message": text})


def call(name: str, **arguments: str) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def clean(number: int) -> Conversation:
    """A conversation of six messages: calls of the assistant at 1 (reply), 3 (service) and 5 (reply)."""
    turns = [
        Message(role="user", content=f"I look for a book, reader {number}."),
        reply("Which title?"),
        Message(role="user", content=f"Number {number}, until March 3rd, 2019."),
        call("FindBook", title=f"Number {number}", due_date="2019-03-03"),
        Message(role="user", content=json.dumps([{"title": f"Number {number}"}])),
        reply(f"Number {number} is in."),
    ]
    messages = [
        one
        if isinstance(one, Message)
        else Message(role="assistant", tool_calls=(replace(one, id=f"call_{number}_{position}"),))
        for position, one in enumerate(turns)
    ]
    return Conversation(id=f"clean-{number}", messages=tuple(messages), source=f"train/{number}")


def with_call(conversation: Conversation, position: int, new: ToolCall) -> Conversation:
    """The conversation with another call in a message; the call's id stays."""
    messages = list(conversation.messages)
    [old] = messages[position].tool_calls
    messages[position] = replace(messages[position], tool_calls=(replace(new, id=old.id),))
    return replace(conversation, messages=tuple(messages))


@pytest.fixture
def library() -> SimpleNamespace:
    """Ten clean conversations, their truth, and what damages are made with."""
    conversations = [clean(number) for number in range(10)]
    make: Callable[..., Truths] = lambda **kinds: Truths(  # noqa: E731 - a fixture's short hand
        [Truth(conversation=one, **kinds) for one in conversations]
    )
    return SimpleNamespace(
        clean=conversations,
        truths=make(),
        make_truths=make,
        toolbox=Toolbox(TOOLS),
        tools=TOOLS,
        reply=reply,
        call=call,
        with_call=with_call,
    )
