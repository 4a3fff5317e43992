"""`tft results`: measured results as files of a repository, and the page that shows them."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import _options
from harness.terminal import echo, progress, say

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(
    cls=_options.CommandGroup,
    epilog="\b\nExamples:\n  tft results record docs/measurements/pretrained\n"
    "  tft results page docs/measurements/pretrained --out docs --readme README.md",
)
def command() -> None:
    """Keep what the benchmark measured in files, cell by cell, and render the page that shows all of it."""


@command.command(epilog="\b\nExamples:\n  tft results record docs/measurements/pretrained --hub http://127.0.0.1:7860")
@click.argument("folder", type=_FOLDER)
@click.option(
    "--student", metavar="NAME", help="Only cells with this student. Default: that of the last benchmark run."
)
@_options.hub
@_options.namespace
def record(*, folder: Path, student: str | None, hub: str | None, namespace: str | None) -> None:
    """Write what a Hub's results dataset holds into FOLDER: a file per model, with the scores of every turn.

    No text of a conversation, prompt or answer is in the files: they may be committed. Cells of earlier records stay;
    cells that were measured with another test set, other metrics, settings or arithmetic than those are refused.
    """
    from harness.benchmark.measurements.hold import hold
    from harness.hub.connect import connected

    with connected(hub) as client, progress("reading results"):
        held = hold(client, client.namespace(namespace), folder, student)
    for path in held.files:
        echo(str(path))
    for problem in held.left_out:
        say(f"not recorded: {problem}")


@command.command(epilog="\b\nExamples:\n  tft results page docs/measurements/pretrained --out docs --readme README.md")
@click.argument("folder", type=_FOLDER)
@click.option("--out", type=_FOLDER, default=Path("report"), show_default=True, help="Folder for results.md and plots.")
@click.option(
    "--readme", type=click.Path(path_type=Path, dir_okay=False), help="Also the marked block of this Markdown file."
)
def page(*, folder: Path, out: Path, readme: Path | None) -> None:
    """Render the measurements in FOLDER: tables, plot, and what agrees with the published results. Needs no Hub."""
    from harness.benchmark.measurements.page import PAGE, write_page

    with progress("rendering results"):
        made = write_page(folder, out, readme)
    echo(str(out / PAGE))
    for plot in made.plots:
        echo(str(plot.path))
