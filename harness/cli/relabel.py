"""`tft relabel`: a committee rewrites the assistant's turns, an arbiter decides where it does not agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harness.cli import _model_options, _pipeline


@click.command(
    epilog="""\b
Examples:
  tft relabel me/tft-benchmark-s2-filtered
  tft relabel me/tft-benchmark-s2-filtered --models published --endpoints endpoints.yaml --seeds 90 --budget 20
  tft relabel filtered --job my-agent --out relabelled
  tft relabel traces.jsonl --task job_description.json --committee openai:A --committee org/model --out relabelled
"""
)
@_pipeline.options(_model_options.committee, _model_options.arbiter)
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Relabel N traces; the rest stays as context.")
@click.option(
    "--clean",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Clean traces, for the card to measure the repair. Default: the job's clean.jsonl, the scenario's truth.",
)
def command(*, seeds: int | None, **chosen: Any) -> None:
    """Relabel the traces of INPUT that the filter kept: every assistant turn, by a committee of models.

    INPUT is a dataset, a folder of an earlier stage, or a file of traces in any known layout. User messages and results
    of tools stay as they are. The members' answers are compared turn by turn: tool, arguments, values. An arbiter sees
    what differs, without names and in a random order. A conversation with a turn that nobody can decide is dropped.
    """
    from harness.stages import relabel as stage

    _pipeline.run(stage, stage.RelabelRequest, chosen, {"seeds": seeds}, _shown)


def _shown(counts: Mapping[str, Any]) -> dict[str, Any]:
    summary = counts["summary"]
    return {
        **{key: counts[key] for key in ("conversations", "kept", "dropped", "context")},
        "turns": dict(summary.methods),
        "changed": {tool: one.name + one.keys + one.values for tool, one in summary.changes.items()},
    }
