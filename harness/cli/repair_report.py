"""`tft repair-report`: how well traces were repaired, measured against the clean ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options
from harness.errors import UsageError
from harness.terminal import progress, say, write

if TYPE_CHECKING:
    from harness.curation.repair.measure import RepairTarget
    from harness.curation.repair.scores import RepairReport
    from harness.data.scenarios import Arm

_file = click.Path(path_type=Path, dir_okay=False)
_there = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(
    epilog="\b\nExamples:\n  tft repair-report me/tft-benchmark-s2-relabelled --scenario 2\n"
    "  tft repair-report relabelled/ --clean flights/scenarios/noisy-labels/clean.jsonl --plot repair.png\n"
    "  tft repair-report repaired.jsonl --raw traces.jsonl --clean clean.jsonl --json"
)
@click.argument("source", metavar="INPUT")
@click.option("--clean", type=_there, help="The clean traces: the clean.jsonl that `tft task from-sgd` writes.")
@click.option("--scenario", "number", type=int, metavar="N", help="The truth is that of published scenario N.")
@click.option("--arm", type=click.Choice(["tft", "direct"]), help="Which arm of the scenario. Default: tft.")
@click.option(
    "--raw", type=_there, help="The traces before the repair, where INPUT is neither relabelled nor filtered."
)
@click.option("--task", type=_there, help="The task's definition. Default: the job_description.json beside --clean.")
@click.option("--plot", type=_file, metavar="FILE", help="Draw the report to this PNG file.")
@click.option("--markdown", type=_file, metavar="FILE", help="Write the report as a section of a card.")
@_options.sources
@_options.hub
@_options.as_json
def command(
    *,
    source: str,
    clean: Path | None,
    number: int | None,
    arm: Arm | None,
    raw: Path | None,
    task: Path | None,
    plot: Path | None,
    markdown: Path | None,
    sources: Path | None,
    hub: str | None,
    as_json: bool,
) -> None:
    """Measure how well INPUT was repaired: precision and recall of detection and repair, by kind of damage.

    INPUT is a dataset REPO[@revision], the folder of a stage, or a file. Rows of `tft relabel` are measured turn by
    turn, rows of `tft filter` by what was kept; any other traces are compared with --raw, and without it measured as
    they came. All intervals are clustered by conversation.
    """
    if (clean is None) == (number is None):
        raise UsageError("say what the truth is: either --clean FILE, or --scenario N for a published scenario")
    if number is None and arm:
        raise UsageError("--arm chooses an arm of --scenario; leave it out with --clean")
    if plot is not None and plot.suffix != ".png":
        raise UsageError(f"--plot {plot} is not a .png file; plots are PNG")

    with progress("comparing with the clean traces"):
        against = _against(source, clean, (number, arm or "tft"), task, sources)
        report = _measure(source, against, raw, hub)
    _write(report, plot, markdown)
    if as_json:
        import json
        from dataclasses import asdict

        write(json.dumps(asdict(report), indent=2))
        return
    from harness.reports.repair_tables import print_repair

    print_repair(report)


def _against(
    source: str, clean: Path | None, scenario: tuple[int | None, Arm], task: Path | None, sources: Path | None
) -> RepairTarget:
    from harness.curation.repair.ground_truth import published_truth, read_truth
    from harness.curation.repair.measure import RepairTarget
    from harness.data.formats.task import read_task
    from harness.data.sources import locate
    from harness.data.tools import Toolbox

    number, arm = scenario
    if number is None and clean is not None:
        truths, name, beside = read_truth(clean), str(clean), clean.parent / "job_description.json"
    else:
        located = locate(sources)
        truths, name = published_truth(located, number or 0, arm), f"scenario {number}, arm {arm}"
        beside = located.folder / "tft-benchmark" / "job_description.json"
    chosen = task or (beside if beside.is_file() else None)
    if chosen is None:
        raise UsageError(f"there is no {beside}; name the task's definition with --task job_description.json")
    return RepairTarget(truths=truths, toolbox=Toolbox(read_task(chosen).tools), source=source, truth=name)


def _measure(source: str, against: RepairTarget, raw: Path | None, hub: str | None) -> RepairReport:
    from contextlib import ExitStack

    from harness.curation.repair.measure import measure, readable
    from harness.data.traces.trace_input import read_input
    from harness.hub.connect import connected

    with ExitStack() as stack:
        client = None if Path(source).exists() else stack.enter_context(connected(hub))
        rows = read_input(source, client).rows()
        before = readable(read_input(str(raw), None).rows()) if raw is not None else None
        return measure(rows, against, raw=[row.conversation for row in before] if before is not None else None)


def _write(report: RepairReport, plot: Path | None, markdown: Path | None) -> None:

    if plot is not None:
        from harness.reports.repair_tables import draw

        say(f"wrote {draw(report, plot).path}")
    if markdown is not None:
        from harness.data.formats.jsonl import write_atomic
        from harness.reports.repair_tables import as_markdown

        write_atomic(markdown, [as_markdown(report)])
        say(f"wrote {markdown}")
