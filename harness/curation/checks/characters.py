"""Checks of single characters: what breaks readers of the file, and what a reader does not see."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from harness.curation.checks.message_order import View
from harness.data.pipeline_records import Finding, Severity
from harness.data.records import ToolCall

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SUSPECT = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]"
    r"|[\xad\u180e\u200b\u2060-\u2064\ufeff]"
    r"|[\u202a-\u202e\u2066-\u2069]"
    r"|[\U000e0000-\U000e007f]"
)
_NAMES = {"\u2028": "line-separators", "\u2029": "line-separators"}


def characters_of_texts(view: View) -> Iterator[Finding]:
    """`broken-characters`, `control-characters`, `line-separators`, `invisible-characters`.

    Half a surrogate pair cannot be written as UTF-8, so the conversation is of no use. The others are the committee's
    where the assistant wrote them, and worth a note where a user or a tool did: those messages stay as they are.
    Joiners and direction marks are not among them, because Persian, Hebrew and emoji are written with them.
    """
    for event, message in zip(view.events, view.conversation.messages, strict=True):
        text = "\n".join([message.content or "", *(part for call in message.tool_calls for part in _strings(call))])
        if broken := _SURROGATE.search(text):
            problem = f"half a surrogate pair, U+{ord(broken[0]):04X}; expected text that can be written as UTF-8"
            yield view.found("broken-characters", "reject", problem, event)
        severity: Severity = "repairable" if event.is_turn else "note"
        seen: set[str] = set()
        for match in _SUSPECT.finditer(text):
            check = _kind(match[0])
            if check in seen or (check == "invisible-characters" and _in_flag(text, match.start())):
                continue
            seen.add(check)
            name = unicodedata.name(match[0], "a control character").lower()
            problem = f"U+{ord(match[0]):04X} ({name}); expected text that can be seen"
            yield view.found(check, severity, problem, event)


def _strings(call: ToolCall) -> Iterator[str]:
    """Yield the name of a call, and the keys and texts of its arguments at any depth."""
    yield call.name
    todo: list[Any] = [call.arguments]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            todo += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            todo += value


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    return _NAMES.get(character) or ("control-characters" if category == "Cc" else "invisible-characters")


def _in_flag(text: str, start: int) -> bool:
    """Whether a tag character belongs to the emoji of a flag, which a black flag begins."""
    return text[start] >= "\U000e0000" and text[:start].rstrip("".join(map(chr, range(0xE0020, 0xE0080))))[-1:] == "🏴"
