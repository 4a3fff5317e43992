"""From the results dataset of a Hub to the files of a folder: what the cells of a student measured, without texts."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.benchmark.cells import BASELINE_KINDS
from harness.benchmark.measurements.read import OWNER, read_folder
from harness.benchmark.measurements.record import (
    FORMAT,
    Measurement,
    hide_texts,
    null_baselines_sha256,
    test_set_facts,
    without_texts,
    write_measurement,
)
from harness.benchmark.measurements.same import check_same
from harness.benchmark.record import BenchmarkRecord
from harness.benchmark.report.assign import assign_results, student_name
from harness.benchmark.report.baseline_results import find_beside
from harness.benchmark.report.losses import read_log
from harness.benchmark.report.results import Result, read_results
from harness.data.cell_names import CellName
from harness.data.tasks import REPOSITORY as TEST_SET
from harness.errors import DataError, RepoNotFound
from harness.evaluation.records import EvalReport
from harness.evaluation.results import ResultsDataset
from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import LineageRecord, read_lineage
from harness.models.engine.build import is_cpu_build
from harness.training.run_summary import load_facts

_TO_ITS_END = "let `tft benchmark` run to its end with it (what is done is reused)"
_FLAGS = ("avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was written, and what was not."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...]
    """In sentences."""


def hold(hub: Hub, namespace: str, folder: Path, student: str | None = None) -> Held:
    """Write a file into `folder` for each cell of the benchmark's student that has a result, and for the untrained one.

    Files of the same models are replaced, others stay. DataError where what is there and what comes must not stand in
    one table, before anything is written.
    """
    results = read_results(hub, namespace)
    assigned = assign_results(results, namespace, student)
    if results.record is None or student_name(results.record.student) != assigned.student:
        raise DataError(
            f"{results.artifact} has no record of a run with {assigned.student}, which says with which settings the "
            f"cells were made; {_TO_ITS_END}"
        )
    beside = [one for one in find_beside(results, assigned) if one.model.kind == "untrained"]
    left_out = [
        f"{key[0]} {key[1]}{' fair' if key[2] else ''} seed {run.seed}: {run.problem or run.status}"
        for key, runs in assigned.runs.items()
        for run in runs
        if run.status != "done"
    ]
    left_out += [f"{BASELINE_KINDS[one.model.kind]}: {one.model.problem}" for one in beside if one.result is None]
    own = [one for one in assigned.results.values() if not CellName.parse(one.repository or "")]
    left_out += [f"{one.repository}: it is of a job, and no cell of the benchmark" for one in own]
    recorded = {cell.model for cell in results.record.cells}
    unknown = [one for one in assigned.results.values() if one not in own and one.repository not in recorded]
    left_out += [
        f"{one.repository}: the recorded run is without it, so that its settings are not known; {_TO_ITS_END}"
        for one in unknown
    ]
    found = [one for one in assigned.results.values() if one.repository in recorded and one not in own]
    found += [one.result for one in beside if one.result]
    dataset = ResultsDataset(hub, results.artifact)
    made = [_measure(hub, dataset, one, results.record) for one in found]
    new = {one.model for one in made}
    check_same([*(one for one in read_folder(folder) if one.model not in new), *made])
    return Held(files=tuple(write_measurement(folder, one) for one in made), left_out=tuple(left_out))


def _measure(hub: Hub, dataset: ResultsDataset, result: Result, record: BenchmarkRecord) -> Measurement:
    report = result.report
    artifact = report.run.model_artifact
    if artifact is None:
        raise DataError(f"{result.config} is a result of a model that is on no Hub; only students are recorded")
    lineage = dataset.lineages(result.config).get(result.config)
    made = _lineage(hub, artifact)
    facts = load_facts(made.lineage) if made else None
    log = read_log(hub, artifact) if facts else None
    rows = without_texts(result.rows, [*report.rows["model"]])
    return Measurement(
        format=FORMAT,
        model=artifact.repo_id.rpartition("/")[2],
        preset=record.preset,
        settings=record.settings,
        student=_origin(hub, facts.student if facts else record.student),
        test_set=test_set_facts(result.rows),
        stage_version=lineage.lineage.version if lineage else 0,
        baselines_sha256=null_baselines_sha256(rows),
        hardware=hardware(),
        report=_without_hub(report, test_set_facts(result.rows).sha256),
        training=hide_texts({**facts.dump(), "loss_plot": ""}) if facts else None,
        losses=tuple(log or ()),
        rows=tuple(rows),
    )


def _origin(hub: Hub, student: str) -> str:
    """Return what a student was made from, which is the same on every Hub where a stage has made it."""
    artifact = parse_input(student, "model")
    made = _lineage(hub, artifact) if isinstance(artifact, Artifact) else None
    return f"{made.lineage.stage} {made.fingerprint}" if made else student


def _lineage(hub: Hub, artifact: Artifact) -> LineageRecord | None:
    try:
        return read_lineage(hub, artifact)
    except RepoNotFound:
        return None


def _without_hub(report: EvalReport, test_set: str) -> EvalReport:
    """Return a report that names content where it named commits of one Hub, and holds no long texts.

    Why a judge's votes are missing is left out, too: its reasons may quote an answer.
    """
    name = report.run.model_name
    run = replace(
        report.run,
        model=f"vllm:{OWNER}/{str(name.repository).rpartition('/')[2]}",
        dataset=f"{OWNER}/{TEST_SET}",
        dataset_revision=test_set[:40],
        config=hide_texts(report.run.config),
    )
    judging = report.judging
    if judging:
        judging = replace(judging, members=tuple(replace(one, problem=None) for one in judging.members))
    return replace(report, run=run, judging=judging, plots={})


def hardware() -> str:
    """Return the device that models run on: a GPU, or the processor with its cores and the instructions that count."""
    if not is_cpu_build() and (gpu := _gpu()):
        return gpu
    known: dict[str, Any] = dict(_cpu_facts())
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    flags = [flag for flag in _FLAGS if flag in str(known.get("flags", "")).split()]
    name = known.get("model name") or platform.processor() or platform.machine()
    return f"{cores} cores of {name}, {', '.join(flags) or 'without AVX-512'}"


def _gpu() -> str | None:
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else None


def _cpu_facts() -> Iterator[tuple[str, str]]:
    path = Path("/proc/cpuinfo")
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        key, colon, value = line.partition(":")
        if not line:
            return  # the first processor stands for all
        if colon:
            yield key.strip(), value.strip()
