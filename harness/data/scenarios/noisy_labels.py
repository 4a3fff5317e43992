"""Scenario 2, noisy labels: every second assistant call is wrong.

A service call becomes the other service call, a call with another's arguments, or a reply; a reply
becomes a service call, or a reply of a hotel agent. User messages and tool results stay. The TFT file
keeps a tenth of the conversations clean, the Direct file none.
"""

from __future__ import annotations

from harness.data.formats.sgd import Trace
from harness.data.scenarios._base import CLEAN_FRACTION, Arm, CleanTraces, Scenario, published_stream
from harness.data.scenarios._recipes import Corruption, Pools, draw_clean, mislabel

SERVICE_TOOLS = ("FindRestaurants", "ReserveRestaurant")


def build(dialogues: CleanTraces, arm: Arm) -> list[Trace]:
    """Return the traces in their order, with wrong calls."""
    return corrupt(dialogues, arm)[0]


def corrupt(dialogues: CleanTraces, arm: Arm) -> tuple[list[Trace], list[Corruption]]:
    """Return the traces with wrong calls, and every corruption in order."""
    rng = published_stream()
    clean = draw_clean(len(dialogues.restaurants), CLEAN_FRACTION[arm], rng)
    pools = Pools.of(dialogues.restaurants, dialogues.hotels, SERVICE_TOOLS)
    traces: list[Trace] = []
    corruptions: list[Corruption] = []
    for position, trace in enumerate(dialogues.restaurants):
        noisy, found = (trace, []) if position in clean else mislabel(trace, pools, rng)
        traces.append(noisy)
        corruptions += found
    return traces, corruptions


SCENARIO = Scenario(number=2, slug="noisy-labels", build=build)
