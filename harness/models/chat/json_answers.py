"""A model's answer read as one JSON object, or the reason why it cannot be used."""

from __future__ import annotations

import json
import re
from typing import Any

_OPEN, _CLOSE = "<think>", "</think>"
_FENCED = re.compile(r"```(?:json|JSON)?\s*(\{.*\})\s*```", re.DOTALL)
_QUOTED_CHARACTERS = 80


def read_object(text: str) -> dict[str, Any]:
    """Return the object of an answer that is exactly one, alone or in one code fence, after one block of thinking.

    All else raises ValueError, whose message says what was found: nothing is searched for an object, because what
    looks like one may be quoted from what was asked. An answer that the engine cut is not to be read at all: thinking
    that was cut behind a quoted end of thinking and a quoted object looks like an answer.
    """
    body = _without_thinking(text.strip())
    fenced = _FENCED.fullmatch(body)
    return _one_object(fenced[1] if fenced else body)


def clean(text: str) -> str:
    """Return a text without spaces around it, as files can hold it: a lone surrogate is valid JSON."""
    return text.strip().encode("utf-8", "replace").decode()


def _without_thinking(text: str) -> str:
    if not text.startswith(_OPEN):
        return text
    end = text.find(_CLOSE)
    if end < 0:
        raise ValueError("the answer ends inside its thinking")
    # The first closing mark counts: thinking that quotes one leaves text before the verdict, which is refused.
    if _OPEN in text[len(_OPEN) : end]:
        raise ValueError("the thinking quotes thinking, so where it ends cannot be told")
    return text[end + len(_CLOSE) :].strip()


def _one_object(body: str) -> dict[str, Any]:
    if not body:
        raise ValueError("the answer is empty")
    if not body.startswith("{"):
        raise ValueError(f"the answer is not one JSON object but begins with {excerpt(body)}")
    decoder = json.JSONDecoder(object_pairs_hook=_unique, strict=False)  # engines let control characters through
    try:
        value, end = decoder.raw_decode(body)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(body) or error.msg.startswith("Unterminated string")
        problem = "is cut off" if cut else f"is not valid JSON ({error.msg} at character {error.pos})"
        raise ValueError(f"the answer {problem}: {excerpt(body)}") from error
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error
    rest = body[end:].strip()
    if rest:
        what = "a second JSON object" if rest.startswith("{") else f"more text, {excerpt(rest)}"
        raise ValueError(f"the answer has {what} after the object")
    found: dict[str, Any] = value
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("the answer has a key twice")
    return dict(pairs)


def kind_of(value: Any) -> str:
    """Return what a JSON value is, in words."""
    names = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def excerpt(value: Any) -> str:
    """Return the value as JSON in ASCII, cut to one short line."""
    shown = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(shown[:_QUOTED_CHARACTERS]) + ("..." if len(shown) > _QUOTED_CHARACTERS else "")
