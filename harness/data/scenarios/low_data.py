"""Scenario 4, low data: five clean traces and no more."""

from __future__ import annotations

from harness.data.formats.sgd import Trace
from harness.data.scenarios._base import Arm, CleanTraces, Scenario, published_stream

TRACES = 5


def build(dialogues: CleanTraces, arm: Arm) -> list[Trace]:  # noqa: ARG001 - both arms see the same data
    """Return a sample of the traces, as they are."""
    return published_stream().sample(dialogues.restaurants, TRACES)


SCENARIO = Scenario(number=4, slug="low-data", build=build)
