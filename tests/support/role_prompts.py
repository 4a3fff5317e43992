"""Reads the prompts of the pipeline back into what they are about, by their grammar and nothing of what built them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from support.judge_prompts import LINE, value

_LINES = r"(?:\d+\. [^\n]*\n)*"
_QUESTION = r"# QUESTION\n\n[^\n]*"
_CONVERSATION = re.compile(rf"# CONVERSATION\n\n(?P<lines>{_LINES})\n{_QUESTION}")
_DISPUTE = re.compile(
    rf"# CONVERSATION\n\n(?P<before>{_LINES}?)(?P<number>\d+)\. assistant calls: \(the turn in question\)\n"
    rf"(?P<after>{_LINES})\n# PROPOSALS\n\n(?P<candidates>(?:[A-Z]: [^\n]*\n)+)\n{_QUESTION}"
)
_WRITING = re.compile(
    rf"(?P<examples>(?:# EXAMPLE \d+\n\n{_LINES}\n)*)"
    rf"(?P<context>(?:# WHAT A USER SAID IN ANOTHER CONVERSATION \d+\n\n{_LINES}\n)*)"
    r"# WHAT TO WRITE\n\nA new conversation, number (?P<number>\"[^\n]*\"), "
    r"with about (?P<length>\d+) messages, [^\n]*\n\n"
    rf"Course: (?P<topic>[^\n]*)\n\nDifficulty (?P<complexity>\d) of 5: [^\n]*\n\n{_QUESTION}"
)
_HEADED = re.compile(rf"# [^\n]*\n\n({_LINES})\n")


class Read(NamedTuple):
    """Conversations as (number, speaker, value) lines, and the other values by name."""

    conversations: list[list[tuple[int, str, Any]]]
    values: dict[str, Any]


def read_back(role: str, user: str) -> Read:
    """Return what a user message is about; fails where it is not exactly one case of the role."""
    assert len(user.splitlines()) == user.count("\n") + 1, "a character that ends lines elsewhere"
    pattern = {"arbiter": _DISPUTE, "synthesize": _WRITING}.get(role, _CONVERSATION)
    found = pattern.fullmatch(user)
    assert found, f"not one case: {user[-600:]}"
    parts = found.groupdict()
    if role == "arbiter":
        candidates = {line[0]: value(line[3:]) for line in parts["candidates"].splitlines()}
        lines = [*_lines(parts["before"]), (int(parts["number"]), "?", None), *_lines(parts["after"])]
        return Read([lines], {"candidates": candidates})
    if role == "synthesize":
        conversations = [_lines(lines) for lines in _HEADED.findall(parts["examples"] + parts["context"])]
        topic = None if parts["topic"] == "as you like" else value(parts["topic"])
        return Read(conversations, {"topic": topic, "number": value(parts["number"])})
    return Read([_lines(parts["lines"])], {})


def _lines(text: str) -> list[tuple[int, str, Any]]:
    lines = []
    for line in text.splitlines():
        parts = LINE.fullmatch(line)
        assert parts, f"not a line of a conversation: {line[:200]}"
        lines.append((int(parts["number"]), parts["speaker"], value(parts["text"])))
    return lines
