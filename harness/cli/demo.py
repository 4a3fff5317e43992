"""`tft demo`: the benchmark once, small: traces, damage, both pipelines, results, cards, page, on a Hub of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options, benchmark
from harness.terminal import say, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.benchmark.plan import BenchmarkPlan
    from harness.data.records import ToolCall
    from harness.data.scenarios._task_scenarios import Damaged
    from harness.hub.client import Hub

_NAME, _PRESET = "sample", "demo"
_TRACES, _TEST = 192, 8
"""Conversations: as many as a student learns in a minute, and as few as can show a significant difference."""


@click.command(epilog="\b\nExample:\n  tft demo --folder /tmp/tft-demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Where the Hub of the demonstration and the results are kept.",
)
def command(folder: Path) -> None:
    """Run the whole benchmark once on a small task, for real, on a local Hub: no keys, no downloads.

    Simulated restaurant conversations are damaged as in the benchmark. One small student is trained on them as they
    are (Direct), another on what the TFT pipeline makes of them; vLLM answers the test set with both, rules judge, and
    there are tables, cards and a page. It is `tft benchmark --job` with small settings; a second run reuses everything.
    """
    import os

    from harness.hub.client import PRIVATE

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
        _run(Hub.connect(served.url), folder)


def _run(hub: Hub, folder: Path) -> None:
    from harness.benchmark.cells import Cell, Job
    from harness.benchmark.run import BenchmarkRequest, run
    from harness.benchmark.sample_job import write_job
    from harness.data.scenarios import ARMS

    say(f"a Hub on {hub.endpoint}, kept in {_short(folder / 'hub')}")
    _show_damage(write_job(folder / "job", traces=_TRACES, test=_TEST), folder / "job")
    request = BenchmarkRequest(
        cells=[Cell(scenario=None, arm=arm) for arm in ARMS],
        preset=_PRESET,
        job=Job(name=_NAME, folder=str(folder / "job")),
        report=Path(_short(folder / "report")),
        hub=hub.endpoint,
        public=True,
        baselines=frozenset({"untrained"}),
        work=folder / "work",
    )
    if done := run(request):
        benchmark.show_outcomes(*done)
        _show_places(hub, done[0], folder)


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


def _show_places(hub: Hub, plan: BenchmarkPlan, folder: Path) -> None:
    """Write the cards, and print what this was and where everything is."""
    from urllib.parse import urlsplit

    cards = []
    for cell in plan.cells:
        card = folder / f"card-{cell.arm}.md"
        card.write_text(hub.read_text("model", plan.setup.model(cell), "README.md") or "", encoding="utf-8")
        cards.append(_short(card))
    write(
        "\nThis demonstrates the pipeline and is no result: the conversations are simulated,\n"
        "the student starts from random weights and is trained once, briefly, per pipeline,\n"
        "and rules stand in for language models. That much training teaches which tool to\n"
        "call but hardly which arguments, so the scores are mostly about tools.\n"
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
