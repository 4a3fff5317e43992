"""What a conversation is made of, before a word is said: segments whose costs add up to the wanted length.

The unit is a pair of messages: a user's turn with what the agent answers, or a service call with its result. So every
conversation that starts with the user and ends with the agent has an even number of messages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from harness.rules.teacher.task_model import TaskModel

_SPREAD = 3.0
_VARIANT = 0.15
_ROOM = 9
"""Number of remaining units from which on a second sequence of tools is started."""
_ACTIONS = ("ask", "another", "refine", "wait")
_COSTS = {"request": 1, "ask": 1, "another": 1, "refine": 2, "wait": 1, "nudge": 1, "correct": 1, "fail": 3}


@dataclass(slots=True, kw_only=True)
class Segment:
    """One tool's part of the conversation, while it is planned."""

    tool: str
    lookup: bool
    calls: bool = True
    """Whether the tool is called before the conversation ends."""
    steps: list[str] = field(default_factory=list)
    """What makes it longer: `request` (the agent has to ask for an argument), `nudge` (the agent proposes the
    transaction), `correct`, `fail`, and, in order, what the user does once there is a result: `ask`, `another`,
    `refine`, `wait`."""

    def count(self, step: str) -> int:
        """Return how often there is such a step."""
        return self.steps.count(step)

    @property
    def actions(self) -> list[str]:
        """What the user does once there is a result, in order."""
        return [step for step in self.steps if step in _ACTIONS]

    @property
    def cost(self) -> int:
        """In pairs of messages."""
        call = 1 if self.lookup else 2
        return 1 + (call if self.calls else 0) + sum(_COSTS[step] for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """The plan of a conversation."""

    segments: tuple[Segment, ...]
    thanks: bool
    bye: bool


def draw_agenda(model: TaskModel, length: int, complexity: int, rng: Random) -> Agenda:
    """Return an agenda of exactly `length` messages, of the nearest reachable number for an odd one."""
    units = max(1, length // 2 + (length % 2 and rng.random() < 0.5))
    tools = _tools(model, units, rng)
    if not tools:
        tool = rng.choice(sorted(model.usages))
        alone = Segment(tool=tool, lookup=model.usages[tool].lookup, calls=False, steps=["request"] * (units - 1))
        return Agenda(segments=(alone,), thanks=False, bye=False)
    segments = [_segment(model, tool) for tool in tools]
    spare = units - sum(segment.cost for segment in segments)
    bye = spare > 0 and rng.random() < 0.95
    thanks = spare - bye > 0 and rng.random() < 0.65
    spare -= bye + thanks
    spare -= _first_requests(model, segments[0], spare, rng)
    while spare >= _ROOM and rng.random() < 0.5 + 0.02 * spare:
        more = [_segment(model, tool) for tool in _tools(model, spare // 2, rng)]
        spare -= sum(segment.cost for segment in more)
        segments += more
    while spare > 0:
        spare -= _extend(model, segments, spare, complexity, rng)
    return Agenda(segments=tuple(segments), thanks=thanks, bye=bye)


def _segment(model: TaskModel, tool: str) -> Segment:
    return Segment(tool=tool, lookup=model.usages[tool].lookup)


def _tools(model: TaskModel, units: int, rng: Random) -> tuple[str, ...]:
    """Return a sequence of tools: a trace's, or part of one, preferring those of about the available length."""
    usual = sorted({names: None for _, names in model.sequences if names})
    weights = {names: sum(names == other for _, other in model.sequences) * 1.0 for names in usual}
    for names in usual:
        for place in range(len(names)):
            for part in (names[:place], names[place:]):
                if part and part not in usual:
                    weights[part] = weights.get(part, 0.0) + _VARIANT * weights[names]
    for tool in model.usages:
        weights.setdefault((tool,), _VARIANT if usual else 1.0)
    stretch = _stretch(model)
    fitting = {names: weight for names, weight in weights.items() if _least(model, names) <= units}
    if not fitting:
        return ()
    order = sorted(fitting)
    likely = [fitting[names] * math.exp(-abs(units - stretch * _least(model, names)) / _SPREAD) for names in order]
    return rng.choices(order, weights=likely)[0] if sum(likely) > 0 else order[-1]


def _least(model: TaskModel, names: Sequence[str]) -> int:
    return sum(_segment(model, name).cost for name in names)


def _stretch(model: TaskModel) -> float:
    """Return how much longer conversations are than the shortest with the same calls."""
    ratios = [messages / 2 / _least(model, names) for messages, names in model.sequences if names]
    return sum(ratios) / len(ratios) if ratios else 2.0


def _first_requests(model: TaskModel, first: Segment, spare: int, rng: Random) -> int:
    """Let the agent ask before the first call as often as in a trace; return what that costs."""
    usage = model.usages[first.tool]
    waits = model.waits or (1, 2, 3)
    before = rng.choice(waits) - (1 if first.lookup else 2)
    requests = max(0, min(before, len(usage.order), spare))
    first.steps += ["request"] * requests
    return requests


def _extend(model: TaskModel, segments: list[Segment], spare: int, complexity: int, rng: Random) -> int:
    """Make one segment longer; return by how much."""
    segment = rng.choice(segments)
    usage = model.usages[segment.tool]
    rows = 1 + segment.count("another") + segment.count("refine")
    askable = min(4, len(set(usage.columns) - set(usage.order) - set(model.entity(usage))) * rows)
    weights = {"ask": 3.0 if segment.count("ask") < askable else 0.1, "wait": 0.02}
    if segment.lookup:
        if model.entity(usage):
            weights["another"] = 1.5 if segment.count("another") < 3 else 0.2
        weights["refine"] = 0.6 + 0.2 * complexity
    else:
        if segment.count("request") < len(usage.order):
            weights["request"] = 3.0
        weights["nudge"] = 0.0 if segment.count("nudge") or segment is segments[0] else 1.0
        weights["correct"] = 0.25 * complexity if segment.count("correct") < 2 else 0.0
        fails = segment.tool not in model.layout.single and segment.count("fail") < 2
        weights["fail"] = 0.2 + 0.1 * complexity if fails else 0.0
    fitting = [name for name in weights if _COSTS[name] <= spare]
    action = rng.choices(fitting, weights=[weights[name] for name in fitting])[0]
    segment.steps.append(action)
    return _COSTS[action]
