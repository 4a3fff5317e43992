"""`tft relabel`: a committee rewrites the assistant's turns, an arbiter decides where it does not agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _pipeline as _stages
from harness.cli import _roles
from harness.terminal import echo

if TYPE_CHECKING:
    from harness.cli._pipeline import StageInputs
    from harness.curation.repair.ground_truth import Truths


@click.command(
    epilog="""\b
Examples:
  tft relabel me/tft-benchmark-s2-filtered
  tft relabel me/tft-benchmark-s2-filtered --models published --endpoints endpoints.yaml --seeds 90 --budget 20
  tft relabel filtered --job my-agent --out relabelled
  tft relabel traces.jsonl --task job_description.json --committee openai:A --committee org/model --out relabelled
"""
)
@_stages.options(_roles.committee, _roles.arbiter)
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Relabel N traces; the rest stays as context.")
@click.option(
    "--clean",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Clean traces, for the card to measure the repair. Default: the job's clean.jsonl, the scenario's truth.",
)
def command(*, seeds: int | None, clean: Path | None, as_json: bool, **chosen: Any) -> None:
    """Relabel the traces of INPUT that the filter kept: every assistant turn, by a committee that sees all of it.

    INPUT is a dataset, a folder of an earlier stage, or a file of traces in any known layout. User messages and results
    of tools stay as they are. The members' answers are compared turn by turn: tool, arguments, values. An arbiter sees
    what differs, without names and in a random order. A conversation with a turn that nobody can decide is dropped.
    """
    from harness.curation.annotators import estimate_of, make_committee
    from harness.curation.settings import RelabelConfig, resolve
    from harness.models.chat.chat_models import ChatModels
    from harness.stages.relabel import Relabelling

    chosen_roles = _roles.roles_of(chosen)
    with _stages.started("relabelled", chosen) as start, ChatModels(chosen_roles.asking, start.hub) as models:
        layers = [start.job.settings("relabel") if start.job else {}, start.set, {"seeds": seeds}]
        stage = Relabelling(
            rows=_stages.readable(start.rows()),
            source=start.input.name,
            task=start.task,
            committee=make_committee(chosen_roles.roles, start.task.task, models),
            config=resolve(RelabelConfig, *layers),
            license=start.license,
            selection=start.selection,
            truth=_truth(start, clean),
        )
        if chosen_roles.dry_run:
            drawn, _ = stage.seeds()
            for member in stage.committee.members:
                echo(estimate_of(member, drawn))
            turns = sum(message.role == "assistant" for seed in drawn for message in seed.messages)
            echo(f"the arbiter: one question for each turn on which the members differ, of {turns} turns")
            return
        result = stage.run(start.hub, start.place)
        counts = {key: result.counts[key] for key in ("conversations", "kept", "dropped", "context") if result.counts}
        if result.counts:
            summary = result.counts["summary"]
            counts["turns"] = dict(summary.methods)
            counts["changed"] = {tool: one.name + one.keys + one.values for tool, one in summary.changes.items()}
        _stages.show(start, result, counts, as_json)


def _truth(start: StageInputs, clean: Path | None) -> Truths | None:
    """Return the clean traces where somebody has them."""
    from harness.curation.repair.ground_truth import published_truth, read_truth
    from harness.data.sources import locate
    from harness.errors import SourceError

    if clean is None and start.job and (start.job.folder / "clean.jsonl").is_file():
        clean = start.job.folder / "clean.jsonl"
    if clean is not None:
        return read_truth(clean)
    if start.scenario is None:
        return None
    try:
        sources = locate()
    except SourceError:
        return None  # without the sources there is no truth, and the card has no such section
    return published_truth(sources, start.scenario, start.arm)
