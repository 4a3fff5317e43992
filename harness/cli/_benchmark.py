"""What `tft run` and `tft benchmark` share: their options and the table of what became of each stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.terminal import one_line, show

if TYPE_CHECKING:
    from harness.benchmark.plan import BenchmarkPlan
    from harness.benchmark.schedule import StepOutcome

Command = Callable[..., Any]

_OPTIONS: list[Command] = [
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
    click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Most that each stage may spend."),
    click.option(
        "--parallel", type=click.IntRange(min=1), metavar="N", help="Stages side by side. Default: the preset's."
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
    click.option("--job-timeout", metavar="TIME", default="6h", show_default=True, help="With --jobs: longest stage."),
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
]


def options(command: Command) -> Command:
    """Add the options that both verbs have."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def show_outcomes(plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome]) -> None:
    """Print the table of cells and stages on stdout; CheckFailed, which names every failure, where a cell failed."""
    from harness.benchmark.table import counts, legend, outcome_table, problems
    from harness.errors import CheckFailed

    show([outcome_table(plan, outcomes), legend(), f"{len(plan.steps)} stages: {counts(outcomes)}"])
    if found := problems(plan, outcomes):
        told = "\n".join(f"  {', '.join(map(str, cells))}: {one_line(why)}" for cells, why in found)
        error = CheckFailed(
            f"not every cell came to its end; mend this and run the same command again, what is done is reused:\n{told}"
        )
        error.has_lines = True
        raise error
