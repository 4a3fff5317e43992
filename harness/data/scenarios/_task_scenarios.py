"""The scenarios of any task: its clean traces damaged by the benchmark's recipes, and the truth beside them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.data.formats.sgd import Trace
from harness.data.scenarios._base import SEED
from harness.data.scenarios._recipes import Corruption, Pools, disguise, draw_clean, draw_names, mislabel, rename
from harness.data.scenarios._synonyms import drifted_names
from harness.data.tools import Toolbox

CLEAN_FRACTION = 0.1
"""Of the traces in noisy labels and schema drift, which stay as they are; rounded down."""
LOW_DATA_TRACES = 5
FOREIGN_TO_OWN = 4
"""In trace mixing there are up to this many foreign traces for each of the task's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A call that is not what it was."""

    position: int
    """Of its message."""
    kind: str
    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """One trace of a scenario, and what it should be."""

    trace: Trace
    clean: Trace
    belongs: bool = True
    """Whether the conversation is about the task at all."""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioMaterial:
    """What the scenarios of a task are made from."""

    traces: Sequence[Trace]
    toolbox: Toolbox
    foreign: Sequence[Trace]
    """Traces of a service of another domain."""
    foreign_tools: Mapping[str, str]
    """Tool of the foreign service -> tool of the task whose name it is given."""


def task_scenarios(material: ScenarioMaterial) -> dict[str, list[Damaged]]:
    """Return the traces of each scenario by its slug. Every conversation has a random stream of its own."""
    return {
        "noisy-labels": _noisy_labels(material),
        "schema-drift": _schema_drift(material),
        "low-data": _low_data(material),
        "trace-mixing": _trace_mixing(material),
    }


def _stream(scenario: str, id: str) -> random.Random:
    return random.Random(f"{SEED}:{scenario}:{id}")  # noqa: S311 - a reproducible stream, not a secret


def _noisy_labels(material: ScenarioMaterial) -> list[Damaged]:
    clean = draw_clean(len(material.traces), CLEAN_FRACTION, _stream("noisy-labels", "clean"))
    used = {call.name for trace in material.traces for call in trace.calls}
    tools = [name for name in material.toolbox.services if name in used]
    pools = Pools.of(material.traces, material.foreign, tools)
    damaged = []
    for position, trace in enumerate(material.traces):
        if position in clean:
            damaged.append(Damaged(trace=trace, clean=trace))
            continue
        noisy, found = mislabel(trace, pools, _stream("noisy-labels", trace.conversation.id))
        damaged.append(Damaged(trace=noisy, clean=trace, changes=_changes(trace, found)))
    return damaged


def _schema_drift(material: ScenarioMaterial) -> list[Damaged]:
    clean = draw_clean(len(material.traces), CLEAN_FRACTION, _stream("schema-drift", "clean"))
    names = drifted_names(material.toolbox)
    damaged = []
    for position, trace in enumerate(material.traces):
        if position in clean:
            damaged.append(Damaged(trace=trace, clean=trace))
            continue
        rng = _stream("schema-drift", trace.conversation.id)
        drifted = rename(trace, draw_names(names.functions, rng), draw_names(names.parameters, rng))
        renamed = [
            Corruption(kind="renamed", before=before, after=after)
            for before, after in zip(trace.calls, drifted.calls, strict=True)
        ]
        damaged.append(Damaged(trace=drifted, clean=trace, changes=_changes(trace, renamed)))
    return damaged


def _low_data(material: ScenarioMaterial) -> list[Damaged]:
    count = min(LOW_DATA_TRACES, len(material.traces))
    return [Damaged(trace=one, clean=one) for one in _stream("low-data", "sample").sample(list(material.traces), count)]


def _trace_mixing(material: ScenarioMaterial) -> list[Damaged]:
    rng = _stream("trace-mixing", "mix")
    own_count = min(len(material.traces), max(1, len(material.foreign) // FOREIGN_TO_OWN))
    own = rng.sample(list(material.traces), own_count)
    foreign = rng.sample(list(material.foreign), min(len(material.foreign), FOREIGN_TO_OWN * own_count))
    mixed = [Damaged(trace=trace, clean=trace) for trace in own]
    for trace in foreign:
        stream = _stream("trace-mixing", trace.conversation.id)
        mixed.append(Damaged(trace=disguise(trace, material.foreign_tools, stream), clean=trace, belongs=False))
    rng.shuffle(mixed)
    return mixed


def _changes(trace: Trace, corruptions: Sequence[Corruption]) -> tuple[Change, ...]:
    """Return the corruptions of one trace that can be seen, with their places; a call keeps its id when it changes."""
    places = {
        call.id: position for position, message in enumerate(trace.conversation.messages) for call in message.tool_calls
    }
    return tuple(
        Change(position=places[one.before.id], kind=one.kind, call_id=one.before.id or "")
        for one in corruptions
        if one.before != one.after
    )
