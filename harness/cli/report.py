"""`tft report`: the benchmark's results as tables, plots and a page."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import _options
from harness.cli.benchmark import job_name
from harness.terminal import echo, progress, say, write


@click.command(
    epilog="\b\nExamples:\n  tft report\n  tft report --namespace me --out report --sources sources\n"
    "  tft report --student Qwen3-1.7B --json\n  tft report --gate --thresholds mine.yaml\n"
    "  tft report --published --out docs"
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("report"), show_default=True,
    help="Folder for RESULTS.md, results.json, index.html, README.md and plots/.",
)  # fmt: skip
@click.option(
    "--student", metavar="NAME", help="Only cells with this student. Default: that of the last benchmark run."
)
@click.option(
    "--job",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder of a job whose results are reported: with a clean.jsonl there, its repairs are measured.",
)
@click.option("--name", metavar="NAME", help="With --job: its name in the benchmark. Default: the folder's name.")
@_options.thresholds
@click.option(
    "--gate",
    is_flag=True,
    help="Exit with 0 for PROCEED, 1 for STOP, 3 for ITERATE; of several scenarios, with the worst.",
)
@click.option("--published", is_flag=True, help="Draw the published results alone, into OUT/plots. Needs no Hub.")
@_options.sources
@_options.hub
@_options.namespace
@_options.as_json
def command(
    *,
    out: Path,
    student: str | None,
    job: Path | None,
    name: str | None,
    published: bool,
    thresholds: Path | None,
    gate: bool,
    sources: Path | None,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
) -> None:
    """Report the benchmark's results: was training worth it, and TFT against Direct beside the published figures.

    Reads <namespace>/tft-benchmark-results at its newest commit, prints the main table, and writes RESULTS.md,
    results.json (every figure with what it was computed from), a static page with its Space card, and plots. Where
    the students show little, what was damaged and repaired comes first.
    """
    if published:
        _draw_published(out)
        return
    from harness.benchmark.cells import Job
    from harness.benchmark.report.build import make_report
    from harness.benchmark.report.repair_records import TruthPlaces
    from harness.errors import UsageError
    from harness.hub.connect import connected

    if name and not job:
        raise UsageError("--name is the name of a --job; name its folder as well")
    chosen = Job(name=job_name(name or job.resolve().name), folder=str(job)) if job else None
    clean = TruthPlaces(sources=sources, job=chosen)
    with connected(hub) as client, progress("reading results"):
        owner = client.namespace(namespace)
        summary = make_report(client, owner, out, clean=clean, student=student, thresholds=thresholds)
    if as_json:
        write((out / "results.json").read_text(encoding="utf-8"), nl=False)
    else:
        from harness.benchmark.report.terminal import print_summary

        print_summary(summary)
    say(f"wrote {out}/RESULTS.md, results.json, index.html, README.md and {len(summary.pictures)} plots")
    if gate:
        from harness.benchmark.report.training_verdict_words import check_worth

        check_worth(summary.worth)


def _draw_published(out: Path) -> None:
    from harness.benchmark.report.build import PLOTS
    from harness.benchmark.report.plot_scores import draw_published
    from harness.data.published_facts import published_facts
    from harness.evaluation.metrics import JUDGE_METRIC

    picture = draw_published(published_facts(), JUDGE_METRIC, out / PLOTS)
    say(f"wrote {out}/{PLOTS}/{picture.name}.png")
    echo(picture.alt)
