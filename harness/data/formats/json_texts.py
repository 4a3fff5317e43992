"""Texts of files, JSON in them and inside other texts, and JSON values in words for error messages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.hub.foreign_json import LARGEST, TOO_DEEP, TOO_MANY_DIGITS, JsonLimitExceeded, load_json, too_long

_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SPELLED = re.compile(rb"\\u[dD][89a-fA-F]")
"""How JSON spells half a character: an emoji that a limit of tokens has cut, mostly."""
_SHOWN = 60
_LIMIT = "integer string conversion"
"""Part of what Python says of a whole number with more digits than it converts, for want of a quick way."""
_PACKED = {
    b"\x1f\x8b": "this is a gzip file; unpack it first: gunzip -c FILE > NEW",
    b"PK\x03\x04": "this is a zip file; unpack it first, and give the file in it",
    b"PAR1": "this is a Parquet file; write its rows as JSON lines, one object per line",
    b"\x28\xb5\x2f\xfd": "this is a Zstandard file; unpack it first: unzstd FILE",
    b"BZh": "this is a bzip2 file; unpack it first: bunzip2 FILE",
    b"\xfd7zXZ": "this is an xz file; unpack it first: unxz FILE",
    b"\xff\xfe": "this is UTF-16; save the file as UTF-8",
    b"\xfe\xff": "this is UTF-16; save the file as UTF-8",
    b"{\x00": "this is UTF-16; save the file as UTF-8",
    b"\x00{": "this is UTF-16; save the file as UTF-8",
}
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def as_value(text: str) -> Any:
    """Return the JSON list or object that a text is; None for any other text."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return load_json(text)
    except ValueError:
        return None


def json_value(value: Any) -> Any:
    """Return the list or object that a JSON text is, any other value as it is."""
    found = as_value(value) if isinstance(value, str) else None
    return value if found is None else found


def why_not_held(text: str) -> str | None:
    """Return in words why the value of JSON text cannot be held; None where it can, or the text is none."""
    try:
        load_json(text)
    except ValueError as error:
        return cannot_hold(error)
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


def parse_line(line: bytes | None) -> Any:
    """Return the value of a line of JSON lines; ValueError says what is wrong with it.

    None is a line that is too long to be read. A byte order mark before it, as the first line of a file may have, is no
    content.
    """
    try:
        if line is None:
            raise too_long()
        text = decode_text(line)
        return load_json(text)
    except json.JSONDecodeError as error:
        problem = f"not valid JSON ({error.msg} at column {error.colno})"
        csv = "," in text and text.lstrip()[:1] not in ("{", "[")
        advice = "expected one JSON object a line"
        advice += "; this looks like CSV: write each of its rows as a JSON object" if csv else ""
        raise ValueError(f"{problem}; {advice}") from error
    except ValueError as error:
        raise ValueError(why_not_json(error)) from error


def why_not_json(error: ValueError | RecursionError) -> str:
    """Return in words why a text could not be read as JSON."""
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON ({error.msg} at line {error.lineno}, column {error.colno})"
    return f"JSON {words}" if (words := cannot_hold(error)) else str(error)


def cannot_hold(error: Exception) -> str | None:
    """Return in words why Python cannot hold a value that is well written; None for any other error."""
    if isinstance(error, RecursionError):
        return TOO_DEEP
    if isinstance(error, JsonLimitExceeded):
        return error.words
    return TOO_MANY_DIGITS if _LIMIT in str(error) else None


def packed(head: bytes) -> str | None:
    """Return what a file is whose first bytes say that it is not text, and what to do; None for any other."""
    return next((words for start, words in _PACKED.items() if head.startswith(start)), None)


def decode_text(data: bytes) -> str:
    """Return the text of bytes in UTF-8, without a byte order mark; ValueError says what they are instead."""
    try:
        if (words := packed(data)) is None:
            return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    raise ValueError(words)


def read_text(path: Path) -> str:
    """Return the text of a file that people write, see `decode_text`; DataError where there is none."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB; expected a text that people write")
        return decode_text(data)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"cannot read {path}: {error}") from error


def read_json(path: Path, expected: str) -> Any:
    """Return the JSON value that a file is; DataError says why it is none and what was expected."""
    try:
        return load_json(read_text(path))
    except ValueError as error:
        raise DataError(f"{path}: {why_not_json(error)}; expected {expected}") from error


def decoded(value: Any, what: str) -> Any:
    """Return `value`, decoded where it is a text; ValueError for a text that is not JSON, `what` before the problem."""
    if not isinstance(value, str):
        return value
    try:
        return load_json(value)
    except json.JSONDecodeError as error:
        problem = f"{error.msg} at character {error.pos + 1}"
        raise ValueError(f"{what} not valid JSON ({problem}): {shortened(value)}") from error
    except ValueError as error:
        raise ValueError(f"{what} {why_not_json(error)}: {shortened(value)}") from error


def kind(value: Any) -> str:
    """Return what a JSON value is, in JSON's own words."""
    return _KINDS.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def shortened(value: Any) -> str:
    """Return a value in quotes for an error message, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
