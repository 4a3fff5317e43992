"""Several calls of a turn stay together where the task allows them, in every layout that can hold them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.records import Conversation, Message, ToolCall
from harness.data.traces.read import read_traces
from support import parallel_calls, trace_exports
from support.trace_layouts import LAYOUTS, lines

TRIPS = parallel_calls.conversations(3)
ONE_CALL = (
    *("AI SDK 4", "AI SDK, user interface", "ATIF", "Glaive", "Llama's JSON", "OpenAI, legacy calls", "ShareGPT"),
    *("Gemini", "Gemini, snake case", "Google ADK", "Ollama", "Vertex AI request-response log"),
)
"""Layouts that `support.trace_layouts` writes for one call of one tool `f` in a message alone."""


def plain(messages: tuple[Message, ...]) -> list[tuple[str, str, tuple[ToolCall, ...]]]:
    return [(one.role, one.content or "", one.tool_calls) for one in messages]


def apart(conversation: Conversation) -> list[tuple[str, str, tuple[ToolCall, ...]]]:
    """Return the conversation with each call as a turn of its own, and its result after it."""
    out, messages = [], list(conversation.messages)
    while messages:
        message = messages.pop(0)
        results = [messages.pop(0) for _ in message.tool_calls[1:] and message.tool_calls]
        if not results:
            out += plain((message,))
        for call, result in zip(message.tool_calls, results, strict=bool(results)):
            out += plain((replace(message, tool_calls=(call,)), result))
    return out


@pytest.mark.parametrize("name", sorted({*LAYOUTS} - {*ONE_CALL}))
def test_rows_keep_several_calls_where_they_may(name: str, tmp_path: Path) -> None:
    path, layout, trip = tmp_path / "traces.jsonl", LAYOUTS[name], TRIPS[0]
    path.write_text(lines(layout.write(trip.messages)))
    ((kept,), (split,)) = (list(read_traces(path, parallel=parallel)) for parallel in (True, False))
    assert plain(kept.conversation.messages) == plain(trip.messages)
    assert plain(split.conversation.messages) == apart(trip)
    assert "several-calls-made" not in {one.check for one in kept.findings}


@pytest.mark.parametrize("layout", trace_exports.LAYOUTS)
def test_exports_keep_several_calls_where_they_may(layout: str, tmp_path: Path) -> None:
    """Each turn is a record, and its continuations hold the turn before it: there is one conversation all the same."""
    path = trace_exports.write_export(tmp_path / "export.jsonl", layout, TRIPS)
    (kept, split) = (list(read_traces(path, parallel=parallel)) for parallel in (True, False))
    exported = [plain(trace_exports.as_exported(one)) for one in TRIPS]
    assert [plain(one.conversation.messages) for one in kept] == exported
    assert [plain(one.conversation.messages) for one in split] == [apart(one) for one in TRIPS]


def test_results_come_in_the_order_of_their_calls(tmp_path: Path) -> None:
    user, turn, *results = TRIPS[0].messages[:4]
    path = tmp_path / "traces.jsonl"
    path.write_text(lines(LAYOUTS["OpenAI"].write((user, turn, *reversed(results)))))
    (row,) = read_traces(path, parallel=True)
    assert row.conversation.messages == (user, turn, *results)
