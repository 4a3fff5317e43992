"""`tft filter`: deterministic checks and a teacher's ratings say which traces go on."""

from __future__ import annotations

from typing import Any

import click

from harness.cli import _model_options, _pipeline


@click.command(
    epilog="""\b
Examples:
  tft filter me/tft-benchmark-s2-traces --arm tft
  tft filter traces.jsonl --task job_description.json --scenario 2 --out filtered
  tft filter --job my-agent --teacher openai:zai.glm-5 --endpoints endpoints.yaml --budget 5 --out filtered
  tft filter traces.jsonl --task job_description.json --no-rating --out checked
"""
)
@_pipeline.options(_model_options.teacher)
@click.option("--relevance", type=click.IntRange(1, 5), help="Lowest relevance that is kept. Default: 4.")
@click.option("--coherence", type=click.IntRange(1, 5), help="Lowest coherence that is kept. Default: 3.")
@click.option("--rating/--no-rating", "rate", default=None, help="Whether a teacher rates. Default: it does.")
@click.option("--redact", is_flag=True, help="Mask e-mail addresses, phone and payment card numbers.")
def command(
    *,
    relevance: int | None,
    coherence: int | None,
    rate: bool | None,
    redact: bool,
    **chosen: Any,
) -> None:
    """Decide for every trace of INPUT whether it is kept, and say why.

    Deterministic checks come first: order of roles, calls against the tools' schemas and against their results, length,
    near duplicates. What passes is rated by a teacher for relevance and coherence, 1 to 5. Nothing is left out of the
    result: `kept` and `reason` say what happens to a trace.
    """
    from harness.stages import filter as stage

    settings = {"relevance": relevance, "coherence": coherence, "rate": rate, "redact": redact or None}
    shown = ("traces", "kept", "dropped")
    _pipeline.run(stage, stage.FilterRequest, chosen, settings, lambda counts: {key: counts[key] for key in shown})
