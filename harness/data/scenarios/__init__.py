"""The benchmark's scenarios, one file each: every module here that defines `SCENARIO` is one.

    _base.py            What scenarios are made of: the clean dialogues, the record of a scenario, and the counts
                        for its card
    _recipes.py         The recipes that damage traces, for any service: wrong labels, drifted names, disguised
                        conversations
    _synonyms.py        Other names for the tools and parameters of any task, as a drifted schema might have them. No
                        randomness
    _task_scenarios.py  The scenarios of any task: its clean traces damaged by the benchmark's recipes, and the truth
                        beside them
    baseline.py         Scenario 1: the clean restaurant traces
    low_data.py         Scenario 4, low data: five clean traces and no more
    noisy_labels.py     Scenario 2, noisy labels: every second assistant call is wrong
    schema_drift.py     Scenario 3, schema drift: the tools of the traces are not those of today
    trace_mixing.py     Scenario 5: four fifths of the traces are of a hotel agent

A scenario turns clean traces into the traces that a pipeline is given. The random streams are those of
the published files: a fresh `Random(42)` each, drawn from in a fixed order, so the order of the lines
that draw is part of the data's definition.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

import yaml

from harness import resources
from harness.data.scenarios._base import (
    ARMS,
    Arm,
    CleanTraces,
    Scenario,
    TraceFacts,
    dialogue_files,
    measure,
    read_dialogues,
    transitions,
)
from harness.errors import UsageError

__all__ = [
    "ARMS",
    "Arm",
    "CleanTraces",
    "Description",
    "Scenario",
    "TraceFacts",
    "all_scenarios",
    "describe",
    "dialogue_files",
    "get",
    "measure",
    "read_dialogues",
    "transitions",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A scenario in words, with what was measured on its traces; from `datasets/scenarios.yaml`."""

    number: int
    slug: str
    title: str
    summary: str
    facts: dict[Arm, TraceFacts]


def all_scenarios() -> list[Scenario]:
    """Return all scenarios by number."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    found = [importlib.import_module(f"{__name__}.{name}").SCENARIO for name in names]
    return sorted(found, key=lambda scenario: scenario.number)


def get(number: int) -> Scenario:
    """Return the scenario with this number; UsageError lists the known ones."""
    known = {scenario.number: scenario for scenario in all_scenarios()}
    if number not in known:
        raise UsageError(f"there is no scenario {number}; known are {', '.join(map(str, known))}")
    return known[number]


def describe(number: int) -> Description:
    """Return the description of a scenario; UsageError where there is none of this number."""
    path = resources.folder("datasets") / "scenarios.yaml"
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        if entry["number"] == number:
            facts: dict[Arm, TraceFacts] = {arm: TraceFacts(**entry["facts"][arm]) for arm in ARMS}
            return Description(**{**entry, "facts": facts})
    raise UsageError(f"{path} describes no scenario {number}; add its entry there")
