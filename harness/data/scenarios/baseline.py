"""Scenario 1, baseline: the clean restaurant traces. What a pipeline reaches when nothing is wrong."""

from __future__ import annotations

from harness.data.formats.sgd import Trace
from harness.data.scenarios._base import Arm, CleanTraces, Scenario


def build(dialogues: CleanTraces, arm: Arm) -> list[Trace]:  # noqa: ARG001 - both arms see the same data
    """Return the traces as they are."""
    return list(dialogues.restaurants)


SCENARIO = Scenario(number=1, slug="baseline", build=build, pandas=True)
