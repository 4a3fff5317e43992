"""`tft benchmark`: all cells of the benchmark, or both pipelines on traces of your own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.terminal import one_line, show

if TYPE_CHECKING:
    from harness.benchmark.plan import BenchmarkPlan
    from harness.benchmark.schedule import StepOutcome

options = _options.add(
    click.option("--student", metavar="REPO[@REV]", help="The model to train. Default: the preset's."),
    click.option("--until", metavar="STAGE", help="Stop after this stage."),
    click.option(
        "--models", metavar="rules|published|FILE", help="Which model plays which role. Default: the preset's."
    ),
    click.option(
        "--endpoints",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        envvar="TFT_ENDPOINTS",
        help="YAML file of endpoints, for models behind one.",
    ),
    click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Maximum that each stage may spend."),
    click.option(
        "--parallel", type=click.IntRange(min=1), metavar="N", help="Stages to run in parallel. Default: the preset's."
    ),
    click.option(
        "--jobs",
        multiple=True,
        metavar="[STAGE=]hf:FLAVOR",
        help="Run a stage as a Hugging Face Job; without STAGE, train and evaluate. Repeatable.",
    ),
    click.option(
        "--package", metavar="URL", help="With --jobs: where tft-harness is installed from. Default: the index."
    ),
    click.option(
        "--job-timeout", metavar="TIME", default="6h", show_default=True, help="With --jobs: time limit per stage."
    ),
    click.option(
        "--work",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("runs/benchmark"),
        show_default=True,
        help="Folder of logs and of work that a kill would lose.",
    ),
    click.option(
        "--public", is_flag=True, help="Make new repositories public at once. Default: private until published."
    ),
    click.option("--dry-run", is_flag=True, help="Only show the commands, and what they would take."),
    _options.sources,
    _options.hub,
    _options.namespace,
)
"""Those that `tft run` and `tft benchmark` share."""


@click.command(
    epilog="""\b
Examples:
  tft benchmark --preset tiny --hub embedded
  tft benchmark --preset published --endpoints endpoints.yaml --budget 20 --dry-run
  tft benchmark --preset tiny --arms fair --seeds 3 --only s2 --only s3
  tft benchmark --preset pretrained --only s1-direct --only s1-tft
  tft benchmark --job my-agent --preset tiny
  tft benchmark --jobs train=hf:a100-large --jobs evaluate=hf:l4x1
"""
)
@click.option(
    "--preset", default="published", show_default=True, metavar="NAME|FILE", help="Student, models, settings."
)
@click.option(
    "--arms",
    type=click.Choice(["published", "fair"]),
    default="published",
    show_default=True,
    help="fair: also the arms that see the other pipeline's traces, where the published ones differ (s2, s3).",
)
@click.option(
    "--only",
    multiple=True,
    metavar="SCENARIO[-PIPELINE]",
    help="Only this scenario, s1 to s5, or one pipeline of it, as s1-direct; repeatable.",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(["untrained", "logged", "teacher"]),
    help="Leave out this baseline: the untrained student, the model that wrote the traces, the teacher. Repeatable.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Repetitions of each cell.")
@click.option(
    "--job",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Run both pipelines on your own traces: a job folder with task, traces and test set.",
)
@click.option("--name", metavar="NAME", help="With --job: prefix of its repositories. Default: the folder's name.")
@click.option("--version", metavar="vN", help="The version these results are for, where others are published already.")
@_options.thresholds
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("report"),
    show_default=True,
    help="Folder for results, plots and the leaderboard page; see `tft report`.",
)
@options
def command(
    *,
    preset: str,
    arms: str,
    only: tuple[str, ...],
    without: tuple[str, ...],
    seeds: int,
    job: Path | None,
    name: str | None,
    version: str | None,
    report: Path,
    **settings: Any,
) -> None:
    """Run the benchmark: five scenarios through two pipelines, each from its traces to a scored model.

    The plan is shown first, with what is on the Hub already and what the rest would take. Every stage is a command of
    tft that reads commits and pushes one repository; those whose inputs and settings have not changed are reused, so
    that a run that was interrupted, however, resumes where it stopped. A cell that fails does not stop the others.

    Beside the cells, the untrained student is evaluated once, so that the verdict can say whether training was worth
    it; and so are the model that wrote the traces, where test conversations were corrected, and the teacher, where it
    is a model that answers.
    """
    from harness.benchmark.cells import BASELINE_KINDS, Cell, Job, all_cells
    from harness.benchmark.run import BenchmarkRequest, run
    from harness.errors import UsageError

    if name and not job:
        raise UsageError("--name is for the repositories of a --job")
    if job:
        if arms == "fair" or only:
            raise UsageError("--arms fair and --only choose among the benchmark's scenarios; a --job has none")
        chosen = Job(name=job_name(name or job.resolve().name), folder=str(job))
        cells = [Cell(scenario=None, arm=arm, seed=seed) for seed in range(seeds) for arm in ("tft", "direct")]
    else:
        chosen = None
        wanted = {wanted for one in only for wanted in Cell.choose(one)}
        every = all_cells(fair=arms == "fair", seeds=seeds)
        cells = [cell for cell in every if not wanted or (cell.scenario, cell.arm) in wanted]
    request = BenchmarkRequest(
        cells=cells,
        preset=preset,
        job=chosen,
        seeds=seeds,
        version=version,
        report=report,
        baselines=frozenset(kind for kind in BASELINE_KINDS if kind not in without),
        **settings,
    )
    if done := run(request):
        show_outcomes(done.plan, done.outcomes)


def job_name(text: str) -> str:
    """Return a name that repositories can have; UsageError where nothing of it can stay."""
    from harness.errors import UsageError

    found = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    if not found:
        raise UsageError(f"{text!r} is not a name for repositories; give one with --name")
    return found


def show_outcomes(plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome]) -> None:
    """Print the table of cells and stages on stdout; CheckFailed, which names every failure, where a cell failed."""
    from harness.benchmark.table import counts, legend, outcome_table, problems
    from harness.errors import CheckFailed

    show([outcome_table(plan, outcomes), legend(outcomes), f"{len(plan.steps)} stages: {counts(outcomes)}"])
    if found := problems(plan, outcomes):
        told = "\n".join(f"  {', '.join(map(str, cells))}: {one_line(why)}" for cells, why in found)
        error = CheckFailed(
            f"not every cell came to its end; mend this and run the same command again, what is done is reused:\n{told}"
        )
        error.has_lines = True
        raise error
