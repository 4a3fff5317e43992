"""The words of the report: pipelines, runs, metrics, who is ahead. Plain text, the same in every file."""

from __future__ import annotations

from harness.benchmark.report.records import CellResult, Row, Run
from harness.evaluation.metrics import JUDGE_METRIC
from harness.statistics.formatting import NOTHING

TIE = "≈"


def ahead(row: Row, metric: str) -> str:
    """Return which pipeline is significantly ahead, the mark of a tie, or a dash where nothing was compared."""
    one = row.contrasts.get(metric)
    if one is None or one.difference.value is None:
        return NOTHING
    return TIE if one.tie else "TFT" if one.difference.value > 0 else "Direct"


def arm_name(cell: CellResult) -> str:
    """Return the name of a pipeline in a table."""
    return ("TFT" if cell.arm == "tft" else "Direct") + (" (fair)" if cell.fair else "")


def state(run: Run) -> str:
    """Return the status of a run in words."""
    stage = f" at {run.stage}" if run.stage and run.status == "failed" else ""
    return f"{run.status}{stage}"


def share_of_runs(cell: CellResult) -> str:
    """Return how many of a cell's runs count, where not all do; nothing where all do."""
    return f"{len(cell.done)} of {len(cell.runs)} seeds" if 0 < len(cell.done) < len(cell.runs) else ""


def short(row: Row) -> str:
    """Return the shortest name of a row: `S2`, or the job's name."""
    return f"S{row.number}" if row.number is not None else row.title


def metric_name(metric: str, *, rules: bool) -> str:
    """Return a metric's name; a judge that is rules is named so wherever its scores stand."""
    return f"{metric} (rules, no language model)" if metric == JUDGE_METRIC and rules else metric


def listed(words: list[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
