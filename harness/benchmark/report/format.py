"""Figures as the report writes them: scores, intervals, points, p values. Plain text, the same in every file."""

from __future__ import annotations

from harness.benchmark.report.records import CellResult, Row, Run
from harness.data.published_facts import POINTS
from harness.evaluation.metrics import JUDGE_METRIC
from harness.statistics.records import Estimate

NOTHING = "–"
TIE = "≈"


def score(value: float | None) -> str:
    """Return a score from 0 to 1 with three decimals."""
    return NOTHING if value is None else f"{value:.3f}"


def span(one: Estimate | None) -> str:
    """Return the interval of a score; nothing where there is none."""
    return "" if one is None or one.low is None or one.high is None else f"[{one.low:.3f}, {one.high:.3f}]"


def points(difference: float | None) -> str:
    """Return a difference of scores in points, signed. Negative ones have a minus sign, not a hyphen."""
    return NOTHING if difference is None else _minus(f"{_rounded(POINTS * difference):+.1f}")


def points_span(one: Estimate | None) -> str:
    """Return the interval of a difference in points; nothing where there is none."""
    if one is None or one.low is None or one.high is None:
        return ""
    return f"[{points(one.low)}, {points(one.high)}]"


def published_points(value: float | None) -> str:
    """Return a difference that is in points already."""
    return NOTHING if value is None else _minus(f"{_rounded(value):+.1f}")


def p_value(p: float | None) -> str:
    """Return a p value; below 0.001 it is only said to be so."""
    return NOTHING if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def spread(value: float | None) -> str:
    """Return a standard deviation of scores in points, unsigned."""
    return NOTHING if value is None else f"{POINTS * value:.1f}"


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
    """Return in words what became of a run."""
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


def _rounded(value: float) -> float:
    return round(value, 1) + 0.0  # no negative zero


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
