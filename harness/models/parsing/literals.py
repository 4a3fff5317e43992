"""JSON and Python literals inside a text, read from a position on, without ever running away.

`read_json` is the JSON of the standard, or with `repair` what models write instead of it: trailing commas,
single quotes, True/False/None, line breaks inside strings, doubled braces, and closing brackets that are missing
before a mark that closes the call. Text that stops in the middle of a value is not repaired. Every function reads each
character a fixed number of times, and depth is bounded.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass
from typing import Any

from harness.data.formats.json_texts import encodable

MAX_DEPTH = 64
"""Levels of nesting; a call with more is refused, so that no later step can exhaust the stack."""


class Unreadable(ValueError):
    """The text holds no value here; `cut` is true where it ends before the value does."""

    def __init__(self, problem: str, *, cut: bool = False) -> None:
        super().__init__(problem)
        self.cut = cut


_SPACE = re.compile(r"\s*+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,399}+)(?:\.[0-9]{1,400}+)?(?:[eE][+-]?[0-9]{1,3}+)?(?![\w.])")
_PYTHON_NUMBER = re.compile(
    r"[+-]?(?!0[0-9])(?:(?P<whole>[0-9][0-9_]{0,399}+)(?![.\w])"
    r"|[0-9]{1,400}+(?:\.[0-9]{0,400}+)?(?:[eE][+-]?[0-9]{1,3}+)?|\.[0-9]{1,400}+(?:[eE][+-]?[0-9]{1,3}+)?)(?![\w.])"
)
_WORD = re.compile(r"[A-Za-z]{1,8}+(?!\w)")
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_STRINGS = {
    '"': re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL),
    "'": re.compile(r"'([^'\\]*+(?:\\.[^'\\]*+)*+)'", re.DOTALL),
}
_TRIPLE = re.compile(r"[rR]?(?:\"{3}|'{3})")
_PREFIX = re.compile(r"[rRuUfF](?=[\"'])")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U00[01][0-9a-fA-F]{5}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"', "/": "/", "\n": ""}


def skip_space(text: str, position: int) -> int:
    """Return the position of the first character at or after `position` that is no white space."""
    match = _SPACE.match(text, position)
    return match.end() if match else position


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Literals:
    """The literals of a text.

    Lists, tuples (read as lists), dictionaries with text keys, strings in either quote, numbers and the constants
    of both languages; a trailing comma is allowed, and so are braces that are doubled, as in a template that was not
    filled in.
    """

    text: str
    closers: tuple[str, ...] = ()
    """Marks that end all that is still open where one stands after a whole value."""
    python: bool = False
    """Numbers, sets and strings that Python has and JSON has not."""

    def value(self, start: int, depth: int = 0) -> tuple[Any, int]:
        """Return the literal at `start` (after white space) and where it ends; raises Unreadable."""
        start = skip_space(self.text, start)
        if start >= len(self.text):
            raise Unreadable("the text ends inside a value", cut=True)
        if depth > MAX_DEPTH:
            raise Unreadable("values nested too deeply")
        first = self.text[start]
        if first in "[(":
            return self._items(start + 1, "]" if first == "[" else ")", depth)
        if first == "{":
            return self._braces(start, depth)
        if first in _STRINGS or (self.python and _PREFIX.match(self.text, start)):
            return self._strings(start)
        return self.scalar(start)

    def scalar(self, start: int) -> tuple[Any, int]:
        """Return the number or constant at `start` and where it ends; raises Unreadable."""
        if match := (_PYTHON_NUMBER if self.python else _NUMBER).match(self.text, start):
            digits = match.group().replace("_", "")
            try:
                whole = digits.lstrip("+-").isdigit()
                return (int(digits) if whole else finite(digits)), match.end()
            except ValueError as error:
                raise Unreadable(str(error)) from error
        match = _WORD.match(self.text, start)
        if match and match.group() in _WORDS:
            return _WORDS[match.group()], match.end()
        raise Unreadable("a value that is no literal")

    def pairs(self, start: int, depth: int = 0) -> tuple[dict[str, Any], int]:
        """Return the members that begin at `start`, after the opening brace, and where the object ends."""
        pairs: dict[str, Any] = {}
        position = skip_space(self.text, start)
        while not self._over(position, "}", pairs):
            key, position = self._key(position, depth)
            pairs[key], position = self.value(position, depth + 1)
            position = self._after_comma(position, "}")
        return pairs, position + self.text.startswith("}", position)

    def _key(self, position: int, depth: int) -> tuple[str, int]:
        key, position = self.value(position, depth + 1)
        position = skip_space(self.text, position)
        if not isinstance(key, str) or not self.text.startswith(":", position):
            raise Unreadable("a key that is no text or has no value", cut=position >= len(self.text))
        return key, position + 1

    def _braces(self, start: int, depth: int) -> tuple[Any, int]:
        inner = skip_space(self.text, start + 1)
        if self.text.startswith("{", inner):
            value, end = self.pairs(inner + 1, depth)
            after = skip_space(self.text, end)
            return value, after + 1 if self.text.startswith("}", after) else end
        if self.python and not self.text.startswith("}", inner):
            value, end = self.value(inner, depth + 1)
            if not self.text.startswith(":", skip_space(self.text, end)):
                return self._items(start + 1, "}", depth)
        return self.pairs(inner, depth)

    def _items(self, start: int, closer: str, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        position = skip_space(self.text, start)
        while not self._over(position, closer, items):
            value, position = self.value(position, depth + 1)
            items.append(value)
            position = self._after_comma(position, closer)
        return items, position + self.text.startswith(closer, position)

    def _over(self, position: int, closer: str, found: Any) -> bool:
        return self.text.startswith(closer, position) or bool(found and self._ended(position, closer))

    def _ended(self, position: int, closer: str) -> bool:
        """Return whether what encloses the container ends here, so that its own closer was left out."""
        if not self.closers:
            return False
        return self.text.startswith(self.closers, position) or self.text.startswith(
            "}" if closer == "]" else "]", position
        )

    def _after_comma(self, position: int, closer: str) -> int:
        position = skip_space(self.text, position)
        if self.text.startswith(",", position):
            return skip_space(self.text, position + 1)
        if closer == "}" and self.text.startswith(("'", '"'), position):
            return position  # another member, of which no comma says so
        if not self.text.startswith(closer, position) and not self._ended(position, closer):
            raise Unreadable(f"expected , or {closer}", cut=position >= len(self.text))
        return position

    def _strings(self, start: int) -> tuple[str, int]:
        value, end = self._string(start)
        while self.python:
            following = skip_space(self.text, end)
            if self.text[following : following + 1] not in ("'", '"'):
                break
            more, end = self._string(following)
            value += more
        return value, end

    def _string(self, start: int) -> tuple[str, int]:
        triple = _TRIPLE.match(self.text, start) if self.python else None
        if triple and (end := self.text.find(triple.group()[-3:], triple.end())) >= 0:
            body = self.text[triple.end() : end]
            return (body if triple.group()[0] in "rR" else unescape(body)), end + 3
        prefix = self.text[start].lower() if self.text[start] not in _STRINGS else ""
        match = _STRINGS[self.text[start + len(prefix)]].match(self.text, start + len(prefix))
        if not match:
            raise Unreadable("the text ends inside a string", cut=True)
        body = match.group(1)
        if prefix == "f" and "{" in body:
            raise Unreadable("a string that Python would fill in")
        return (body if prefix == "r" else unescape(body)), match.end()


def finite(digits: str) -> float:
    """Return the number that digits spell; ValueError where it is out of range."""
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is out of range")
    return value


def read_literal(text: str, start: int) -> tuple[Any, int]:
    """Return the JSON or Python literal at `start` and where it ends; raises Unreadable."""
    return Literals(text=text).value(start)


def read_json(text: str, start: int, *, repair: bool, closers: tuple[str, ...] = ()) -> tuple[Any, int]:
    """Return the JSON object or array at `start` (after white space) and where it ends; raises Unreadable.

    With `repair`, each of `closers` ends what is still open where it stands after a whole value.
    """
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
        value, end = Literals(text=text, closers=tuple(filter(None, closers))).value(start)
    except (ValueError, RecursionError) as error:
        raise Unreadable("JSON that is nested too deeply or holds a number out of range") from error
    return sound(value), end


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_STANDARD = json.JSONDecoder(parse_constant=_no_constant, parse_float=finite)
_LOOSE = json.JSONDecoder(parse_constant=_no_constant, parse_float=finite, strict=False)


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
