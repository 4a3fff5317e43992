"""A judge's answer read as one verdict, or the reason why it cannot be used."""

from __future__ import annotations

import json
import re
from typing import Any

_VALUES = {"good": 1.0, "bad": 0.0}
_KEYS = {"reason", "verdict"}
_OPEN, _CLOSE = "<think>", "</think>"
_FENCED = re.compile(r"```(?:json|JSON)?\s*(\{.*\})\s*```", re.DOTALL)
_QUOTED_CHARACTERS = 80


def parse_verdict(text: str) -> tuple[float, str]:
    """Return the value (1.0 good, 0.0 bad) and the reason of an answer that is exactly one verdict.

    Read is one JSON object with the keys `reason` (text) and `verdict` (good or bad, in any case of letters), alone or
    in one code fence, after one leading block of thinking at most. All else raises ValueError, whose message says what
    was found: nothing is searched for a verdict, because what looks like one may be quoted from the case.

    An answer that the engine cut (finish reason `length`) is not to be read at all: thinking that was cut behind a
    quoted end of thinking and a quoted verdict looks like an answer.
    """
    body = _without_thinking(text.strip())
    fenced = _FENCED.fullmatch(body)
    answer = _one_object(fenced[1] if fenced else body)
    if answer.keys() != _KEYS:
        keys = ", ".join(map(_excerpt, sorted(answer))) or "none"
        raise ValueError(f'the answer has the keys {keys}; expected "reason" and "verdict"')
    reason, verdict = answer["reason"], answer["verdict"]
    if not isinstance(reason, str):
        raise ValueError(f"the reason is no text but {_kind(reason)}")
    value = _VALUES.get(verdict.lower()) if isinstance(verdict, str) else None
    if value is None:
        raise ValueError(f'the verdict is {_excerpt(verdict)}; expected "good" or "bad"')
    # A lone surrogate is valid JSON, but no file can hold it.
    return value, reason.strip().encode("utf-8", "replace").decode()


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
        raise ValueError(f"the answer is not one JSON object but begins with {_excerpt(body)}")
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    try:
        value, end = decoder.raw_decode(body)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(body) or error.msg.startswith("Unterminated string")
        problem = "is cut off" if cut else f"is not valid JSON ({error.msg} at character {error.pos})"
        raise ValueError(f"the answer {problem}: {_excerpt(body)}") from error
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error
    rest = body[end:].strip()
    if rest:
        what = "a second JSON object" if rest.startswith("{") else f"more text, {_excerpt(rest)}"
        raise ValueError(f"the answer has {what} after the object")
    found: dict[str, Any] = value
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("the answer has a key twice")
    return dict(pairs)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _excerpt(value: Any) -> str:
    """Return the value as JSON in ASCII, cut to one short line."""
    shown = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(shown[:_QUOTED_CHARACTERS]) + ("..." if len(shown) > _QUOTED_CHARACTERS else "")
