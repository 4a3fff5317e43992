"""Scenario 5, trace mixing: four fifths of the traces are of a hotel agent, under the restaurant tools' names.

Each hotel conversation's messages are shuffled whole, calls, results and user messages alike, so half
of them even end with a user message. The restaurant traces are clean.
"""

from __future__ import annotations

import random
from dataclasses import replace

from harness.records import ToolCall
from harness.scenarios._base import Arm, Dialogues, Scenario, map_calls, published_stream, with_messages
from harness.wire.sgd import Trace

RESTAURANT_TRACES = 36
RENAMED = {"SearchHotel": "FindRestaurants", "ReserveHotel": "ReserveRestaurant"}


def build(dialogues: Dialogues, arm: Arm) -> list[Trace]:  # noqa: ARG001 - both arms see the same data
    """Return disguised hotel traces and clean restaurant traces, mixed."""
    rng = published_stream()
    hotels = [_disguised(trace, rng) for trace in dialogues.hotels]
    mixed = rng.sample(dialogues.restaurants, RESTAURANT_TRACES) + hotels
    rng.shuffle(mixed)
    return mixed


def _disguised(trace: Trace, rng: random.Random) -> Trace:
    renamed = map_calls(trace, _rename)
    messages = list(renamed.conversation.messages)
    rng.shuffle(messages)
    return with_messages(renamed, messages)


def _rename(call: ToolCall) -> ToolCall:
    return replace(call, name=RENAMED.get(call.name, call.name))


SCENARIO = Scenario(number=5, slug="trace-mixing", build=build)
