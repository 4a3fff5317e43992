"""The main table of the report in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.benchmark.cells import BASELINE_KINDS
from harness.benchmark.report.baseline_results import share_of_turns
from harness.benchmark.report.format import (
    TIE,
    ahead,
    arm_name,
    share_of_runs,
    short,
    state,
)
from harness.benchmark.report.records import BenchmarkReport, CellResult, Row
from harness.evaluation.metrics import JUDGE_METRIC
from harness.reports.evaluation_tables import table
from harness.statistics.formatting import as_points, interval, number, p_value, points, points_span, short_bounds
from harness.terminal import console, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable


def print_summary(summary: BenchmarkReport, width: int | None = None) -> None:
    """Print the main table by the primary metric, what failed, and the verdict, on stdout.

    What was damaged and repaired comes before all that where the students show little, else after it.
    """
    out = console(width=width, markup=False)
    out.print(f"{summary.student} on {summary.test_set or 'no test set'}, from {summary.results.short}")
    if summary.data_first:
        _print_damage(out, summary)
    for sentence in (*([summary.caveat] if summary.caveat else []), *summary.worth.sentences):
        out.print(one_line(sentence))
    for one in (one for one in summary.beside if summary.metric in one.scores):
        score = f"{summary.metric} {interval(one.scores[summary.metric])}"
        turns = f" on {share_of_turns(one)}" if share_of_turns(one) else ""
        out.print(one_line(f"{BASELINE_KINDS[one.kind].capitalize()}: {score}{turns}"))
    out.print(_table(summary))
    n = f"{summary.pairs} turns of {summary.conversations} conversations. " if summary.pairs else ""
    out.print(
        f"{n}Below each figure its 95 % interval, clustered by conversation; the difference is paired, p adjusted for "
        f"all rows (Holm), {TIE}: cannot be told apart. Published figures are not measured here."
    )
    for part in summary.tables:
        for row in part.rows:
            for cell in (one for one in row.cells if part.name == "main" or one.fair):
                for run in (one for one in cell.runs if one.problem):
                    seed = f", seed {run.seed}" if len(summary.seeds) > 1 else ""
                    out.print(one_line(f"{short(row)} {arm_name(cell)}{seed} {state(run)}: {run.problem}"))
    for sentence in (*summary.verdict.sentences, *summary.notes):
        out.print(one_line(sentence))
    if not summary.data_first:
        _print_damage(out, summary)


def _print_damage(out: Console, summary: BenchmarkReport) -> None:
    for sentence in summary.damage:
        out.print(one_line(sentence))


def _table(summary: BenchmarkReport) -> RichTable:
    """Return the table, intervals below their values, so that it fits a terminal of 80 columns."""
    rules = summary.judge is not None and summary.judge.rules
    published = any(row.published.get(summary.metric) for row in summary.main.rows)
    name = (
        f"{summary.metric}\n(rules, no\nlanguage model)" if rules and summary.metric == JUDGE_METRIC else summary.metric
    )
    made = table(name, "TFT", "Direct", "TFT − Direct,\npoints", "p", "ahead", *(["published"] if published else []))
    for row in summary.main.rows:
        cells = [
            row.title,
            _figure(row.tft, summary.metric),
            _figure(row.direct, summary.metric),
            *_compared(row, summary),
        ]
        made.add_row(*cells, *([_published(row, summary.metric)] if published else []))
    return made


def _compared(row: Row, summary: BenchmarkReport) -> tuple[str, str, str]:
    one = row.contrasts.get(summary.metric)
    difference = f"{points(one.difference.value)}\n{points_span(one.difference)}".rstrip() if one else points(None)
    return difference, p_value(one.adjusted if one else None), ahead(row, summary.metric)


def _published(row: Row, metric: str) -> str:
    known = row.published.get(metric, {})
    return f"{number(known.get('tft'))} {number(known.get('direct'))}\n{as_points(known.get('points'))}"


def _figure(cell: CellResult, metric: str) -> str:
    if metric not in cell.scores:
        run = cell.runs[0]
        return f"{run.status}\nat {run.stage}" if run.status == "failed" and run.stage else run.status
    one = cell.scores[metric].overall
    if one.low is None or one.high is None:
        return number(one.value)
    return f"{number(one.value)}\n{short_bounds(one.low, one.high)}\n{share_of_runs(cell)}".rstrip()
