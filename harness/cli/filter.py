"""`tft filter`: deterministic checks and a teacher's ratings say which traces go on."""

from __future__ import annotations

from typing import Any

import click

from harness.cli import _pipeline as _stages
from harness.cli import _roles
from harness.terminal import echo


@click.command(
    epilog="""\b
Examples:
  tft filter me/tft-benchmark-s2-traces --arm tft
  tft filter traces.jsonl --task job_description.json --scenario 2 --out filtered
  tft filter --job my-agent --teacher openai:zai.glm-5 --endpoints endpoints.yaml --budget 5 --out filtered
  tft filter traces.jsonl --task job_description.json --no-rating --out checked
"""
)
@_stages.options(_roles.teacher)
@click.option("--relevance", type=click.IntRange(1, 5), help="Lowest relevance that is kept. Default: 4.")
@click.option("--coherence", type=click.IntRange(1, 5), help="Lowest coherence that is kept. Default: 3.")
@click.option("--rating/--no-rating", "rate", default=None, help="Whether a teacher rates. Default: it does.")
@click.option("--redact", is_flag=True, help="Mask e-mail addresses, phone and payment card numbers.")
def command(
    *, relevance: int | None, coherence: int | None, rate: bool | None, redact: bool, as_json: bool, **chosen: Any
) -> None:
    """Say of every trace of INPUT whether it is kept, and why.

    Deterministic checks come first: order of roles, calls against the tools' schemas and against their results, length,
    near duplicates. What passes is rated by a teacher for relevance and coherence, 1 to 5. Nothing is left out of the
    result: `kept` and `reason` say what happens to a trace.
    """
    from harness.curation.annotators import estimate_of, make_rater
    from harness.curation.settings import FilterConfig, published, resolve
    from harness.models.chat.chat_models import ChatModels
    from harness.stages.filter import Filtering

    chosen_roles = _roles.roles_of(chosen)
    with _stages.started("filtered", chosen) as start, ChatModels(chosen_roles.asking, start.hub) as models:
        given = {"relevance": relevance, "coherence": coherence, "rate": rate, "redact": redact or None}
        of_job = start.job.settings("filter") if start.job else {}
        config = resolve(FilterConfig, published("filter", start.scenario), of_job, start.set, given)
        stage = Filtering(
            rows=start.rows,
            source=start.input.name,
            task=start.task,
            rater=make_rater(chosen_roles.roles.filter, start.task.task, models) if config.rate else None,
            config=config,
            license=start.license,
            selection=start.selection,
        )
        if chosen_roles.dry_run:
            if stage.rater is not None:
                readable = [row.conversation for row in start.rows() if row.problem is None]
                echo(estimate_of(stage.rater, readable))
            return
        result = stage.run(start.hub, start.place)
        shown = {key: result.counts[key] for key in ("traces", "kept", "dropped") if result.counts}
        _stages.show(start, result, shown, as_json)
