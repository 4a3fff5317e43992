"""JSON and JSON-like values inside a text, read from a position on, without ever running away.

`read_json` is the JSON of the standard, or with `repair` what models write instead of it: trailing commas,
single quotes, True/False/None, line breaks inside strings. Text that stops in the middle of a value is not
repaired. Depth is bounded, and so is the work: every function reads each character a fixed number of times.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any

from harness.data.formats.json_texts import encodable

MAX_DEPTH = 64
"""Levels of nesting; a call with more is refused, so that no later step can exhaust the stack."""


class Unreadable(ValueError):
    """The text holds no value here; `cut` is true where it ends before the value does."""

    def __init__(self, problem: str, *, cut: bool = False) -> None:
        super().__init__(problem)
        self.cut = cut


def read_json(text: str, start: int, *, repair: bool) -> tuple[Any, int]:
    """Return the JSON object or array at `start` (after white space) and where it ends; raises Unreadable."""
    start = skip_space(text, start)
    if start >= len(text):
        raise Unreadable("the text ends before the call's JSON", cut=True)
    if text[start] not in "{[":
        raise Unreadable("no JSON object where the call should be")
    try:
        value, end = (_LOOSE if repair else _STANDARD).raw_decode(text, start)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text) or error.msg.startswith("Unterminated string")
        if cut or not repair:
            raise Unreadable(f"invalid JSON: {error.msg}", cut=cut) from error
        value, end = read_literal(text, start)
    except (ValueError, RecursionError) as error:
        raise Unreadable("JSON that is nested too deeply or holds a number out of range") from error
    return sound(value), end


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is out of range")
    return value


_STANDARD = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_LOOSE = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, strict=False)

_SPACE = re.compile(r"\s*+")
_NUMBER = re.compile(r"-?\d{1,400}+(?:\.\d{1,400}+)?(?:[eE][+-]?\d{1,3}+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z]{1,8}+(?!\w)")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_STRINGS = {
    '"': re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*+(?:\\.[^'\\]*+)*+)'", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"', "/": "/", "\n": ""}


def skip_space(text: str, position: int) -> int:
    """Return the position of the first character at or after `position` that is no white space."""
    match = _SPACE.match(text, position)
    return match.end() if match else position


def read_literal(text: str, start: int, depth: int = 0) -> tuple[Any, int]:
    """Return the JSON or Python literal at `start` and where it ends; raises Unreadable.

    Lists, tuples (read as lists), dictionaries with text keys, strings in either quote, numbers and the
    constants of both languages; a trailing comma is allowed.
    """
    start = skip_space(text, start)
    if start >= len(text):
        raise Unreadable("the text ends inside a value", cut=True)
    if depth > MAX_DEPTH:
        raise Unreadable("values nested too deeply")
    first = text[start]
    if first in "[(":
        return _read_items(text, start, depth)
    if first == "{":
        return _read_pairs(text, start, depth)
    if first in _STRINGS:
        return _read_string(text, start)
    return read_scalar(text, start)


def read_scalar(text: str, start: int) -> tuple[Any, int]:
    """Return the number or constant at `start` and where it ends; raises Unreadable."""
    if match := _NUMBER.match(text, start):
        digits = match.group()
        try:
            return (int(digits) if digits.lstrip("-").isdigit() else _finite(digits)), match.end()
        except ValueError as error:
            raise Unreadable(str(error)) from error
    match = _WORD.match(text, start)
    if match and match.group() in _WORDS:
        return _WORDS[match.group()], match.end()
    raise Unreadable("a value that is no literal")


def _read_string(text: str, start: int) -> tuple[str, int]:
    match = _STRINGS[text[start]].match(text, start)
    if not match:
        raise Unreadable("the text ends inside a string", cut=True)
    return unescape(match.group(1)), match.end()


def unescape(body: str) -> str:
    """Return the text of a quoted string's body; escapes that neither JSON nor Python has stay as they are."""
    if "\\" not in body:
        return body

    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) > 1:
            number = int(code[1:], 16)
            return chr(number) if number <= sys.maxunicode else match.group()
        return _ESCAPES.get(code, match.group())

    return _ESCAPE.sub(one, body)


def _read_items(text: str, start: int, depth: int) -> tuple[list[Any], int]:
    closer = "]" if text[start] == "[" else ")"
    items: list[Any] = []
    position = skip_space(text, start + 1)
    while not text.startswith(closer, position):
        value, position = read_literal(text, position, depth + 1)
        items.append(value)
        position = _after_comma(text, position, closer)
    return items, position + 1


def _read_pairs(text: str, start: int, depth: int) -> tuple[dict[str, Any], int]:
    pairs: dict[str, Any] = {}
    position = skip_space(text, start + 1)
    while not text.startswith("}", position):
        key, position = read_literal(text, position, depth + 1)
        position = skip_space(text, position)
        if not isinstance(key, str) or not text.startswith(":", position):
            raise Unreadable("a key that is no text or has no value", cut=position >= len(text))
        pairs[key], position = read_literal(text, position + 1, depth + 1)
        position = _after_comma(text, position, "}")
    return pairs, position + 1


def _after_comma(text: str, position: int, closer: str) -> int:
    position = skip_space(text, position)
    if text.startswith(",", position):
        return skip_space(text, position + 1)
    if not text.startswith(closer, position):
        raise Unreadable(f"expected , or {closer}", cut=position >= len(text))
    return position


def sound(value: Any) -> Any:
    """Return a copy in which all text can be encoded as UTF-8; raises Unreadable beyond MAX_DEPTH levels."""
    return _sound(value, 0)


def _sound(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Unreadable("values nested too deeply")
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [_sound(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {encodable(key): _sound(item, depth + 1) for key, item in value.items()}
    return value
