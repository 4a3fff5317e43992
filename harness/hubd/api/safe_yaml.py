"""YAML and JSON that strangers wrote, as plain values: no tags, aliases, dates, base-60 numbers, and bounded.

YAML values are made here from the parser's events, never by PyYAML's constructors: those raise all kinds of
errors on tags and numbers, take quadratic time for some, and expand a few lines of aliases to gigabytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import yaml

TEXT_LIMIT = 256 << 10  # characters
NODE_LIMIT = 50_000
DEPTH_LIMIT = 64
DIGITS = 30  # of a whole number; a longer one stays text
FRONT_MATTER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)\r?\n?---[ \t]*(?:\r?\n|\Z)", re.S)
_OPENING = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is 20 times as fast

_WORDS: dict[str, bool | None] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
for _lower, _value in {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.items():
    _WORDS |= dict.fromkeys((_lower, _lower.title(), _lower.upper()), _value)
_WHOLE = re.compile(r"[-+]?(?:0b[01][01_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def load_yaml(text: str) -> Any:
    """Return YAML as JSON-like values, dates as they are written; raises yaml.YAMLError and nothing else."""
    if len(text) > TEXT_LIMIT:
        raise yaml.YAMLError(f"it is longer than {TEXT_LIMIT >> 10} kB")
    try:
        return _document(text)
    except yaml.YAMLError:
        raise
    except Exception as error:  # what a parser raises on hostile text is not documented
        raise yaml.YAMLError(f"it cannot be read: {type(error).__name__}") from error


def load_json(text: str) -> Any:
    """Return JSON that can be sent on as it is: finite, valid Unicode, not nested too deeply; raises ValueError."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    level, depth = [value], 0
    while level := [item for one in level for item in _items(one)]:
        depth += 1
        if depth > DEPTH_LIMIT:
            raise ValueError(f"nested deeper than {DEPTH_LIMIT} levels")
    return value


def weight(value: Any) -> int:
    """Return about how many bytes of memory a value takes."""
    total, level = 0, [value]
    while level:
        total += sum(map(_own_weight, level))
        level = [item for one in level for item in (*_items(one), *(one if isinstance(one, dict) else ()))]
    return total


def _own_weight(value: Any) -> int:
    if isinstance(value, str):
        return 60 + len(value)
    return 60 + 9 * len(value) if isinstance(value, list | dict) else 30


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def front_matter(text: str) -> Any:
    """Return the YAML at the top of a card, None without any; raises yaml.YAMLError."""
    found = FRONT_MATTER.match(text[: TEXT_LIMIT + 100])
    if found is None and len(text) > TEXT_LIMIT and _OPENING.match(text):
        raise yaml.YAMLError(f"it does not end within {TEXT_LIMIT >> 10} kB")
    return load_yaml(found[1]) if found else None


def body_of(text: str) -> str:
    """Return a card without the YAML at its top."""
    found = FRONT_MATTER.match(text[: TEXT_LIMIT + 100])
    return text[found.end() :] if found else text


class _Builder:
    """Puts values into the innermost open list or mapping, or at the top."""

    def __init__(self) -> None:
        self.top: list[Any] = []
        self._open: list[list[Any] | dict[str, Any]] = []
        self._keys: list[str | None] = []  # for each open mapping the key that waits for its value
        self._count = 0

    def add(self, value: Any) -> None:
        """Take the next value; raises yaml.YAMLError if there are too many, or if it cannot be a key."""
        self._count += 1
        if self._count > NODE_LIMIT:
            raise yaml.YAMLError(f"it has more than {NODE_LIMIT:,} values")
        inner = self._open[-1] if self._open else self.top
        if isinstance(inner, list):
            inner.append(value)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = _key(value)
        else:
            inner[key], self._keys[-1] = value, None

    def begin(self, value: list[Any] | dict[str, Any]) -> None:
        """Open a list or a mapping; raises yaml.YAMLError."""
        self.add(value)
        self._open.append(value)
        self._keys.append(None)
        if len(self._open) > DEPTH_LIMIT:
            raise yaml.YAMLError(f"it is nested deeper than {DEPTH_LIMIT} levels")

    def end(self) -> None:
        """Close the innermost list or mapping."""
        self._open.pop()
        self._keys.pop()


def _document(text: str) -> Any:
    built = _Builder()
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        if (tag := getattr(event, "tag", None)) is not None:
            raise yaml.YAMLError(f"tags are not allowed, got {str(tag)[:80]}")
        if isinstance(event, yaml.ScalarEvent):
            event.value.encode()  # half a character, escaped, could be neither stored nor sent
            built.add(_scalar(event.value) if event.implicit[0] else event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            built.begin([])
        elif isinstance(event, yaml.MappingStartEvent):
            built.begin({})
        elif isinstance(event, yaml.CollectionEndEvent):
            built.end()
    if len(built.top) > 1:
        raise yaml.YAMLError("expected a single document")
    return built.top[0] if built.top else None


def _scalar(text: str) -> Any:
    if len(text) < 6 and text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first not in "-+.0123456789":
        return text
    if len(text) <= DIGITS and _WHOLE.fullmatch(text):
        return _whole(text)
    if len(text) <= 4 * DIGITS and _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
        if math.isfinite(value):
            return value
        raise yaml.YAMLError(f"{text} is too large a number")
    if _ENDLESS.fullmatch(text):
        raise yaml.YAMLError(f"{text} is no finite number")
    return text


def _whole(text: str) -> int:
    digits = text.replace("_", "")
    bare = digits.lstrip("+-")
    if len(bare) > 1 and bare[0] == "0" and bare[1] not in "bx":
        return int(digits, 8)
    return int(digits, 0)


def _key(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise yaml.YAMLError("a list or a mapping cannot be a key")
    return json.dumps(value)
