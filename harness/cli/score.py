"""`tft score`: metric columns for rows in the published layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.terminal import echo, progress, say

if TYPE_CHECKING:
    from harness.evaluation.metrics import RowScorer


@click.command(
    epilog="""\b
Examples:
  tft score predictions/tuned.jsonl --out scored.jsonl
  tft score predictions.jsonl --out scored.jsonl --tools job_description.json --json
  tft score answers.jsonl --out scored.jsonl --tools job_description.json --reading lenient
"""
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where to write the rows.")
@click.option(
    "--tools",
    "tools_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="JSON with the tool schemas (a list, or an object with `tools`): their defaults count as omitted arguments, "
    "and they say what type an argument has where a notation writes bare text.",
)
@click.option(
    "--reading",
    type=click.Choice(["published", "lenient"]),
    default="published",
    show_default=True,
    help="How the call in a prediction is found: in the two published notations, or in any, as `tft evaluate` does.",
)
@click.option(
    "--parallel-tool-calls",
    "parallel",
    is_flag=True,
    help="Turns may have several calls: a column more, tool_call_set, compares all calls of a turn, in any order.",
)
@_options.as_json
def command(file: Path, out: Path, *, tools_file: Path | None, reading: str, parallel: bool, as_json: bool) -> None:
    """Score each row {question, answer, prediction, ...} of FILE and write it to OUT with one column per metric.

    Rows keep their order and their other columns; metric columns that FILE has already are overwritten. A
    prediction that is null stays unscored (null), and no mean counts it. An answer of several calls is unscored too,
    except by the metric that --parallel-tool-calls adds.
    """
    from harness.data.formats.jsonl import write_jsonl
    from harness.data.formats.task import read_tools
    from harness.evaluation.metrics import RowScorer

    tools = read_tools(tools_file) if tools_file else ()
    scorer = RowScorer(path=file, tools=tools, reading=reading, parallel=parallel)
    columns: dict[str, list[float | None]] = {}
    write_jsonl(out, _collect(_rows(scorer), columns, parallel=parallel))
    _report(_summary(columns), scorer, out, as_json)


def _rows(scorer: RowScorer) -> Iterator[dict[str, Any]]:
    from harness.data.formats.jsonl import read_jsonl

    with progress("scoring") as advance:
        for row in scorer.scored(read_jsonl(scorer.path)):
            yield row
            advance()


def _collect(
    rows: Iterable[dict[str, Any]], columns: dict[str, list[float | None]], *, parallel: bool
) -> Iterator[dict[str, Any]]:
    from harness.evaluation.metrics import metric_names

    columns.update({metric: [] for metric in metric_names(parallel=parallel)})
    for row in rows:
        for metric, values in columns.items():
            values.append(row[metric])
        yield row


def _summary(columns: dict[str, list[float | None]]) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for metric, values in columns.items():
        scored = [value for value in values if value is not None]
        mean = sum(scored) / len(scored) if scored else None
        out[metric] = {"mean": mean, "n": len(scored), "unscored": len(values) - len(scored)}
    return out


def _report(summary: dict[str, dict[str, Any]], scorer: RowScorer, out: Path, as_json: bool) -> None:
    import json

    from harness.statistics.formatting import cell

    if as_json:
        made = {"reading": scorer.reading, "readings_differ": scorer.differ, "out": str(out)}
        made |= {"rows_with_several_calls": scorer.several} if scorer.several else {}
        echo(json.dumps({"metrics": summary, **made}, ensure_ascii=False))
        return
    width = max(map(len, summary))
    echo(f"{'metric':<{width}}  {'mean':>6}  {'n':>6}  {'unscored':>8}")
    for metric, row in summary.items():
        mean = cell(row["mean"], digits=4)
        echo(f"{metric:<{width}}  {mean:>6}  {row['n']:>6}  {row['unscored']:>8}")
    if scorer.several:
        say(_several(scorer))
    if scorer.differ:
        say(_difference(scorer))
    say(f"written to {out}")


def _several(scorer: RowScorer) -> str:
    what = "1 row has an answer" if scorer.several == 1 else f"{scorer.several} rows have answers"
    scored = "tool_call_set alone scores" if scorer.parallel else "--parallel-tool-calls adds a metric for"
    return f"{what} of several calls, which {scored}"


def _difference(scorer: RowScorer) -> str:
    rows = "1 row" if scorer.differ == 1 else f"{scorer.differ} rows"
    if scorer.reading == "lenient":
        return f"on {rows} the lenient reading, scored here, finds another call than the published one"
    return (
        f"on {rows} the published reading, scored here, finds another call than the lenient one of `tft evaluate`, or "
        "none where that finds one; --reading lenient scores that"
    )
