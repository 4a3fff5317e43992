"""JSON from others, read under limits: size, number of parts, depth."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

from pydantic_core import from_json

LARGEST = 64 << 20
"""Characters of one JSON value, or bytes of one line: a conversation with its images has a hundredth of that."""
_SMALLER = "expected one conversation per row, or an export in smaller parts: of a shorter time, one trace per line"
TOO_DEEP = "nested too deeply to read"
TOO_MANY_DIGITS = "with a whole number of more than 4,300 digits; write it as text"
_MOST_PARTS = 2_000_000
"""Brackets and commas of one JSON value: three bytes of text, `[],`, take sixty of memory."""
_DEEPEST = 200
"""Brackets in brackets. Whatever walks through a value later calls itself that often, more than once per level."""


class JsonLimitExceeded(ValueError):
    """JSON that may be well written and is not read: too large, too deep, or with a number that has no end."""

    def __init__(self, words: str) -> None:
        """`words` follow the name of the notation, as in `JSON nested too deeply to read`."""
        super().__init__(f"JSON {words}")
        self.words = words


def load_json(text: str, *, times: int = 1) -> Any:
    """Return the value of JSON text: what `json.loads` does, for texts that others wrote.

    A file that is one value may be `times` as large as a row. Raises json.JSONDecodeError where it is no JSON,
    JsonLimitExceeded where its value would be too large or too deep.
    """
    _check_size(text, times)
    try:
        return from_json(text, cache_strings="none")  # three times as fast, and no deeper than _DEEPEST
    except (ValueError, TypeError):
        pass  # it has other words for what is wrong, and knows no half characters
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise JsonLimitExceeded(TOO_DEEP) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise JsonLimitExceeded(TOO_MANY_DIGITS) from error
    check_depth(value, text.count("[") + text.count("{"))
    return value


def load_json_bytes(data: bytes) -> Any:
    """Return the value of JSON in UTF-8, at once; ValueError for what only `load_json` reads, or says what is wrong."""
    if len(data) > _MOST_PARTS:
        raise ValueError("it may have too many parts")
    return from_json(data, cache_strings="none")


def too_long(times: int = 1) -> JsonLimitExceeded:
    """Return the error of a value that is larger than a row, or than a file that is one value and `times` as large."""
    return JsonLimitExceeded(f"of more than {LARGEST * times >> 20} MiB; {_SMALLER}")


def check_depth(value: Any, brackets: int) -> None:
    """Raise JsonLimitExceeded for a value that is nested too deeply to be walked through, by its number of brackets."""
    if brackets > _DEEPEST and _is_deep(value):
        raise JsonLimitExceeded(TOO_DEEP)


def _check_size(text: str, times: int) -> None:
    """Raise JsonLimitExceeded for JSON text that is not to be read, before any of it is."""
    if len(text) > LARGEST * times:
        raise too_long(times)
    most = _MOST_PARTS * times
    if len(text) > most and sum(map(text.count, "[{,")) > most:
        raise JsonLimitExceeded(f"of more than {most:,} parts; {_SMALLER}")


def _is_deep(value: Any) -> bool:
    """Whether brackets are nested more than _DEEPEST times; level by level, without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        parts = chain.from_iterable(one.values() if isinstance(one, dict) else one for one in level)
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return False
    return True
