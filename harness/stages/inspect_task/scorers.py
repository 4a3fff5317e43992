"""The benchmark's metrics as Inspect's scorers, one sample at a time, and their mean with its interval."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target  # Inspect reads annotations
from inspect_ai.solver import TaskState

from harness.errors import DataError, UsageError
from harness.evaluation import metrics
from harness.models import parsing
from harness.stages.inspect_task.chat_answers import FAMILY, raw_answer
from harness.statistics.estimates import estimate

CONVERSATION, PLACE = "conversation", "place"
"""In a sample's metadata: the cluster of its scores, and where in the test set it stands."""


def metric_scorer(name: str, tools: str | None) -> Scorer:
    """Return the scorer of one metric; `tools` is the JSON of the task's tools, which some notations and metrics need.

    What is scored is what `tft evaluate` scores: the lenient reading of the raw text. An answer that never came, or
    that cannot be read as its provider delivered it, is unscored with its reason. UsageError without tools.
    """
    if not isinstance(tools, str):
        raise UsageError(
            "the scorers of tft/benchmark need its tools, which its logs name with them: run `inspect score LOG` "
            "without --scorer"
        )
    known: list[dict[str, Any]] = json.loads(tools)

    async def score(state: TaskState, target: Target) -> Score:
        said = raw_answer(state.output)
        if said.raw is None:
            return Score.unscored(reason=said.kind, explanation=said.problem)
        family = (state.output.metadata or {}).get(FAMILY)
        reading = parsing.read(said.raw, family=family, strict=False, tools=known)
        text = metrics.scored_text(said.raw, reading.call)
        [value] = metrics.score(name, [text], [target.text], known)
        return Score(value=float(value), answer=text, explanation=reading.reason)

    return score


def clustered_estimate() -> Metric:
    """Return the metric that gives a mean and its 95 % interval as `tft evaluate` does, clustered by conversation."""

    def compute(scores: list[SampleScore]) -> Mapping[str, float | None]:
        ordered = sorted(scores, key=lambda one: int(_known(one, PLACE)))  # sums depend on the order in the last digit
        values: Sequence[float] = [one.score.as_float() for one in ordered]
        found = estimate(values, [str(_known(one, CONVERSATION)) for one in ordered])
        return {"mean": found.value, "low": found.low, "high": found.high}

    return compute


def _known(one: SampleScore, key: str) -> Any:
    """Return what a sample's metadata holds; DataError for a sample of another task."""
    metadata = one.sample_metadata or {}
    if key not in metadata:
        raise DataError(
            f"sample {one.sample_id} has no {key!r} in its metadata, so it is none of tft/benchmark; score logs of "
            "that task only"
        )
    return metadata[key]
