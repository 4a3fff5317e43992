"""The recipes that damage traces, for any service: wrong labels, drifted names, disguised conversations."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data.formats.sgd import REPLY_TOOL, Trace
from harness.data.records import ToolCall
from harness.data.scenarios._base import map_calls, with_messages

NOISE = 0.5
"""Share of the calls that become wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corruption:
    """What was done to one call. The two calls can be equal: the same text may have been drawn."""

    kind: str
    before: ToolCall
    after: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """What wrong calls are drawn from; duplicates are kept, so frequent ones are drawn more often."""

    replies: Sequence[str]
    foreign_replies: Sequence[str]
    """Replies of an agent of another domain."""
    arguments: Mapping[str, Sequence[dict[str, Any]]]
    """Service tool -> the arguments of all its calls."""

    @classmethod
    def of(cls, traces: Sequence[Trace], foreign: Sequence[Trace], tools: Sequence[str]) -> Pools:
        """Collect the pools in the order of the traces; `tools` are the service tools that can be drawn."""
        calls = [call for trace in traces for call in trace.calls]
        return cls(
            replies=_replies(calls),
            foreign_replies=_replies([call for trace in foreign for call in trace.calls]),
            arguments={tool: [call.arguments for call in calls if call.name == tool] for tool in tools},
        )


def _replies(calls: Sequence[ToolCall]) -> list[str]:
    return [call.arguments["message"] for call in calls if call.name == REPLY_TOOL]


def draw_clean(count: int, fraction: float, rng: random.Random) -> set[int]:
    """Return the positions of the traces that stay as they are: `fraction` of `count`, rounded down."""
    if fraction == 0:
        return set()  # nothing is drawn then, which the rest of the stream depends on
    positions = list(range(count))
    rng.shuffle(positions)
    return set(positions[: int(count * fraction)])


def mislabel(trace: Trace, pools: Pools, rng: random.Random) -> tuple[Trace, list[Corruption]]:
    """Return the trace with every second call made wrong, and what was done, in order.

    A service call becomes a call of another service tool with the same arguments, a call with another's arguments,
    or a reply; a reply becomes a service call, or a reply of another domain. What the pools cannot give is not drawn.
    """
    corruptions: list[Corruption] = []

    def maybe(call: ToolCall) -> ToolCall:
        if rng.random() >= NOISE:
            return call
        corruption = _wrong_reply(call, pools, rng) if call.name == REPLY_TOOL else _wrong_service(call, pools, rng)
        if corruption is None:
            return call
        corruptions.append(corruption)
        return corruption.after

    return map_calls(trace, maybe), corruptions


def _wrong_reply(call: ToolCall, pools: Pools, rng: random.Random) -> Corruption | None:
    possible = {"replace_with_service_tool": pools.arguments, "replace_with_foreign_message": pools.foreign_replies}
    kind = _pick([name for name, pool in possible.items() if pool], rng)
    if kind is None:
        return None
    if kind == "replace_with_service_tool":
        name = rng.choice(list(pools.arguments))
        after = replace(call, name=name, arguments=rng.choice(pools.arguments[name]))
    else:
        after = replace(call, arguments={"message": rng.choice(pools.foreign_replies)})
    return Corruption(kind=kind, before=call, after=after)


def _wrong_service(call: ToolCall, pools: Pools, rng: random.Random) -> Corruption | None:
    others = [tool for tool in pools.arguments if tool != call.name]
    different = [arguments for arguments in pools.arguments.get(call.name, ()) if arguments != call.arguments]
    possible = {"swap_tool": others, "swap_params": different, "replace_with_respond_to_user": pools.replies}
    kind = _pick([name for name, pool in possible.items() if pool], rng)
    if kind is None:
        return None
    if kind == "swap_tool":
        # One other tool needs no draw; the published stream has none.
        after = replace(call, name=others[0] if len(others) == 1 else rng.choice(others))
    elif kind == "swap_params":
        after = replace(call, arguments=rng.choice(different))
    else:
        after = replace(call, name=REPLY_TOOL, arguments={"message": rng.choice(pools.replies)})
    return Corruption(kind=kind, before=call, after=after)


def _pick(kinds: Sequence[str], rng: random.Random) -> str | None:
    return rng.choice(kinds) if kinds else None


def draw_names(alternatives: Mapping[str, Sequence[str]], rng: random.Random) -> dict[str, str]:
    """Return one new name for each, in order, no name twice; one whose alternatives are all taken keeps its own."""
    drawn: dict[str, str] = {}
    for name, choices in alternatives.items():
        taken = set(drawn.values())
        free = [choice for choice in choices if choice not in taken]
        drawn[name] = rng.choice(free) if free else name
    return drawn


def rename(trace: Trace, functions: Mapping[str, str], parameters: Mapping[str, str]) -> Trace:
    """Return the trace with its calls and their arguments under new names; what is not named keeps its own."""

    def renamed(call: ToolCall) -> ToolCall:
        arguments = {parameters.get(key, key): value for key, value in call.arguments.items()}
        return replace(call, name=functions.get(call.name, call.name), arguments=arguments)

    return map_calls(trace, renamed)


def disguise(trace: Trace, functions: Mapping[str, str], rng: random.Random) -> Trace:
    """Return a foreign trace under the task's tool names, its whole message list shuffled, results included."""
    renamed = rename(trace, functions, {})
    messages = list(renamed.conversation.messages)
    rng.shuffle(messages)
    return with_messages(renamed, messages)
