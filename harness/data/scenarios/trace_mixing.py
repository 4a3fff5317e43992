"""Scenario 5, trace mixing: four fifths of the traces are of a hotel agent, under the restaurant tools' names.

Each hotel conversation's messages are shuffled whole, calls, results and user messages alike, so half
of them even end with a user message. The restaurant traces are clean.
"""

from __future__ import annotations

from harness.data.formats.sgd import Trace
from harness.data.scenarios._base import Arm, CleanTraces, Scenario, published_stream
from harness.data.scenarios._recipes import disguise

RESTAURANT_TRACES = 36
RENAMED = {"SearchHotel": "FindRestaurants", "ReserveHotel": "ReserveRestaurant"}


def build(dialogues: CleanTraces, arm: Arm) -> list[Trace]:  # noqa: ARG001 - both arms see the same data
    """Return disguised hotel traces and clean restaurant traces, mixed."""
    rng = published_stream()
    hotels = [disguise(trace, RENAMED, rng) for trace in dialogues.hotels]
    mixed = rng.sample(dialogues.restaurants, RESTAURANT_TRACES) + hotels
    rng.shuffle(mixed)
    return mixed


SCENARIO = Scenario(number=5, slug="trace-mixing", build=build)
