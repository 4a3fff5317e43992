"""JSON values inside a text, read from a position on, without ever running away.

`read_json` is the JSON of the standard, or with `repair` what models write instead of it: trailing commas,
single quotes, True/False/None, line breaks inside strings, doubled braces, and closing brackets that are missing
before a mark that closes the call. Text that stops in the middle of a value is not repaired.
"""

from __future__ import annotations

import json
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.models.parsing.literals import MAX_DEPTH, Literals, Unreadable, finite, skip_space


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
