"""A run of the benchmark as a graph of steps: each once, what it waits for, and the cells that need it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.benchmark.cells import STAGES, Cell, Setup
from harness.benchmark.steps import Step, steps
from harness.errors import UsageError
from harness.hub.artifact import Artifact, FileInput
from harness.models.roles import Roles


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPlan:
    """All steps of some cells, in an order in which they could be run one after the other."""

    setup: Setup
    cells: tuple[Cell, ...]
    steps: tuple[Step, ...]
    of_cell: Mapping[Cell, tuple[Step, ...]]
    salt: str
    """What decides about results and stands in no word: the models in their roles, the content of a job folder."""

    @classmethod
    def of(cls, cells: Sequence[Cell], setup: Setup, *, until: str | None = None) -> BenchmarkPlan:
        """Return the plan, up to a stage or to what comes before it; UsageError for a stage that no cell has."""
        of_cell = {cell: tuple(steps(cell, setup)) for cell in cells}
        if until is not None:
            of_cell = _until(of_cell, until)
        unique = {step.key: step for chain in of_cell.values() for step in chain}
        return cls(setup=setup, cells=tuple(cells), steps=tuple(unique.values()), of_cell=of_cell, salt=_salt(setup))

    def makers(self, step: Step) -> tuple[Step, ...]:
        """Return the steps that make what this one needs."""
        return tuple(other for other in self.steps if other.makes in step.needs and other.stage != "evaluate")


def _until(of_cell: Mapping[Cell, tuple[Step, ...]], until: str) -> dict[Cell, tuple[Step, ...]]:
    known = [stage for stage in STAGES if any(step.stage == stage for chain in of_cell.values() for step in chain)]
    if until not in known:
        cells = ", ".join(map(str, of_cell))
        raise UsageError(f"there is no stage {until!r} in {cells}; stages are {', '.join(known)}")
    wanted = STAGES[: STAGES.index(until) + 1]
    return {cell: tuple(step for step in chain if step.stage in wanted) for cell, chain in of_cell.items()}


def _salt(setup: Setup) -> str:
    """Return a hash of what decides about results and stands in files of this machine."""
    files = sorted(path for path in Path(setup.job.folder).iterdir() if path.is_file()) if setup.job else []
    decisive = [Roles.named(setup.preset.models).model_dump(), [str(FileInput.of(path)) for path in files]]
    return hashlib.sha256(repr(decisive).encode()).hexdigest()


def pinned(step: Step, artifacts: Mapping[str, Artifact]) -> Step:
    """Return a step with a commit at each repository that it reads; `artifacts` are by repository."""
    commits = {name: str(artifacts[name]) for name in step.needs if name in artifacts}
    pairs = zip(("", *step.words), step.words, strict=False)
    words = tuple(word if before == "--to" else commits.get(word, word) for before, word in pairs)
    request = {key: value if key == "place" else _renamed(value, commits) for key, value in step.request.items()}
    return replace(step, words=words, request=request)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a field of a request with other names for repositories."""
    if isinstance(value, str):
        return names.get(value, value)
    return [_renamed(one, names) for one in value] if isinstance(value, list) else value


def step_tag(step: Step, salt: str, version: int) -> str:
    """Return the tag that marks the result of a pinned step: a hash of its command and of the stage's version.

    It finds in one request what the stage's own fingerprint finds after reading inputs: a run that has nothing to do
    asks the Hub once a step.
    """
    decisive = [step.stage, version, list(step.words), salt]
    text = json.dumps(decisive, ensure_ascii=False, separators=(",", ":"))
    return f"run-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
