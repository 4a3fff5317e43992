"""What a run of the benchmark leaves beside its results: `benchmark.json`, one entry per cell."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.benchmark.cells import BASELINE_KINDS, Cell
from harness.benchmark.execute import without_log
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.presets import Preset
from harness.benchmark.schedule import StepOutcome, failure_of
from harness.data.formats.strict_records import load_record
from harness.errors import DataError, UsageError
from harness.evaluation.results import RESULTS, ResultsDataset, config_name
from harness.hub.client import Hub
from harness.hub.foreign_json import load_json

FILE = "benchmark.json"
"""In the results dataset."""
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """One cell: which model it made, from what, or where it ended."""

    scenario: str
    """`s1` to `s5`, or the name of a job."""
    arm: Literal["tft", "direct"]
    fair: bool
    seed: int
    model: str
    """The model repository."""
    status: Literal["done", "failed"]
    stage: str | None = None
    """The stage that failed."""
    problem: str | None = None
    """Why, in a sentence."""
    artifacts: dict[str, str] = field(default_factory=dict)
    """Stage (`corrupt`, `filter`, `relabel`, `synthesize`, `train`) -> `repo@commit`."""
    result: str | None = None
    """Fingerprint of its evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecord:
    """One model that was evaluated beside the cells, or why it was not."""

    kind: Literal["untrained", "logged", "teacher"]
    model: str | None
    """As results name it; None where none was to be evaluated."""
    status: Literal["done", "failed", "left out"]
    problem: str | None = None
    """Why there is none, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRecord:
    """All cells of a run, and the settings that they have in common."""

    format: int
    preset: str
    settings: dict[str, Any]
    """The resolved preset."""
    student: str
    """`repo@commit`."""
    test_set: str
    """`repo@commit`."""
    seeds: int
    cells: tuple[CellRecord, ...]
    baselines: tuple[BaselineRecord, ...] = ()
    """Empty in records of earlier versions, and of runs without any."""

    def dump(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)


def load(text: str, where: str) -> BenchmarkRecord:
    """Return the record in the text of a `benchmark.json`; DataError says what is wrong with it."""
    try:
        value = load_json(text)
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}")
        record: BenchmarkRecord = load_record(BenchmarkRecord, value, "benchmark")
    except ValueError as error:
        raise DataError(f"{FILE} of {where} cannot be read ({error}); run `tft benchmark` again") from error
    return record


def read_record(dataset: ResultsDataset) -> BenchmarkRecord | None:
    """Return the record in the results dataset, None where no run of the benchmark has ended yet."""
    with dataset.file(FILE) as file:
        text = file.read_text(encoding="utf-8", errors="replace") if file else None
    return load(text, str(dataset.artifact)) if text is not None else None


_VERSION = re.compile(r"v\d+(\.\d+)*")


def check_version(hub: Hub, plan: BenchmarkPlan, version: str | None) -> str:
    """Return the results dataset; UsageError where the run would replace published results of other settings.

    Published results carry a version tag. A run with other settings names the version that it is for.
    """
    results = f"{plan.setup.namespace}/{RESULTS}"
    published = [tag for tag in hub.tags("dataset", results) if _VERSION.fullmatch(tag)]
    if version is not None:
        if not _VERSION.fullmatch(version):
            raise UsageError(f"--version {version!r} is no version; expected v1, v2, ...")
        if version in published:
            raise UsageError(f"{results} has {version} already; name a new version")
        return results
    before = hub.read_text("dataset", results, FILE) if published else None
    if before is None:
        return results
    known = deciding_settings(load(before, results).settings)
    settings = deciding_settings(plan.setup.preset.model_dump(mode="json"))
    other = sorted(key for key in settings if known.get(key) != settings[key])
    if other:
        raise UsageError(
            f"{results} holds published results ({', '.join(published)}) of other settings ({', '.join(other)}); "
            "say with --version which new version these are for, or use another --namespace"
        )
    return results


def complete(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a record with the defaults of those that a preset did not have when it was written."""
    return {**Preset(student="").model_dump(mode="json"), **settings}


