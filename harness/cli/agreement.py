"""`tft agreement`: how far a judge's verdicts agree with labels, and the score that the labels correct."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options
from harness.terminal import echo, plain, show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from harness.evaluation.predictions import PredictedRow
    from harness.statistics.records import Calibration, Estimate


@click.command(
    epilog="""\b
Examples:
  tft agreement judged.jsonl --label human
  tft agreement judged.jsonl --label llm-as-a-judge --column rules
  tft agreement judged.jsonl --label human --json

\b
Labels and verdicts are good or bad, 1 or 0, true or false; null is an unlabelled or an unscored row.
"""
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--label", required=True, metavar="COLUMN", help="Column with the labels, taken as the truth.")
@click.option(
    "--column", default="llm-as-a-judge", show_default=True, metavar="COLUMN", help="Column with the judge's verdicts."
)
@_options.tools
@_options.as_json
def command(file: Path, label: str, column: str, tools_file: Path | None, as_json: bool) -> None:
    """Compare the verdicts in FILE with the labels in one of its columns.

    FILE holds predictions in the published layout or that of our results, judged by `tft judge`. What is looked for
    is bad: sensitivity is the share of the bad rows that the judge finds. Intervals are 95 %, clustered by
    conversation. Where only some rows are labelled, the mean verdict of all rows is shown beside the score that the
    labels correct (prediction-powered inference), which holds if the labelled rows were chosen at random.
    """
    import json
    from dataclasses import asdict

    from harness.data.formats.task import read_tools
    from harness.evaluation.predictions import parse_label, read_predictions
    from harness.statistics.agreement import calibrate
    from harness.statistics.estimates import estimate

    rows = read_predictions(file, read_tools(tools_file) if tools_file else ())
    _check_columns(file, rows, label, column)
    verdicts = [parse_label(file, row, column) for row in rows]
    conversations = [row.conversation for row in rows]
    found = calibrate(
        verdicts,
        [parse_label(file, row, label) for row in rows],
        [row.reference.name for row in rows],
        [row.call is not None and row.call.name == row.reference.name for row in rows],
        conversations,
    )
    _check_overlap(file, found, label, column)
    naive = estimate(verdicts, conversations)
    if as_json:
        echo(json.dumps({"label": label, "column": column, "naive": asdict(naive), **asdict(found)}))
        return
    show(_parts(found, naive, label, column))


def _check_columns(file: Path, rows: list[PredictedRow], label: str, column: str) -> None:
    from harness.errors import DataError, UsageError

    if label == column:
        raise UsageError(f"--label and --column are both {label!r}; name the labels and the verdicts of a judge")
    known = dict.fromkeys(name for row in rows for name in row.row)
    for option, name in (("--label", label), ("--column", column)):
        if name not in known:
            advice = "; `tft judge` adds it" if option == "--column" else ""
            raise DataError(f"{file} has no column {name!r} for {option}{advice}; its columns are {', '.join(known)}")


def _check_overlap(file: Path, found: Calibration, label: str, column: str) -> None:
    from harness.errors import DataError

    if not found.n:
        unscored = f" ({found.unscored} rows have a label and no verdict)" if found.unscored else ""
        raise DataError(f"{file}: no row has both a label in {label!r} and a verdict in {column!r}{unscored}")


def _parts(found: Calibration, naive: Estimate, label: str, column: str) -> Iterable[RenderableType]:

    yield (
        f"[bold]{plain(column)}[/bold] against [bold]{plain(label)}[/bold]: {found.n} rows from {found.clusters} "
        f"conversations; {found.unscored} more are labelled but unscored."
    )
    yield _confusion(found)
    yield _measures(found)
    yield (
        "Positive is bad. Intervals are 95 %, clustered by conversation. Comparing names calls a row bad where the "
        "prediction calls another tool than the reference, or none: a judge has to do better than that."
    )
    yield _by_tool(found)
    if found.corrected:
        yield _scores(found.corrected, naive)
        yield "The corrected score holds if the labelled rows were chosen at random."


def _confusion(found: Calibration) -> Table:
    from harness.reports.evaluation_tables import table

    confusion = table("", "label bad", "label good")
    confusion.add_row("judge bad", str(found.true_bad), str(found.false_bad))
    confusion.add_row("judge good", str(found.false_good), str(found.true_good))
    return confusion


def _measures(found: Calibration) -> Table:
    from harness.reports.evaluation_tables import table
    from harness.statistics.formatting import cell

    measures = table("measure", "value", "95 % interval", "of rows")
    for name, one in (
        ("agreement", found.agreement),
        ("Cohen's kappa", found.kappa),
        ("sensitivity: bad found", found.sensitivity),
        ("specificity: good kept", found.specificity),
        ("bad found, names equal", found.same_name_recall),
        ("false bad, names equal", found.same_name_false_bad),
    ):
        measures.add_row(name, cell(one.value), _interval(one), str(one.n))
    measures.add_row("kappa of comparing names", cell(found.names_only_kappa), "", str(found.n))
    measures.add_row("base rate: labels that are bad", cell(found.base_rate), "", str(found.n))
    return measures


def _by_tool(found: Calibration) -> Table:
    from harness.reports.evaluation_tables import table
    from harness.statistics.formatting import cell

    tools = table("by tool", "rows", "bad", "agreement", "kappa", "bad found")
    for tool, one in found.by_tool.items():
        measures = (cell(one.get(name)) for name in ("agreement", "kappa", "recall"))
        tools.add_row(plain(tool), cell(one["n"], digits=0), cell(one["bad"], digits=0), *measures)
    return tools


def _scores(corrected: Estimate, naive: Estimate) -> Table:
    from harness.reports.evaluation_tables import table
    from harness.statistics.formatting import cell

    scores = table("mean score", "value", "95 % interval", "of rows")
    for name, one in (("verdicts alone", naive), ("corrected by the labels", corrected)):
        scores.add_row(name, cell(one.value), _interval(one), str(one.n))
    return scores


def _interval(one: Estimate) -> str:
    from harness.statistics.formatting import bounds

    return "-" if one.low is None or one.high is None else bounds(one.low, one.high)
