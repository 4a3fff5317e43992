"""The results dataset at one commit: reports, rows, lineage, and the record of the benchmark's run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.benchmark.record import FILE, BenchmarkRecord
from harness.benchmark.record import load as load_record
from harness.data.formats.jsonl import read_jsonl
from harness.errors import DataError, RepoNotFound
from harness.evaluation.records import EvalReport
from harness.evaluation.report_json import RESULTS, read_report
from harness.evaluation.results import Rows
from harness.hub.artifact import Artifact
from harness.hub.client import Hub

_TEXTS = ("pair_id", "conversation", "reference")
"""What every row has."""
_PATTERNS = ("reports/*.json", "data/*/test.jsonl", "lineage/*.json", FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One evaluation, as the dataset holds it."""

    config: str
    report: EvalReport
    rows: Rows
    """Empty where the file of rows is missing."""
    fingerprint: str | None
    """None where no lineage lies beside it."""

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


def read_results(hub: Hub, namespace: str) -> EvaluationResults:
    """Return what `<namespace>/tft-benchmark-results` holds now.

    RepoNotFound where it is missing, DataError where it holds neither a report nor the record of a run, or where one
    of its files cannot be read.
    """
    repo_id = f"{namespace}/{RESULTS}"
    advice = "run `tft benchmark` or `tft evaluate MODEL` first, or name the owner of the results with --namespace"
    try:
        artifact = hub.resolve("dataset", repo_id)
    except RepoNotFound as error:
        raise RepoNotFound(f"{error}; there are no results to report: {advice}") from error
    results = read_folder(artifact, hub.pull(artifact, _PATTERNS))
    if not results.by_config and results.record is None:
        raise DataError(f"dataset {artifact} holds no results, expected reports/<configuration>.json; {advice}")
    return results


def read_folder(artifact: Artifact, folder: Path) -> EvaluationResults:
    """Return what a copy of the artifact in `folder` holds; DataError for a file that cannot be read."""
    file = folder / FILE
    return EvaluationResults(
        artifact=artifact,
        by_config={
            path.stem: _result(folder, path.stem, read_report(path))
            for path in sorted((folder / "reports").glob("*.json"))
        },
        record=load_record(file.read_text(encoding="utf-8"), str(artifact)) if file.is_file() else None,
    )


def _result(folder: Path, config: str, report: EvalReport) -> Result:
    rows = folder / "data" / config / "test.jsonl"
    lineage = folder / "lineage" / f"{config}.json"
    return Result(
        config=config,
        report=report,
        rows=_rows(rows, config, list(report.rows["model"])) if rows.is_file() else [],
        fingerprint=_fingerprint(lineage) if lineage.is_file() else None,
    )


def _rows(path: Path, config: str, metrics: Sequence[str]) -> Rows:
    """Return the rows of a configuration; DataError for one without its pair, or with a score that is none."""
    found = []
    for number, row in read_jsonl(path):
        missing = [key for key in _TEXTS if not isinstance(row.get(key), str)]
        wrong = [metric for metric in metrics if not _is_score(row.get(metric))]
        if missing or wrong:
            problem = f"no text under {missing[0]!r}" if missing else f"{wrong[0]} is no number from 0 to 1, nor null"
            raise DataError.at(f"data/{config}/test.jsonl", number, f"{problem}; evaluate that model again")
        found.append(row)
    return found


def _is_score(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1)


def _fingerprint(path: Path) -> str | None:
    try:
        lineage: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"lineage/{path.name} of the results cannot be read ({error}); evaluate that model again"
        ) from error
    found = lineage.get("fingerprint") if isinstance(lineage, dict) else None
    return found if isinstance(found, str) else None
