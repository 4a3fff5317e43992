"""A model's answer read as one JSON object, or the reason why it cannot be used."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from harness.data.formats.json_texts import encodable, encodable_value
from harness.models.chat.answer_text import answer_text, concludes, introduces
from harness.models.chat.records import UnusableAnswer
from harness.models.parsing.literals import Unreadable, read_literal

_FENCED = re.compile(r"(.*?)(?:```|~~~)[ \t]*[\w+-]*\s*(\{.*\})\s*(?:```|~~~|\Z)(.*)", re.DOTALL)
_STRINGS = re.compile(r"""(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')(\s*:)?""", re.DOTALL)
_QUOTED_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonAnswer:
    """An object, and the words that stood around it."""

    value: dict[str, Any]
    before: str = ""
    after: str = ""


def read_object(text: str) -> dict[str, Any]:
    """Return the object of an answer; see `read_answer`."""
    return read_answer(text).value


def read_answer(text: str) -> JsonAnswer:
    """Return the one object of an answer: alone, in a code fence, as a JSON string, or led up to by words.

    Thinking, channel marks and end tokens are left out. What models write for JSON is read too: single quotes, Python's
    constants, trailing commas, escapes that there are not. The same object twice is one.

    All else raises UnusableAnswer, whose message says what was found. Words around an object have to lead up to it or
    to close it: an object that they quote is not the answer. An answer that the engine cut is not to be read at all:
    thinking that was cut behind a quoted end of thinking and a quoted object looks like an answer.
    """
    try:
        return _answer_in(answer_text(encodable(text)))
    except ValueError as error:
        raise UnusableAnswer(str(error), "not JSON") from error


def clean(text: str) -> str:
    """Return a text without spaces around it, as files can hold it: a lone surrogate is valid JSON."""
    return text.strip().encode("utf-8", "replace").decode()


def _answer_in(body: str) -> JsonAnswer:
    if not body:
        raise ValueError("the answer is empty")
    if body.startswith('"'):
        body = _unquoted(body)
    if body.startswith("{"):
        return _with_words("", body)
    if found := _FENCED.fullmatch(body):
        before, inner, after = found.groups()
        if introduces(f"{before}\n\n" if before.strip() else "") and "`" not in before and concludes(after):
            return JsonAnswer(value=_only(inner), before=before, after=after)
    before, brace, rest = body.partition("{")
    if not brace or "`" in before or not introduces(before):
        raise ValueError(f"the answer is not one JSON object but begins with {excerpt(body)}")
    return _with_words(before, brace + rest)


def _unquoted(body: str) -> str:
    """Return the text of an answer that is one JSON string with an object in it; any other answer as it is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return value.strip() if isinstance(value, str) and "{" in value else body


def _with_words(before: str, body: str) -> JsonAnswer:
    """Return the object that a text begins with, and the words around it."""
    value, end = _decode(body)
    rest = body[end:].strip()
    while rest.startswith("{"):
        again, end = _decode(rest)
        if again != value:
            raise ValueError("the answer has a second JSON object after the object")
        rest = rest[end:].strip()
    if not concludes(rest):
        raise ValueError(f"the answer has more text, {excerpt(rest)} after the object")
    return JsonAnswer(value=value, before=before, after=rest)


def _only(text: str) -> dict[str, Any]:
    """Return the object that a text is, the same one several times at most."""
    found = _with_words("", text)
    if found.after:
        raise ValueError(f"the answer has more text, {excerpt(found.after)} after the object")
    return found.value


def _decode(body: str) -> tuple[dict[str, Any], int]:
    """Return the object at the start of a text and where it ends."""
    decoder = json.JSONDecoder(object_pairs_hook=unique_keys, strict=False)  # engines let control characters through
    try:
        value, end = decoder.raw_decode(body)
    except json.JSONDecodeError as error:
        value, end = _repaired(body, error)
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error
    try:
        return encodable_value(value), end
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error


def _repaired(body: str, error: json.JSONDecodeError) -> tuple[Any, int]:
    try:
        value, end = read_literal(body, 0)
    except (Unreadable, RecursionError) as problem:
        cut = error.pos >= len(body) or error.msg.startswith("Unterminated string")
        what = "is cut off" if cut else f"is not valid JSON ({error.msg} at character {error.pos})"
        raise ValueError(f"the answer {what}: {excerpt(body)}") from problem
    keys = sum(1 for found in _STRINGS.finditer(body, 0, end) if found[1])
    if keys != _keys(value):
        raise ValueError("the answer has a key twice")
    return value, end


def _keys(value: Any) -> int:
    """Return the number of keys of all objects in a value."""
    if isinstance(value, dict):
        return len(value) + sum(map(_keys, value.values()))
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these members; ValueError where a key is there twice."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("the answer has a key twice")
    return dict(pairs)


def excerpt(value: Any) -> str:
    """Return the value as JSON in ASCII, cut to one short line."""
    shown = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(shown[:_QUOTED_CHARACTERS]) + ("..." if len(shown) > _QUOTED_CHARACTERS else "")
