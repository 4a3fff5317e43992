"""Turns with several calls pass the checks of a task that has them, call by call, and no other task's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.curation.checks.conversation import check
from harness.curation.checks.message_order import CheckConfig
from harness.data.records import Conversation, Message, ToolCall
from harness.data.tools import Toolbox
from support import parallel_calls

TRIP = parallel_calls.conversation(0)
TOOLBOX = Toolbox(parallel_calls.TOOLS)
SEVERAL = next(place for place, one in enumerate(TRIP.messages) if len(one.tool_calls) == 3)


def found(conversation: Conversation, *, parallel: bool) -> list[tuple[str, str, int | None]]:
    config = CheckConfig(parallel=parallel)
    return [(one.check, one.severity, one.position) for one in check(conversation, TOOLBOX, config)]


def changed(change: Callable[[Message], Message]) -> Conversation:
    messages = list(TRIP.messages)
    messages[SEVERAL] = change(messages[SEVERAL])
    return replace(TRIP, messages=tuple(messages))


def last(call: ToolCall) -> Callable[[Message], Message]:
    """Replace the last of several calls."""
    return lambda message: replace(message, tool_calls=(*message.tool_calls[:-1], call))


def test_only_a_task_that_has_several_calls_takes_them() -> None:
    assert found(TRIP, parallel=True) == []
    assert found(TRIP, parallel=False) == [
        ("several-calls", "reject", place) for place, one in enumerate(TRIP.messages) if len(one.tool_calls) > 1
    ]


def test_a_conversation_of_such_turns_alone_has_turns() -> None:
    only = replace(TRIP, messages=TRIP.messages[:4])
    assert found(only, parallel=True) == [("last-message", "note", 3)]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (ToolCall(name="fly", arguments={}), ("unknown-tool", "repairable", SEVERAL)),
        (
            ToolCall(name="find_hotels", arguments={"town": 3, "stars": []}),
            ("invalid-arguments", "repairable", SEVERAL),
        ),
    ],
)
def test_every_call_of_a_turn_is_looked_at(call: ToolCall, problem: tuple[str, str, int]) -> None:
    assert problem in found(changed(last(call)), parallel=True)


def test_each_call_has_a_result() -> None:
    before, result, after = TRIP.messages[: SEVERAL + 3], TRIP.messages[SEVERAL + 3], TRIP.messages[SEVERAL + 4 :]
    without = replace(TRIP, messages=(*before, *after))
    assert found(without, parallel=True) == [("call-without-result", "repairable", SEVERAL)]
    more = replace(TRIP, messages=(*before, result, result, *after))
    assert ("role-order", "reject", SEVERAL + 4) in found(more, parallel=True)
