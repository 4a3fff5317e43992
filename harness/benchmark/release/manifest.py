"""What a release consists of: the repositories that a run of the benchmark has made, in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.benchmark.record import BenchmarkRecord, CellRecord
from harness.data.cell_names import LEADERBOARD
from harness.data.scenarios import ARMS, all_scenarios
from harness.data.tasks import TEST_SET_STAGES
from harness.evaluation.results import RESULTS
from harness.hub.artifact import RepositoryName, split_revision

Role = Literal[
    "test set", "student", "results", "leaderboard", "traces", "filtered", "relabelled", "synthetic", "model"
]
DATA_STAGES: dict[str, Role] = {
    "corrupt": "traces",
    "filter": "filtered",
    "relabel": "relabelled",
    "synthesize": "synthetic",
}
"""Stage, as a cell's artifacts name it -> what its dataset is."""
STAGE_OF: dict[Role, tuple[str, ...]] = {
    "test set": TEST_SET_STAGES,
    "student": ("student",),
    "model": ("train",),
    **{role: (stage,) for stage, role in DATA_STAGES.items()},
    "traces": ("corrupt", "job-traces"),
}
"""What the `stage` of a repository's `lineage.json` may say where it is the benchmark's, or a job's."""

_Key = tuple[str, str, bool, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One repository of the release."""

    place: RepositoryName
    role: Role
    scenario: str | None = None
    commit: str | None = None
    """The commit that the cells have made or read; None where the release itself makes the content."""
    cell: CellRecord | None = None
    """Of a model."""


def results_place(namespace: str) -> RepositoryName:
    """Return the results dataset."""
    return RepositoryName(kind="dataset", repo_id=f"{namespace}/{RESULTS}")


def space_place(namespace: str) -> RepositoryName:
    """Return the Space with the leaderboard."""
    return RepositoryName(kind="space", repo_id=f"{namespace}/{LEADERBOARD}")


def entries(namespace: str, record: BenchmarkRecord) -> list[Entry]:
    """Return all repositories of the cells that are done, in the order of the collection; the student is last."""
    found = [
        _pinned("test set", record.test_set),
        Entry(place=results_place(namespace), role="results"),
        Entry(place=space_place(namespace), role="leaderboard"),
    ]
    for scenario in dict.fromkeys(cell.scenario for cell in _ordered(record.cells)):
        cells = [cell for cell in _ordered(record.cells) if cell.scenario == scenario and cell.status == "done"]
        for stage, role in DATA_STAGES.items():
            named = dict.fromkeys(cell.artifacts[stage] for cell in cells if stage in cell.artifacts)
            found += [_pinned(role, artifact, scenario=scenario) for artifact in named]
        found += [_model(cell) for cell in cells]
    if record.student.partition("/")[0] == namespace:
        found.append(_pinned("student", record.student))
    return found


def _ordered(cells: Sequence[CellRecord]) -> list[CellRecord]:
    return sorted(cells, key=lambda one: (one.scenario, one.fair, one.seed, ARMS.index(one.arm)))


def _pinned(role: Role, artifact: str, *, scenario: str | None = None) -> Entry:
    repo_id, commit = split_revision(artifact)
    place = RepositoryName(kind="model" if role == "student" else "dataset", repo_id=repo_id)
    return Entry(place=place, role=role, scenario=scenario, commit=commit)


def _model(cell: CellRecord) -> Entry:
    return Entry(
        place=RepositoryName(kind="model", repo_id=cell.model),
        role="model",
        scenario=cell.scenario,
        commit=split_revision(cell.artifacts.get("train", ""))[1],
        cell=cell,
    )


def unfinished(record: BenchmarkRecord) -> Iterator[str]:
    """Yield what is not there: each cell that failed, and each that the benchmark has and the record has not."""
    known = {(cell.scenario, cell.arm, cell.fair, cell.seed): cell for cell in record.cells}
    numbered = {f"s{scenario.number}" for scenario in all_scenarios()}
    named = {cell.scenario for cell in record.cells}
    scenarios = sorted(named | (numbered if named <= numbered else set()))
    expected = {(scenario, arm, False, seed) for scenario in scenarios for arm in ARMS for seed in range(record.seeds)}
    for key in sorted(known.keys() | expected, key=lambda one: (one[0], one[2], one[3], one[1] != "tft")):
        cell = known.get(key)
        if cell is None:
            yield f"{_cell(key)} was not run"
        elif cell.status == "failed":
            yield f"{_cell(key)} failed in the stage {cell.stage or 'unknown'} ({cell.problem or 'no reason recorded'})"


def _cell(key: _Key) -> str:
    scenario, arm, fair, seed = key
    return f"cell {scenario} {arm}{' fair' if fair else ''}{f' with seed {seed}' if seed else ''}"


def title_of(scenario: str) -> str:
    """Return what a scenario is called: `Scenario 2, noisy labels`, or the name of a job."""
    known = {f"s{one.number}": one for one in all_scenarios()}
    if scenario not in known:
        return scenario
    return f"Scenario {known[scenario].number}, {known[scenario].slug.replace('-', ' ')}"
