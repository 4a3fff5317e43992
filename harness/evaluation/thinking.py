"""Thinking apart from answers: split off where a text has it, and counted for the report (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.data.records import Prediction, Task, Thought
from harness.evaluation.records import ThinkingFacts
from harness.models import parsing
from harness.models.parsing.strip_thinking import split_thinking


def apart(answer: Prediction, task: Task, family: str | None) -> Prediction:
    """Return an answer without the thinking in its text, which it then has beside it.

    The calls that are read of it stay the same: where they would not, so does the answer. A text that ends inside its
    thinking is none.
    """
    found = split_thinking(answer.raw) if answer.raw is not None else None
    if found is None or answer.raw is None:
        return answer
    text, rest = found
    before, after = (parsing.read(one, family=family, tools=task.tools) for one in (answer.raw, rest or ""))
    if (before.call, before.every) != (after.call, after.every):
        return answer
    known = answer.thought or Thought(text="")
    thought = replace(known, text="\n".join(filter(None, (known.text, text))))
    if rest is None:
        error = "the answer ends inside its thinking"
        return replace(answer, raw=None, error=error, thought=replace(thought, end="unclosed"))
    return replace(answer, raw=rest, thought=thought)


def thinking_facts(answers: Sequence[Prediction], asked: bool) -> ThinkingFacts | None:
    """Return how many answers were thought about, and how; None where none was, and none was `asked` to be."""
    thoughts = [answer.thought for answer in answers if answer.thought]
    if not thoughts and not asked:
        return None
    counts = [one.tokens for one in thoughts if one.tokens is not None]
    ends = Counter(one.end for one in thoughts)
    return ThinkingFacts(
        answers=len(thoughts),
        mean_tokens=sum(counts) / len(counts) if counts else None,
        limited=ends["limit"],
        repeated=ends["repeated"],
        unclosed=ends["unclosed"],
    )


def thinking_columns(answer: Prediction) -> dict[str, Any]:
    """Return what a row of results says of the thinking before its answer."""
    thought = answer.thought
    return {
        "thinking": thought.text if thought else None,
        "thinking_tokens": thought.tokens if thought else None,
        "thinking_end": thought.end if thought else None,
    }
