"""Messages that a tool has cut at a size limit, and marked so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.data.formats.reading_notes import CUT_RESULT, ReadingNotes
from harness.data.records import Message, ToolCall

_MARK = re.compile(
    r"[\[(<{]\s*(?:\.\.\.|…)?\s*(?:(?:output|content|message|text|value|string)\s+)?truncated\b[^\])>}]{0,60}[\])>}]\W*\Z",
    re.IGNORECASE,
)
_END = 120
"""Characters at the end of a text in which the mark is looked for."""


def look_for_cuts(messages: Sequence[Message], notes: ReadingNotes) -> None:
    """Raise ValueError for a message that is marked as cut; a result is noted, as agents cut those themselves."""
    for position, message in enumerate(messages):
        calls = message.tool_calls
        if not (message.content and _is_cut(message.content)) and not (calls and any(map(_is_cut, _texts(calls)))):
            continue
        if message.role != "tool":
            raise ValueError(
                f"message {position} ({message.role}) was cut at a size limit: it ends in a mark such as [truncated]; "
                "raise the limit of the tool that logs, and export again"
            )
        notes.add(CUT_RESULT, "a tool's result ends in a mark of being cut", position)


def _is_cut(text: str) -> bool:
    end = text[-_END:]
    return "truncated" in end.lower() and _MARK.search(end) is not None


def _texts(calls: Iterable[ToolCall]) -> Iterator[str]:
    for call in calls:
        yield from _inner(call.arguments)


def _inner(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _inner(one)
