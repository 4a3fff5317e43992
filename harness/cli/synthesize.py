"""`tft synthesize`: new conversations, modelled on accepted ones and checked before they are accepted."""

from __future__ import annotations

from typing import Any

import click

from harness.cli import _model_options, _pipeline

_SHOWN = ("accepted", "drafts", "rejected", "shortest", "longest", "mean", "distance", "test_conversations")


@click.command(
    epilog="""\b
Examples:
  tft synthesize me/tft-benchmark-s2-relabelled --traces me/tft-benchmark-s2-traces@main
  tft synthesize relabelled --job my-agent --target 500 --lengths seeds --out synthetic
  tft synthesize relabelled --job my-agent --teacher openai:zai.glm-5 --endpoints endpoints.yaml --dry-run
"""
)
@_pipeline.options(_model_options.teacher)
@click.option("--target", type=click.IntRange(min=1), metavar="N", help="Conversations to accept. Default: 2000.")
@click.option(
    "--lengths", type=click.Choice(["topics", "seeds"]), help="What determines the lengths of the conversations."
)
@click.option("--traces", metavar="SOURCE", help="Unlabelled traces to show beside the seeds. Default: those of INPUT.")
@click.option("--test", metavar="SOURCE", help="Test set that nothing may overlap with. Default: the task's own.")
@click.option("--seed", type=int, help="The same seed gives the same plans. Default: 0.")
def command(**chosen: Any) -> None:
    """Generate conversations from the accepted ones of INPUT, until the target or the budget is reached.

    INPUT is what `tft relabel` wrote, or any file of clean conversations. The teacher plans one conversation per call,
    then writes it. What breaks the tools' schemas, the order of roles or the results of tools, what is too long, a near
    duplicate, or overlaps with the test set is rejected and written again. A run whose seeds or traces hold test
    conversations is stopped, and says which.
    """
    from harness.stages import synthesize as stage

    settings = {key: chosen.pop(key) for key in ("target", "lengths", "seed")}
    _pipeline.run(stage, stage.SynthesizeRequest, chosen, settings, lambda counts: {key: counts[key] for key in _SHOWN})
