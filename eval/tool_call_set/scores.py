"""1.0 where a turn makes exactly the calls that are expected, in any order, else 0.0.

Standard library only, so that it can be used without `evaluate`. `evaluate.load` copies this folder alone, so the
parsing of calls is repeated in every metric that needs it; a test compares the copies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Calls = list[tuple[str, dict[str, Any]]]


def scores(predictions: list[str], references: list[str]) -> list[float]:
    """Return one score per pair; ValueError names the index of a reference without a call."""
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    pairs = enumerate(zip(predictions, references, strict=True))
    return [float(same_calls(read_prediction(ours, i), read_reference(theirs, i))) for i, (ours, theirs) in pairs]


def same_calls(left: Calls, right: Calls) -> bool:
    """Return whether both make the same calls, each as often: names and arguments are equal, order does not matter."""
    if len(left) != len(right):
        return False
    missing = list(right)
    for name, arguments in left:
        place = next((i for i, other in enumerate(missing) if other[0] == name and same(other[1], arguments)), None)
        if place is None:
            return False
        del missing[place]
    return True


def read_calls(text: str) -> Calls:
    """Return (name, arguments) of every call in `text`, in order; empty where it holds none, or one cannot be read.

    A text is one JSON object `{"name", "parameters"}`, a list of such objects, or holds `<tool_call>` elements, which
    contain `{"name", "arguments"}` each. Text around elements is allowed, text around the bare objects is not.
    Arguments may be an object, an object encoded as a JSON string, null or absent (both mean none). Where a single
    element or object is no call, what the turn does is unknown, and none of its calls counts.
    """
    body = text.strip()
    bare = body.startswith(("{", "["))
    found = list(map(_call, _objects(body)) if bare else _elements(body))
    return [] if None in found else [call for call in found if call]


def _objects(body: str) -> list[str]:
    """Return the objects of a JSON list as texts, or the one object that the text is."""
    if body.startswith("{"):
        return [body]
    try:
        values = _DECODER.decode(body)
    except (ValueError, RecursionError):
        return []
    return [json.dumps(value) for value in values]


def _elements(body: str) -> Iterator[tuple[str, dict[str, Any]] | None]:
    """Yield the call of every `<tool_call>` element, None for one that is no call, which ends the reading."""
    while True:
        _, opened, rest = body.partition("<tool_call>")
        if not opened:
            return
        inner = rest.lstrip()
        try:
            _, end = _DECODER.raw_decode(inner)
        except (ValueError, RecursionError):
            yield None
            return
        body = inner[end:].lstrip()
        if not body.startswith("</tool_call>"):
            yield None
            return
        yield _call(inner[:end])


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


def read_reference(text: str, index: int) -> Calls:
    """Return the calls of reference number `index`; ValueError where it holds none."""
    calls = read_calls(text) if isinstance(text, str) else []
    if not calls:
        raise ValueError(
            f"reference {index} holds no tool call: {str(text)[:80]!r}; expected a JSON object with "
            '"name" and "parameters", a list of them, or <tool_call> elements'
        )
    return calls


def read_prediction(text: str, index: int) -> Calls:
    """Return the calls of prediction number `index`, none where it holds none; ValueError if it is no text."""
    if not isinstance(text, str):
        raise ValueError(f"prediction {index} is {type(text).__name__}, not text; leave out what has no answer")
    return read_calls(text)


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
