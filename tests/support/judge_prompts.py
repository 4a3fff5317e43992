"""Reads a judge's prompt back into the case, by the prompt's grammar and nothing of what built it."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_TEXT = r"(?:null|[\"{\[].*)"
LINE = re.compile(
    rf"(?P<number>\d+)\. (?P<speaker>system|user|assistant|assistant calls|tool result"
    rf"|tool result, given as a user message): (?P<text>{_TEXT})"
)
_USER = re.compile(
    r"# CONVERSATION\n\n(?P<lines>(?:\d+\. [^\n]*\n)*)\n"
    r"# REFERENCE\n\ncall: (?P<reference>[^\n]*)\n\n"
    r"# PREDICTION\n\n(?P<kind>call|text, in which no call could be found): (?P<prediction>[^\n]*)\n\n"
    r"# QUESTION\n\n(?P<question>[^\n]*)"
)
_CUT = re.compile(r"(?P<head>\"(?:[^\"\\]|\\.)*\") \(here (?P<count>\d+) characters were left out\) (?P<tail>\".*\")")


class Cut(NamedTuple):
    """What is left of a text that was cut."""

    head: str
    left_out: int
    tail: str


class Read(NamedTuple):
    """A prompt's case: (number, speaker, value) a line, and the values of the two calls."""

    lines: list[tuple[int, str, Any]]
    reference: Any
    prediction: Any
    has_call: bool
    question: str


def value(text: str) -> Any:
    """Return the JSON value of a line's text, or what is left of it. A bare string is a text, null no text."""
    try:
        return json.loads(text)
    except ValueError:
        found = _CUT.fullmatch(text)
        assert found, f"not one JSON value: {text[:200]}"
        return Cut(json.loads(found["head"]), int(found["count"]), json.loads(found["tail"]))


def read_back(user: str) -> Read:
    """Return the case of a user message; fails where the message is not exactly one case."""
    assert len(user.splitlines()) == user.count("\n") + 1, "a character that ends lines elsewhere"
    found = _USER.fullmatch(user)
    assert found, f"not one case: {user[-400:]}"
    lines = []
    for line in found["lines"].splitlines():
        parts = LINE.fullmatch(line)
        assert parts, f"not a line of a conversation: {line[:200]}"
        lines.append((int(parts["number"]), parts["speaker"], value(parts["text"])))
    has_call = found["kind"] == "call"
    return Read(lines, value(found["reference"]), value(found["prediction"]), has_call, found["question"])
