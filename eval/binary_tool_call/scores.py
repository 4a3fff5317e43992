"""1.0 where two tool calls have the same name and the same arguments, else 0.0.

Standard library only, so that it can be used without `evaluate`. `evaluate.load` copies this folder alone, so the
parsing of calls is repeated in every metric that needs it; a test compares the copies.
"""

from __future__ import annotations

import json
from typing import Any


def scores(predictions: list[str], references: list[str]) -> list[float]:
    """Return one score per pair; ValueError names the index of a reference without a call."""
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    pairs = enumerate(zip(predictions, references, strict=True))
    return [_score(read_prediction(ours, i), read_reference(theirs, i)) for i, (ours, theirs) in pairs]


def _score(predicted: tuple[str, dict[str, Any]] | None, expected: tuple[str, dict[str, Any]]) -> float:
    return float(predicted is not None and predicted[0] == expected[0] and same(predicted[1], expected[1]))


def read_call(text: str) -> tuple[str, dict[str, Any]] | None:
    """Return (name, arguments) of the call in `text`, or None.

    Two published notations are parsed: a text that is one JSON object `{"name", "parameters"}`, and the first
    `<tool_call>` element in a text, which contains `{"name", "arguments"}`. Text around the element is allowed,
    text around the bare object is not. Arguments may be an object, an object encoded as a JSON string, null or
    absent (both mean none); anything else is no call.
    """
    body = text.strip()
    if body.startswith("{"):
        return _call(body)
    _, opened, rest = body.partition("<tool_call>")
    if not opened:
        return None
    inner = rest.lstrip()
    try:
        _, end = _DECODER.raw_decode(inner)
    except (ValueError, RecursionError):
        return None
    return _call(inner[:end]) if inner[end:].lstrip().startswith("</tool_call>") else None


def _call(body: str) -> tuple[str, dict[str, Any]] | None:
    try:
        value = _DECODER.decode(body)
        arguments = value.get("arguments", value.get("parameters")) if isinstance(value, dict) else None
        if isinstance(arguments, str):
            arguments = _DECODER.decode(arguments.strip() or "{}")
    except (ValueError, RecursionError):
        return None
    arguments = {} if arguments is None else arguments
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not isinstance(arguments, dict):
        return None
    return value["name"], arguments


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def read_reference(text: str, index: int) -> tuple[str, dict[str, Any]]:
    """Return the call of reference number `index`; ValueError where it holds none."""
    call = read_call(text) if isinstance(text, str) else None
    if call is None:
        raise ValueError(
            f"reference {index} holds no tool call: {str(text)[:80]!r}; expected a JSON object with "
            '"name" and "parameters", or a <tool_call> element'
        )
    return call


def read_prediction(text: str, index: int) -> tuple[str, dict[str, Any]] | None:
    """Return the call of prediction number `index`, None where it holds none; ValueError if it is no text."""
    if not isinstance(text, str):
        raise ValueError(f"prediction {index} is {type(text).__name__}, not text; leave out what has no answer")
    return read_call(text)


def same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal: key order does not matter, 1 equals 1.0, true does not equal 1."""
    pairs = [(left, right)]
    while pairs:
        a, b = pairs.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            pairs.extend((a[key], b[key]) for key in a)
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            pairs.extend(zip(a, b, strict=True))
        elif isinstance(a, bool) or isinstance(b, bool):
            if a is not b:
                return False
        elif a != b:
            return False
    return True
