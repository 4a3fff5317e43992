"""`tft run`: one cell of the benchmark, from its traces to a scored model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands import _options
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cells import Step


@click.command(
    epilog="""\b
Examples:
  tft run s2 tft --preset tiny --dry-run
  tft run s2 tft --until synthesize
  tft run s1 direct --preset tiny --student me/my-student
"""
)
@click.argument("scenario")
@click.argument("pipeline")
@click.option(
    "--preset", default="published", show_default=True, metavar="NAME|FILE", help="Student, models, settings."
)
@click.option("--student", metavar="REPO[@REV]", help="The model to train. Default: the preset's.")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of synthesis and training.")
@click.option(
    "--endpoints",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    envvar="TFT_ENDPOINTS",
    help="YAML file of endpoints, for models behind one.",
)
@click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="Most that each stage may spend.")
@click.option("--dry-run", is_flag=True, help="Only show the commands.")
@_options.hub
@_options.namespace
def command(
    *,
    scenario: str,
    pipeline: str,
    preset: str,
    student: str | None,
    until: str | None,
    seed: int,
    endpoints: Path | None,
    budget: float | None,
    dry_run: bool,
    hub: str | None,
    namespace: str | None,
) -> None:
    """Run one cell of the benchmark: SCENARIO (s1 to s5) through PIPELINE (tft or direct).

    The stages are the commands that --dry-run shows, one after the other, each reading what the one before has pushed.
    A stage whose inputs and settings have not changed finds its result on the Hub, so that a run that was interrupted
    goes on where it was.
    """
    from harness.cells import Cell, Setup, read_preset, steps
    from harness.hub import connected

    cell, chosen = Cell.parse(scenario, pipeline), read_preset(preset)
    if student:
        chosen = chosen.model_copy(update={"student": student})
    options = [*(("--endpoints", str(endpoints)) if endpoints else ())]
    options += ["--budget", str(budget)] if budget is not None else []
    with connected(hub) as client:
        setup = Setup(namespace=client.namespace(namespace), preset=chosen, options=tuple(options), seed=seed)
        plan = steps(cell, setup, until=until)
        if dry_run:
            for step in plan:
                click.echo(shlex.join(("tft", *step.words)))
            return
        _run(str(cell), plan)


def _run(cell: str, plan: Sequence[Step]) -> None:
    """Run the commands in processes of their own: what one leaves in memory is no concern of the next."""
    import subprocess
    import sys
    import time

    from harness.terminal import say

    for number, step in enumerate(plan, start=1):
        say(f"{cell}, stage {number} of {len(plan)}: {step.stage}")
        start = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "harness.cli", *step.words], check=False)
        if done.returncode:
            raise HarnessError(
                f"{cell} ended in the stage {step.stage} (exit status {done.returncode}, its message is above); "
                "mend that and run the same command again: finished stages are found on the Hub"
            )
        click.echo(f"{cell}  {step.stage}  {time.monotonic() - start:.0f} s  {step.makes}")
