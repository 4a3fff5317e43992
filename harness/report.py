"""The tables of an evaluation in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.records import Estimate, EvalReport
from harness.scorecard import HEADLINE

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def print_report(report: EvalReport, width: int | None = None) -> None:
    """Print the report on stdout: scores beside the null and gold rows, by tool, by reading, and what it took."""
    from rich.console import Console

    console = Console(width=width, highlight=False)
    for part in _parts(report):
        console.print(part)


def _parts(report: EvalReport) -> Iterable[RenderableType]:
    run, model = report.run, report.rows["model"]
    first = next(iter(model.values()))
    revision = f" at {run.model_revision[:12]}" if run.model_revision else ""
    yield f"[bold]{_plain(run.model)}[/bold]{revision} on {_plain(run.dataset)} at {run.dataset_revision[:12]}"
    yield _scores(report)
    if (asked := run.config.get("pairs")) != (total := run.config.get("pairs_in_test_set")):
        yield f"[bold]Only the first {asked} of {total} pairs:[/bold] not a result on the whole test set."
    yield (
        f"n = {first.n} pairs from {first.clusters} conversations; {first.errors} errors, {first.unscored} unscored. "
        "Intervals are 95 %, clustered by conversation. null always calls the most frequent tool with empty "
        "arguments; gold is the reference itself."
    )
    yield _by_tool(report)
    yield _readings(report)
    yield _effort(report)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", no_wrap=True)
    return table


def _value(one: Estimate) -> str:
    if one.value is None:
        return "-"
    if one.low is None or one.high is None or one.high == one.low:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} ±{(one.high - one.low) / 2:.3f}"


def _scores(report: EvalReport) -> Table:
    table = _table("metric", "model", "macro", "null", "gold")
    for metric, one in report.rows["model"].items():
        macro = report.macro[metric]
        others = (report.rows[row][metric].value for row in ("null", "gold"))
        cells = ("-" if value is None else f"{value:.3f}" for value in (macro, *others))
        table.add_row(metric, _value(one), *cells)
    return table


def _by_tool(report: EvalReport) -> Table:
    """Metrics down, tools across: names of tools are longer than their scores."""
    tools = next(iter(report.by_tool.values()))
    table = _table("by tool", *(f"{_plain(tool)}\n{one.n} pairs" for tool, one in tools.items()))
    for metric, by_tool in report.by_tool.items():
        table.add_row(metric, *(_value(by_tool[tool]) for tool in tools))
    return table


def _readings(report: EvalReport) -> Table:
    names = list(report.readings)
    labels = (f"{name}\n(headline)" if name == HEADLINE else _plain(name) for name in names)
    table = _table("by reading", *labels)
    for metric in report.rows["model"]:
        table.add_row(metric, *(_value(report.readings[name][metric]) for name in names))
    return table


def _effort(report: EvalReport) -> str:
    tokens = report.tokens
    parts = [f"{int(tokens['prompt']):,} prompt tokens"]
    if "cached_share" in tokens:
        parts[0] += f" ({100 * tokens['cached_share']:.1f} % from the prefix cache)"
    parts.append(f"{int(tokens['completion']):,} answer tokens")
    parts.append("seconds: " + ", ".join(f"{phase} {took:.1f}" for phase, took in report.run.timings.items()))
    return "; ".join(parts)
