"""The results dataset at one commit: reports, rows, lineage, and the record of the benchmark's run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.benchmark.record import BenchmarkRecord, read_record
from harness.errors import DataError, RepoNotFound
from harness.evaluation.records import EvalReport
from harness.evaluation.results import RESULTS, ResultsDataset, Rows, report_file
from harness.hub.artifact import Artifact
from harness.hub.client import Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One evaluation, as the dataset holds it."""

    config: str
    report: EvalReport
    rows: Rows
    """Empty where the file of rows is missing."""
    fingerprint: str | None
    """None without a lineage beside it."""

    @property
    def repository(self) -> str | None:
        """The model's repository; None for a model behind an endpoint or recorded answers."""
        return self.report.run.model_name.repository


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResults:
    """All evaluations at one commit, by configuration."""

    artifact: Artifact
    by_config: Mapping[str, Result]
    record: BenchmarkRecord | None
    """None where no run of the whole benchmark has ended yet."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """Configuration -> why its rows or its lineage cannot be read, where that was asked for."""


def read_results(hub: Hub, namespace: str) -> EvaluationResults:
    """Return what `<namespace>/tft-benchmark-results` holds now.

    RepoNotFound where it is missing, DataError where it holds neither a report nor the record of a run, or where one
    of its files cannot be read.
    """
    advice = "run `tft benchmark` or `tft evaluate MODEL` first, or name the owner of the results with --namespace"
    try:
        dataset = ResultsDataset.at(hub, f"{namespace}/{RESULTS}")
    except RepoNotFound as error:
        raise RepoNotFound(f"{error}; there are no results to report: {advice}") from error
    results = read_dataset(dataset)
    if not results.by_config and results.record is None:
        raise DataError(
            f"dataset {dataset.artifact} holds no results, expected {report_file('<configuration>')}; {advice}"
        )
    return results


def read_dataset(dataset: ResultsDataset, *, tolerant: bool = False) -> EvaluationResults:
    """Return what the dataset holds; DataError for a file that cannot be read.

    A `tolerant` reading lists rows and lineages that cannot be read as damaged.
    """
    damaged: dict[str, str] = {}
    note = damaged.__setitem__ if tolerant else None
    rows, lineages = dataset.rows(unreadable=note), dataset.lineages(unreadable=note)
    return EvaluationResults(
        artifact=dataset.artifact,
        by_config={
            config: Result(
                config=config,
                report=report,
                rows=rows.get(config, []),
                fingerprint=lineages[config].fingerprint if config in lineages else None,
            )
            for config, report in dataset.reports().items()
        },
        record=read_record(dataset),
        damaged=damaged,
    )
