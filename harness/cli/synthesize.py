"""`tft synthesize`: new conversations, modelled on accepted ones and checked before they are accepted."""

from __future__ import annotations

from typing import Any

import click

from harness.cli import _pipeline as _stages
from harness.cli import _roles
from harness.terminal import echo, say

_SHOWN = ("accepted", "drafts", "rejected", "shortest", "longest", "mean", "distance", "test_conversations")


@click.command(
    epilog="""\b
Examples:
  tft synthesize me/tft-benchmark-s2-relabelled --traces me/tft-benchmark-s2-traces@main
  tft synthesize relabelled --job my-agent --target 500 --lengths seeds --out synthetic
  tft synthesize relabelled --job my-agent --teacher openai:zai.glm-5 --endpoints endpoints.yaml --dry-run
"""
)
@_stages.options(_roles.teacher)
@click.option("--target", type=click.IntRange(min=1), metavar="N", help="Conversations to accept. Default: 2000.")
@click.option("--lengths", type=click.Choice(["topics", "seeds"]), help="Where their lengths come from.")
@click.option("--traces", metavar="SOURCE", help="Unlabelled traces to show beside the seeds. Default: those of INPUT.")
@click.option("--test", metavar="SOURCE", help="Test set that nothing may overlap with. Default: the task's own.")
@click.option("--seed", type=int, help="The same seed gives the same plans. Default: 0.")
def command(*, traces: str | None, test: str | None, as_json: bool, **chosen: Any) -> None:
    """Generate conversations from the accepted ones of INPUT, until the target or the budget is reached.

    INPUT is what `tft relabel` wrote, or any file of clean conversations. The teacher plans one conversation a call,
    then writes it. What breaks the tools' schemas, the order of roles or the results of tools, what is too long, a near
    duplicate, or overlaps with the test set is rejected and written again. A run whose seeds or traces hold test
    conversations is stopped, and says which.
    """
    from harness.curation.annotators import estimate_of, make_writer
    from harness.curation.settings import SynthesizeConfig, published, resolve, topics
    from harness.data.traces.source import read_input
    from harness.models.chat.chat_models import ChatModels
    from harness.stages.synthesize import Synthesis, SynthesisMaterial

    chosen_roles = _roles.roles_of(chosen)
    given = {key: chosen.pop(key) for key in ("target", "lengths", "seed")}
    with _stages.started("synthetic", chosen) as start, ChatModels(chosen_roles.asking, start.hub) as models:
        of_job = start.job.settings("synthesize") if start.job else {}
        config = resolve(SynthesizeConfig, published("synthesize", start.scenario), of_job, start.set, given)
        sources = [start.input.name]
        context = None
        if traces is not None:
            read = read_input(traces, start.hub)
            context = _stages.readable(read.rows())
            sources.append(read.name)
        held_out = _stages.test_set(start, test)
        if held_out is None:
            say("no test set: nothing says that the result does not overlap with one (--test SOURCE names it)")
        else:
            sources.append(held_out.source)
        tested = held_out.conversations if held_out else ()
        material = SynthesisMaterial.of(_stages.readable(start.rows()), sources, traces=context, test=tested)
        writer = make_writer(
            chosen_roles.roles.teacher,
            start.task.task,
            models,
            exemplars=material.seeds,
            temperature=config.temperature,
        )
        stage = Synthesis(
            material=material,
            task=start.task,
            writer=writer,
            config=config,
            topics=(start.job.topics if start.job else ()) or topics(),
            prefix=start.prefix,
            license=start.license,
            selection=start.selection,
        )
        if chosen_roles.dry_run:
            echo(estimate_of(stage.writer, stage.plans()))
            return
        result = stage.run(start.hub, start.place)
        shown = {key: result.counts[key] for key in _SHOWN if result.counts}
        _stages.show(start, result, shown, as_json)
