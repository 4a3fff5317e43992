"""Which steps of a plan have their results on the Hub, as far as that can be told before anything is run."""

from __future__ import annotations

from harness.benchmark.plan import Plan, pinned
from harness.benchmark.state import State
from harness.records import Artifact


def known_steps(plan: Plan, state: State) -> dict[str, bool]:
    """Return step key -> whether its result is there. What follows a missing one is missing: its inputs will change."""
    artifacts: dict[str, Artifact] = {}
    known: dict[str, bool] = {}
    for step in plan.steps:
        ready = all(known[one.key] for one in plan.makers(step))
        found = state.find(step, pinned(step, artifacts), artifacts) if ready else None
        known[step.key] = found is not None
        if found is not None and step.stage != "evaluate":
            artifacts[step.makes] = found
    return known
