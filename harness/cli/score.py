"""`tft score`: metric columns for rows in the published layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from harness.cli import _options
from harness.errors import DataError
from harness.terminal import bar, echo, say


@click.command(
    epilog="""Example:

\b
  tft score predictions/tuned.jsonl --out scored.jsonl
  tft score predictions.jsonl --out scored.jsonl --tools job_description.json --json
"""
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Where to write the rows.")
@click.option(
    "--tools",
    "tools_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="JSON with the tool schemas (a list, or an object with `tools`): their defaults count as omitted arguments.",
)
@_options.as_json
def command(file: Path, out: Path, tools_file: Path | None, as_json: bool) -> None:
    """Score each row {question, answer, prediction, ...} of FILE and write it to OUT with one column a metric.

    Rows keep their order and their other columns; metric columns that FILE has already are overwritten. A
    prediction that is null stays unscored (null), and no mean counts it.
    """
    from harness.data.formats.jsonl import write_jsonl

    tools = _read_tools(tools_file) if tools_file else None
    columns: dict[str, list[float | None]] = {}
    write_jsonl(out, _collect(_rows(file, tools), columns))
    _report(_summary(columns), out, as_json)


def _rows(file: Path, tools: list[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    from harness.data.formats.jsonl import read_jsonl
    from harness.evaluation.metrics import scored_rows

    with bar() as progress:
        task = progress.add_task("scoring", total=None)
        for row in scored_rows(read_jsonl(file), file, tools):
            yield row
            progress.advance(task)


def _collect(rows: Iterable[dict[str, Any]], columns: dict[str, list[float | None]]) -> Iterator[dict[str, Any]]:
    from harness.evaluation.metrics import metric_names

    columns.update({metric: [] for metric in metric_names()})
    for row in rows:
        for metric, values in columns.items():
            values.append(row[metric])
        yield row


def _read_tools(path: Path) -> list[dict[str, Any]]:
    import json

    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); expected a list of tool schemas") from error
    tools = value.get("tools") if isinstance(value, dict) else value
    tools = tools if isinstance(tools, list) else []
    functions = [tool.get("function", tool) if isinstance(tool, dict) else None for tool in tools]
    if not functions or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in functions):
        raise DataError(
            f'{path} holds no tool schemas; expected a list of {{"name", "parameters"}}, or {{"tools": [...]}}'
        )
    return tools


def _summary(columns: dict[str, list[float | None]]) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for metric, values in columns.items():
        scored = [value for value in values if value is not None]
        mean = sum(scored) / len(scored) if scored else None
        out[metric] = {"mean": mean, "n": len(scored), "unscored": len(values) - len(scored)}
    return out


def _report(summary: dict[str, dict[str, Any]], out: Path, as_json: bool) -> None:
    import json

    from harness.statistics.formatting import cell

    if as_json:
        echo(json.dumps({"metrics": summary, "out": str(out)}, ensure_ascii=False))
        return
    width = max(map(len, summary))
    echo(f"{'metric':<{width}}  {'mean':>6}  {'n':>6}  {'unscored':>8}")
    for metric, row in summary.items():
        mean = cell(row["mean"], digits=4)
        echo(f"{metric:<{width}}  {mean:>6}  {row['n']:>6}  {row['unscored']:>8}")
    say(f"written to {out}")
