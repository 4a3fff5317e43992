"""`tft task`: make job folders of other tasks."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import _options
from harness.terminal import echo, progress


@click.group(cls=_options.CommandGroup, epilog="\b\nExample:\n  tft task from-sgd Flights_1 --out flights")
def command() -> None:
    """Make a job folder: a task with its tools, traces and a test set."""


@command.command(
    "from-sgd",
    epilog="\b\nExamples:\n  tft task from-sgd Flights_1 --out flights\n"
    "  tft task from-sgd Music_2 --out music --foreign Hotels_1",
)
@click.argument("service")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write; made if needed."
)
@click.option(
    "--foreign",
    metavar="SERVICE",
    help="Where messages and conversations of another domain are taken from. Default: the largest other one.",
)
@_options.sources
@_options.as_json
def from_sgd(*, service: str, out: Path, foreign: str | None, sources: Path | None, as_json: bool) -> None:
    """Make a job folder of SERVICE, any service of Schema-Guided Dialogue by its exact name, as `Flights_1`.

    Its intents become the tools, its dialogues the traces, a tenth of them the test set. Below `scenarios/` the same
    traces are damaged by the benchmark's recipes, each scenario a job folder of its own. `clean.jsonl` has the truth,
    for `tft repair-report`.
    """
    import json
    from dataclasses import asdict

    from harness.data.sgd_task import write_job_folder
    from harness.data.sources import locate

    with progress("reading dialogues"):
        summary = write_job_folder(locate(sources), service, out, foreign=foreign)
    if as_json:
        echo(json.dumps(asdict(summary)))
        return
    echo(f"{summary.folder}  {summary.traces} traces, {summary.test} for the test, {len(summary.tools)} tools")
    for slug, counts in summary.scenarios.items():
        folder = Path(summary.folder) / "scenarios" / slug
        foreign_note = f", {counts['foreign']} of {summary.foreign}" if counts["foreign"] else ""
        echo(f"{folder}  {counts['traces']} traces, {counts['changed_calls']} calls changed{foreign_note}")
