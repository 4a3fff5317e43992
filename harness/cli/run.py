"""`tft run`: one cell of the benchmark, from its traces to a scored model."""

from __future__ import annotations

from typing import Any

import click

from harness.cli import benchmark


@click.command(
    epilog="""\b
Examples:
  tft run s2 tft --preset tiny --dry-run
  tft run s2 tft --until synthesize
  tft run s1 direct --preset tiny --student me/my-student
  tft run s3 direct --fair --preset tiny
"""
)
@click.argument("scenario")
@click.argument("pipeline")
@click.option(
    "--preset", default="published", show_default=True, metavar="NAME|FILE", help="Student, models, settings."
)
@click.option("--fair", is_flag=True, help="On the traces of the other pipeline, where the published ones differ.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of synthesis and training."
)
@benchmark.options
def command(*, scenario: str, pipeline: str, preset: str, fair: bool, seed: int, **settings: Any) -> None:
    """Run one cell of the benchmark: SCENARIO (s1 to s5) through PIPELINE (tft or direct).

    The stages are the commands that --dry-run shows, each reading what those before have pushed. A stage whose inputs
    and settings have not changed finds its result on the Hub, so an interrupted run resumes where it stopped.
    """
    from harness.benchmark.cells import Cell
    from harness.benchmark.run import BenchmarkRequest, run

    cell = Cell.parse(scenario, pipeline, fair=fair, seed=seed)
    done = run(BenchmarkRequest(cells=[cell], preset=preset, **settings))
    if done:
        benchmark.show_outcomes(done.plan, done.outcomes)
