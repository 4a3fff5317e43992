"""Untrusted texts in prompts: each stands inside the JSON strings of one line that a template begins.

The invariant, for any texts: a text of others can neither end its line nor begin one, so that a prompt reads back as
exactly what it was made of, with every text in its place (one that is JSON as its value). In those strings every
character that could be part of a control token of a chat template, and every one that does not show or reorders what
does, is written as a JSON escape. A text over `MAX_CHARACTERS` is cut in the middle, and the note that says so stands
outside the quotes, where no text can put it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.data.records import Message, ToolCall
from harness.models.chat.json_answers import unique_keys

MAX_CHARACTERS = 8000
"""Longest text of others as it stands in the prompt, escapes included; a longer one loses its middle."""

# Brackets of every kind that control tokens are written with, those that Unicode normalisation turns into them or
# into quotes; then what does not show or reorders text, and private use, where some tokenizers have their tokens.
_ESCAPED = re.compile(
    "[<>\\[\\]\u25c1\u25b7\ufe64\ufe65\uff02\uff1c\uff1e\uff3b\uff3d\uff5c"
    "\u0000-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\uffff\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
LAYOUT = frozenset("\n\t")
"""What may stay as it is in trusted texts of several lines."""
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A text as it stands in the prompt: one JSON value, or what is left of it as two strings with a gap between."""

    head: str
    left_out: int = 0
    """Characters of the text that are not shown."""
    tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedLine:
    """One line of the conversation. A message with text and calls has several lines under one number."""

    number: int
    kind: Literal["system", "user", "assistant", "tool", "call", "result"]
    """The message's role, `call` for a call, `result` for JSON in a user message that answers a call."""
    text: Shown


def lines(messages: Sequence[Message]) -> Iterator[QuotedLine]:
    """Yield a conversation's lines. No line depends on a later message, so a longer prefix begins with a shorter."""
    after_call = False
    for number, message in enumerate(messages, start=1):
        if message.content is not None or not message.tool_calls:
            # In the published layout a tool's result is a user message that holds JSON.
            is_result = after_call and message.role == "user" and as_value(message.content or "") is not None
            kind = "result" if is_result else message.role
            yield QuotedLine(number=number, kind=kind, text=show(message.content))
        for call in message.tool_calls:
            yield QuotedLine(number=number, kind="call", text=show_call(call))
        after_call = bool(message.tool_calls)


def show(text: str | None) -> Shown:
    """Return a text as a JSON string, a missing one as null, and one that is a JSON object or list as that value."""
    if text is None:
        return Shown(head="null")
    value = as_value(text)
    if value is not None and len(value) <= MAX_CHARACTERS:
        return Shown(head=value)
    quoted = _quoted(text)
    return Shown(head=quoted) if len(quoted) <= MAX_CHARACTERS else _ends(text)


def show_call(call: ToolCall) -> Shown:
    """Return a call as an object with `name` and `parameters`."""
    text = json.dumps({"name": call.name, "parameters": call.arguments}, ensure_ascii=False)
    value = escape_strings(text)
    return Shown(head=value) if len(value) <= MAX_CHARACTERS else _ends(text)


def as_value(text: str) -> str | None:
    """Return a JSON object or list in one spelling; None for other text, and where the value would say less."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return escape_strings(
            json.dumps(json.loads(text, object_pairs_hook=unique_keys), ensure_ascii=False, allow_nan=False)
        )
    except (ValueError, RecursionError):
        return None


def _ends(text: str) -> Shown:
    """Return the beginning and the end of a text that is too long, each quoted in half the room."""
    room = MAX_CHARACTERS // 2
    head = text[: _count_fitting(text[:room], room)]
    tail = text[len(text) - _count_fitting(reversed(text[-room:]), room) :]
    return Shown(head=_quoted(head), left_out=len(text) - len(head) - len(tail), tail=_quoted(tail))


def _count_fitting(characters: Iterable[str], room: int) -> int:
    """Return how many of the characters have at most `room` characters together when quoted."""
    length = len('""')
    count = 0
    for character in characters:
        length += len(_quoted(character)) - len('""')
        if length > room:
            break
        count += 1
    return count


def _quoted(text: str) -> str:
    return escape_strings(json.dumps(text, ensure_ascii=False))


def escape_strings(document: str) -> str:
    """Return JSON text with the characters of `_ESCAPED` in its strings written as escapes: the same value."""
    return _STRING.sub(lambda string: escape(string[0]), document)


def escape(text: str, keep: frozenset[str] = frozenset()) -> str:
    """Return a text that ends no message and hides nothing, with the characters of `keep` as they are."""
    return _ESCAPED.sub(lambda found: found[0] if found[0] in keep else _spelled(found[0]), text)


def _spelled(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
