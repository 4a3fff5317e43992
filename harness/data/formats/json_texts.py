"""JSON inside texts and lines, and JSON values in words for error messages."""

from __future__ import annotations

import json
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SPELLED = re.compile(rb"\\u[dD][89a-fA-F]")
"""How JSON spells half a character: an emoji that a limit of tokens has cut, mostly."""
_SHOWN = 60
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def as_value(text: str) -> Any:
    """Return the JSON list or object that a text is; None for any other text."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def encodable(text: str) -> str:
    """Return the text with lone surrogates (half an emoji) replaced by U+FFFD, pairs of them joined."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    joined = _SURROGATES.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return _SURROGATE.sub("\ufffd", joined)


def encodable_value(value: Any) -> Any:
    """Return a JSON value with all its texts, keys included, as files can hold them; see `encodable`."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [encodable_value(item) for item in value]
    if isinstance(value, dict):
        return {encodable(key): encodable_value(item) for key, item in value.items()}
    return value


def spells_half_characters(line: bytes) -> bool:
    """Whether JSON text may hold a lone surrogate: a cheap look before a value is walked through."""
    return _SPELLED.search(line) is not None


def parse_line(line: bytes) -> Any:
    """Return the value of a line of JSON lines; ValueError says what is wrong with it."""
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        problem = f"not valid JSON ({error.msg} at column {error.colno})"
        raise ValueError(f"{problem}; expected one JSON object a line") from error
    except ValueError as error:
        raise ValueError(f"JSON that cannot be read ({error})") from error
    except RecursionError as error:
        raise ValueError("JSON nested too deeply to read") from error


def decoded(value: Any, what: str) -> Any:
    """Return `value`, decoded where it is a text; ValueError for a text that is no JSON, `what` before the problem."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        problem = f"{error.msg} at character {error.pos + 1}"
        raise ValueError(f"{what} not valid JSON ({problem}): {shortened(value)}") from error
    except ValueError as error:
        raise ValueError(f"{what} not valid JSON ({error}): {shortened(value)}") from error
    except RecursionError as error:
        raise ValueError(f"{what} nested too deeply to read") from error


def kind(value: Any) -> str:
    """Return what a JSON value is, in JSON's own words."""
    return _KINDS.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def shortened(value: Any) -> str:
    """Return a value in quotes for an error message, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
