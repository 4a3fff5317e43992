"""Scenario 2, noisy labels: every second assistant call is wrong.

A service call becomes the other service call, a call with another's arguments, or a reply; a reply
becomes a service call, or a reply of a hotel agent. User messages and tool results stay. The TFT file
keeps a tenth of the conversations clean, the Direct file none.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from harness.records import ToolCall
from harness.scenarios._base import CLEAN_FRACTION, Arm, Dialogues, Scenario, map_calls, published_stream
from harness.wire.sgd import REPLY_TOOL, Trace

NOISE = 0.5
SERVICE_TOOLS = ("FindRestaurants", "ReserveRestaurant")
REPLY_KINDS = ("replace_with_service_tool", "replace_with_hotels_message")
SERVICE_KINDS = ("swap_tool", "swap_params", "replace_with_respond_to_user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Corruption:
    """What was done to one call. The two calls can be equal: the same text may have been drawn."""

    kind: str
    before: ToolCall
    after: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """What wrong calls are drawn from; duplicates are kept, so frequent ones are drawn more often."""

    hotel_replies: list[str]
    restaurant_replies: list[str]
    arguments: dict[str, list[dict[str, Any]]]
    """Service tool -> the arguments of all its calls."""

    @classmethod
    def of(cls, dialogues: Dialogues) -> Pools:
        """Collect the pools in dialogue order."""
        calls = [call for trace in dialogues.restaurants for call in trace.calls]
        hotel_calls = [call for trace in dialogues.hotels for call in trace.calls]
        return cls(
            hotel_replies=[call.arguments["message"] for call in hotel_calls if call.name == REPLY_TOOL],
            restaurant_replies=[call.arguments["message"] for call in calls if call.name == REPLY_TOOL],
            arguments={tool: [call.arguments for call in calls if call.name == tool] for tool in SERVICE_TOOLS},
        )


def build(dialogues: Dialogues, arm: Arm) -> list[Trace]:
    """Return the traces in their order, with wrong calls."""
    return corrupt(dialogues, arm)[0]


def corrupt(dialogues: Dialogues, arm: Arm) -> tuple[list[Trace], list[Corruption]]:
    """Return the traces with wrong calls, and every corruption in order."""
    rng = published_stream()
    clean = _clean_positions(len(dialogues.restaurants), CLEAN_FRACTION[arm], rng)
    pools = Pools.of(dialogues)
    corruptions: list[Corruption] = []

    def maybe_corrupt(call: ToolCall) -> ToolCall:
        if rng.random() >= NOISE:
            return call
        corruption = _corrupt_reply(call, pools, rng) if call.name == REPLY_TOOL else _corrupt_service(call, pools, rng)
        corruptions.append(corruption)
        return corruption.after

    traces = [
        trace if position in clean else map_calls(trace, maybe_corrupt)
        for position, trace in enumerate(dialogues.restaurants)
    ]
    return traces, corruptions


def _clean_positions(count: int, fraction: float, rng: random.Random) -> set[int]:
    if fraction == 0:
        return set()  # nothing is drawn then, which the rest of the stream depends on
    positions = list(range(count))
    rng.shuffle(positions)
    return set(positions[: int(count * fraction)])


def _corrupt_reply(call: ToolCall, pools: Pools, rng: random.Random) -> Corruption:
    kind = rng.choice(REPLY_KINDS)
    if kind == "replace_with_service_tool":
        name = rng.choice(SERVICE_TOOLS)
        after = replace(call, name=name, arguments=rng.choice(pools.arguments[name]))
    else:
        after = replace(call, arguments={"message": rng.choice(pools.hotel_replies)})
    return Corruption(kind=kind, before=call, after=after)


def _corrupt_service(call: ToolCall, pools: Pools, rng: random.Random) -> Corruption:
    kind = rng.choice(SERVICE_KINDS)
    if kind == "swap_tool":
        other = next(tool for tool in SERVICE_TOOLS if tool != call.name)
        after = replace(call, name=other)
    elif kind == "swap_params":
        different = [arguments for arguments in pools.arguments[call.name] if arguments != call.arguments]
        after = replace(call, arguments=rng.choice(different))
    else:
        after = replace(call, name=REPLY_TOOL, arguments={"message": rng.choice(pools.restaurant_replies)})
    return Corruption(kind=kind, before=call, after=after)


SCENARIO = Scenario(number=2, slug="noisy-labels", build=build)
