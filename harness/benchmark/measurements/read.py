"""The files of a folder as results of the benchmark, as if one Hub held them; what is missing is not measured yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.benchmark.cells import Cell, all_cells
from harness.benchmark.measurements.record import (
    NULL_BASELINES,
    Measurement,
    null_baselines_sha256,
    read_measurement,
    read_null_baselines,
)
from harness.benchmark.measurements.same import check_same
from harness.benchmark.presets import Preset, read_preset
from harness.benchmark.record import BenchmarkRecord, CellRecord
from harness.benchmark.report.assign import AssignedResults, CellKey, assign_results
from harness.benchmark.report.build import summarize_assigned
from harness.benchmark.report.losses import collect_losses
from harness.benchmark.report.records import BenchmarkReport, Run
from harness.benchmark.report.results import EvaluationResults, Result
from harness.benchmark.report.thresholds import read_thresholds
from harness.benchmark.report.training_verdict_words import say_worth
from harness.data.tasks import REPOSITORY as TEST_SET
from harness.errors import DataError, UsageError
from harness.evaluation.results import RESULTS, config_name
from harness.hub.artifact import Artifact, split_revision
from harness.models.engine.arithmetic import DEFAULT

OWNER = "local"
"""Who owns the models in the tables: names in files have no owner."""
_NOWHERE = "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a folder holds, and the report of it."""

    preset: str
    settings: Preset | None
    """The preset as it is now; None for one that is not among those of this harness."""
    measurements: tuple[Measurement, ...]
    summary: BenchmarkReport

    def of(self, run: Run) -> Measurement:
        """Return the measurement behind a run that is done."""
        return next(one for one in self.measurements if run.model == f"{OWNER}/{one.model}")


def read_folder(folder: Path) -> list[Measurement]:
    """Return the measurements in a folder, by file; DataError for a damaged one, nothing without the folder."""
    nulls = read_null_baselines(folder)
    paths = [path for path in sorted(folder.glob("*.json")) if path.stem != NULL_BASELINES]
    found = [read_measurement(path, nulls) for path in paths]
    other = next((one for one in found if null_baselines_sha256(one.rows) != one.baselines_sha256), None)
    if other:
        raise DataError(
            f"the null baselines in {folder / NULL_BASELINES}.json are not those beside which {other.model} was "
            "measured; restore the file, or record all models again"
        )
    return found


def read_measured(folder: Path) -> Measured:
    """Return what was measured with a preset; the folder has its name where it holds nothing yet.

    Raises DataError where a file cannot be read, or where two must not stand in one table.
    """
    found = read_folder(folder)
    check_same(found)
    preset = found[0].preset if found else folder.name
    settings = _preset(preset)
    student = _student(found, settings)
    if student is None:
        raise UsageError(f"{folder} holds no measurements, and there is no preset {preset!r} that they could be of")
    results = _results(found, preset, student)
    assigned = _assigned(results, student)
    summary = summarize_assigned(results, assigned, OWNER, "")
    by_model = {f"{OWNER}/{one.model}": one for one in found}
    losses, without = collect_losses(
        summary.tables,
        lambda of: by_model[of.repo_id].losses,
        lambda of: (by_model[of.repo_id].training or {}).get("conversations"),
    )
    rules = bool(summary.judge and summary.judge.rules)
    worth = say_worth(summary.worth.rows, losses, read_thresholds(), rules=rules)
    summary = replace(summary, losses=losses, no_losses=without, worth=worth)
    return Measured(preset=preset, settings=settings, measurements=tuple(found), summary=summary)


def _preset(name: str) -> Preset | None:
    try:
        return read_preset(name)
    except UsageError:  # the user's own, whose file is elsewhere; its settings are in the measurements
        return None


def _student(found: Sequence[Measurement], settings: Preset | None) -> str | None:
    """Return the student's name without its owner: that of the cells, else of the untrained one, else the preset's."""
    names = [cell.student for one in found if (cell := one.cell)] + [one.model for one in found]
    if settings:
        names.append(split_revision(settings.student)[0].rpartition("/")[2])
    return next(iter(names), None)


def _results(found: Sequence[Measurement], preset: str, student: str) -> EvaluationResults:
    first = found[0].test_set.sha256[:40] if found else _NOWHERE
    cells = [
        CellRecord(
            scenario=f"s{cell.scenario}",
            arm=cell.arm,
            fair=cell.fair,
            seed=cell.seed,
            model=f"{OWNER}/{one.model}",
            status="done",
        )
        for one in found
        if (cell := one.cell)
    ]
    record = BenchmarkRecord(
        format=1,
        preset=preset,
        settings=found[0].settings if found else {},
        student=f"{OWNER}/{student}",
        test_set=f"{OWNER}/{TEST_SET}@{first}",
        seeds=1 + max((cell.seed for cell in cells), default=0),
        cells=tuple(cells),
    )
    by_config = {
        (config := config_name(f"{OWNER}/{one.model}")): Result(
            config=config, report=one.report, rows=one.rows, fingerprint=None
        )
        for one in found
    }
    artifact = Artifact(kind="dataset", repo_id=f"{OWNER}/{RESULTS}", revision=_NOWHERE)
    return EvaluationResults(artifact=artifact, by_config=by_config, record=record)


def _assigned(results: EvaluationResults, student: str) -> AssignedResults:
    """Return the measured cells, and of the ten those that are not measured yet."""
    missing: dict[CellKey, tuple[Run, ...]] = {
        _key(cell): (Run(model=None, seed=0, status="not measured yet"),) for cell in all_cells(fair=False, seeds=1)
    }
    if results.record is None or not results.record.cells:
        test_set = next(
            ((one.report.run.dataset, one.report.run.dataset_revision) for one in results.by_config.values()),
            (f"{OWNER}/{TEST_SET}", _NOWHERE),
        )
        return AssignedResults(
            student=student, test_set=test_set, arithmetic=DEFAULT, runs=missing, results={}, others={}
        )
    found = assign_results(results, OWNER, student)
    for runs in found.runs.values():
        for run in runs:
            if run.status != "done":
                raise DataError(f"{run.model} cannot stand in a table: {run.problem}")
    return replace(found, runs={**missing, **found.runs})


def _key(cell: Cell) -> CellKey:
    return f"s{cell.scenario}", cell.arm, cell.fair
