"""Evaluation reports as JSON, and as the Hub's `.eval_results/*.yaml`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.data.formats.strict_records import load_record
from harness.errors import DataError
from harness.evaluation.records import EvalReport
from harness.hub.foreign_json import load_json
from harness.models.engine.arithmetic import USUAL
from harness.statistics.formatting import bounds
from harness.statistics.records import Estimate

_DIGITS = 4
"""Decimals in `.eval_results`."""


def dump_report(report: EvalReport) -> dict[str, Any]:
    """Return the report as plain JSON values; `load_report` is the inverse."""
    return dataclasses.asdict(report)


def load_report(value: Mapping[str, Any]) -> EvalReport:
    """Return the report that `dump_report` wrote; ValueError names the first missing, unknown or mistyped key."""
    report: EvalReport = load_record(EvalReport, value, "report")
    return report


def read_report(path: Path) -> EvalReport:
    """Return the report in a JSON file; DataError says what is wrong with the file."""
    try:
        return load_report(load_json(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"cannot read the report {path}: {error.strerror}; `tft evaluate` writes one") from error
    except ValueError as error:
        raise DataError(
            f"{path} is not a report of this harness ({error}); write it again with `tft evaluate`"
        ) from error


def eval_results_yaml(report: EvalReport, dataset_repo: str, *, source_url: str) -> str:
    """Return the text of `.eval_results/<benchmark>.yaml` for a model repository: one entry per metric.

    `dataset_repo` is the benchmark dataset (its commit is the report's), `source_url` the page of the
    results dataset. Each metric is the task of its name in the dataset's `eval.yaml`. Metrics without a value are left
    out; others are rounded, since the Hub shows what it finds as far as there is room. The format is the Hub's
    (docs/hub/eval-results).
    """
    import yaml

    entries = [
        {
            "dataset": {"id": dataset_repo, "task_id": metric, "revision": report.run.dataset_revision},
            "value": round(estimate.value, _DIGITS),
            "date": _date(report.run.date),
            "source": {"url": source_url, "name": "tft-harness results"},
            "notes": _notes(report, metric, estimate),
        }
        for metric, estimate in report.rows["model"].items()
        if estimate.value is not None
    ]
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=10_000)


def _date(date: str) -> str:
    """Return a time in UTC with a Z, which is how the Hub's own entries write it, and which every reader takes."""
    moment = datetime.fromisoformat(date)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _notes(report: EvalReport, metric: str, estimate: Estimate) -> str:
    """Return the interval and what the mean is over, in words."""
    interval = "no interval"
    if estimate.low is not None and estimate.high is not None:
        interval = f"95 % interval {bounds(estimate.low, estimate.high)}, clustered by conversation"
    parts = [
        f"{interval}; {estimate.n} pairs from {estimate.clusters} conversations",
        f"{estimate.errors} errors, {estimate.unscored} unscored",
    ]
    if "judge" in metric:
        parts.append(f"judged by {report.run.judge or 'a judge that the run does not name'}")
    if (arithmetic := report.run.arithmetic) not in (None, *USUAL):
        parts.append(f"answered in {arithmetic}, not in the default arithmetic")
    return "; ".join(parts)