def deciding_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete settings of a record without those that decide about no result."""
    return {key: value for key, value in complete(settings).items() if key not in _FREE}


_FREE = ("summary", "caveat", "parallel", "hardware")
"""Settings of a preset that decide about no result."""


def record(
    hub: Hub,
    plan: BenchmarkPlan,
    outcomes: Mapping[str, StepOutcome],
    *,
    preset: str,
    seeds: int,
    version: str | None = None,
) -> None:
    """Push `benchmark.json`, unless it is there as it should be."""
    setup = plan.setup
    results = f"{setup.namespace}/{RESULTS}"
    dataset = ResultsDataset.find(hub, results)
    made = {step.makes: outcomes[step.key].artifact for step in plan.steps if step.stage != "evaluate"}
    student = made.get(setup.student)
    test_set = made.get(setup.test_set)
    found = BenchmarkRecord(
        format=FORMAT,
        preset=preset,
        settings=setup.preset.model_dump(mode="json"),
        student=str(student) if student else setup.student,
        test_set=str(test_set) if test_set else setup.test_set,
        seeds=seeds,
        cells=tuple(_cell(dataset, plan, cell, outcomes) for cell in plan.cells),
        baselines=tuple(_baselines(plan, outcomes)),
    )
    before = hub.read_text("dataset", results, FILE)
    if before is not None:
        found = _with_others(found, load(before, results))
    text = json.dumps(found.dump(), ensure_ascii=False, indent=2) + "\n"
    if before != text:
        said = f" for {version}" if version else ""
        hub.commit_files(
            "dataset", results, {FILE: text}, message=f"The run of the benchmark{said}: cells and artifacts"
        )


def _with_others(found: BenchmarkRecord, before: BenchmarkRecord) -> BenchmarkRecord:
    """Return the record with the cells of earlier runs that had the same settings and are not in this one."""
    made_as = (deciding_settings(before.settings), before.student, before.test_set)
    same = made_as == (deciding_settings(found.settings), found.student, found.test_set)
    models = {cell.model for cell in found.cells}
    kept = tuple(cell for cell in before.cells if same and cell.model not in models)
    cells = sorted((*found.cells, *kept), key=lambda cell: (cell.seed, cell.fair, cell.scenario, cell.arm != "tft"))
    kinds = {one.kind for one in found.baselines}
    beside = (*found.baselines, *(one for one in before.baselines if same and one.kind not in kinds))
    return replace(found, cells=tuple(cells), baselines=beside, seeds=max(found.seeds, before.seeds if kept else 0))


def _baselines(plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome]) -> Iterator[BaselineRecord]:
    for kind in BASELINE_KINDS:
        if step := plan.baselines.steps.get(kind):
            outcome = outcomes[step.key]
            done = outcome.status in ("done", "reused")
            problem = None if done else without_log(outcome.problem or "") or "what it needs failed"
            yield BaselineRecord(kind=kind, model=step.makes, status="done" if done else "failed", problem=problem)
        elif why := plan.baselines.left_out.get(kind):
            yield BaselineRecord(kind=kind, model=None, status="left out", problem=why)


def _cell(
    dataset: ResultsDataset | None, plan: BenchmarkPlan, cell: Cell, outcomes: Mapping[str, StepOutcome]
) -> CellRecord:
    chain, failed = plan.of_cell[cell], failure_of(plan, cell, outcomes)
    model = plan.setup.model(cell)
    config = config_name(model)
    artifacts = {
        step.stage: str(artifact)
        for step in chain
        if step.stage != "evaluate" and (artifact := outcomes[step.key].artifact)
    }
    lineage = dataset.lineages(config).get(config) if dataset and failed is None else None
    return CellRecord(
        scenario=plan.setup.group(cell),
        arm=cell.arm,
        fair=cell.fair,
        seed=cell.seed,
        model=model,
        status="failed" if failed else "done",
        stage=failed.stage if failed else None,
        problem=without_log(outcomes[failed.key].problem or "") if failed else None,
        artifacts=artifacts,
        result=lineage.fingerprint if lineage else None,
    )
