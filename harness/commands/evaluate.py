"""`tft evaluate`: score any model on a test set, through vLLM or an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.commands import _options

if TYPE_CHECKING:
    from harness.models import ModelName
    from harness.stages.evaluate import Evaluation


@click.command(
    epilog="""\b
Examples:
  tft evaluate Qwen/Qwen3-1.7B --namespace me
  tft evaluate me/my-model@v2 --dataset me/tft-benchmark-testset --no-push --out runs/v2
  tft evaluate openai:my-model --base-url http://127.0.0.1:8000/v1 --no-push --dataset me/tft-benchmark-testset
"""
)
@click.argument("model")
@click.option("--dataset", metavar="REPO[@REV]", help="Test set. Default: <namespace>/tft-benchmark-testset.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pairs.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run. Default: runs/<model>-<hash>."
)
@click.option("--push/--no-push", default=True, show_default=True, help="Publish results, scores and card.")
@click.option("--create-pr", is_flag=True, help="Give the model repository a pull request instead of a commit.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run: ask only what is missing.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=256, show_default=True, help="Longest answer.")
@click.option("--concurrency", type=click.IntRange(min=1), default=32, show_default=True, help="Questions at once.")
@click.option(
    "--engine-arg", "engine_args", multiple=True, metavar="KEY=VALUE", help="Passed to vLLM, e.g. dtype=bfloat16."
)
@click.option("--trust-remote-code", is_flag=True, help="Let the model repository run its own code. Read it first.")
@click.option("--base-url", metavar="URL", help="Address of an OpenAI-compatible endpoint, for openai: models.")
@click.option("--key-variable", default="OPENAI_API_KEY", show_default=True, help="Variable with the endpoint's key.")
@click.option(
    "--tool-choice",
    type=click.Choice(["required", "auto"]),
    default="required",
    show_default=True,
    help="What an endpoint is asked for.",
)
@_options.hub
@_options.namespace
@_options.as_json
def command(
    *,
    model: str,
    dataset: str | None,
    limit: int | None,
    out: Path | None,
    push: bool,
    create_pr: bool,
    resume: bool,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Score MODEL on the test set: every turn of every conversation, greedily, thinking off.

    MODEL is a repository on the Hub (owner/name[@revision]), openai:ID for an endpoint, or replay:FILE for
    recorded answers. Weights come as safetensors; vLLM runs on a CUDA device where there is one, else on the CPU.
    """
    from harness.errors import HubError, UsageError
    from harness.hub import connected
    from harness.models import ModelName
    from harness.models.engine import split_engine_args
    from harness.results import destination, publish
    from harness.stages.evaluate import Place, evaluate
    from harness.subjects import EvaluateConfig
    from harness.testset import REPOSITORY, pull_test_set

    if create_pr and not push:
        raise UsageError("--create-pr says how to push; leave out --no-push")
    name = ModelName.parse(model)
    settings["engine_args"] = split_engine_args(settings["engine_args"])
    config = EvaluateConfig(**settings)
    with connected(hub) as client:
        owner = client.namespace(namespace) if push or not dataset else None
        dataset = dataset or f"{owner}/{REPOSITORY}"
        if resume and out:
            name, dataset = _as_begun(out, name, dataset)
        test_set = pull_test_set(client, dataset, limit)
        place = destination(client, owner, name, test_set, create_pr=create_pr) if push and owner else None
        evaluation = evaluate(name, client, test_set, config, Place(folder=out, resume=resume))
        try:
            changed = publish(client, place, evaluation, test_set) if place else []
        except HubError as error:
            advice = f"nothing is lost: add --resume --out {evaluation.folder} to push without asking again"
            raise type(error)(f"{error}; {advice}") from error
    _show(evaluation, changed, as_json)


def _as_begun(folder: Path, name: ModelName, dataset: str) -> tuple[ModelName, str]:
    """Return model and test set at the commits that the run in `folder` began with, where no others are named."""
    from dataclasses import replace

    from harness.runs import commit_of

    if name.backend == "vllm" and not name.revision:
        name = replace(name, revision=commit_of(folder, name.id))
    if "@" not in dataset and (commit := commit_of(folder, dataset)):
        dataset = f"{dataset}@{commit}"
    return name, dataset


def _show(evaluation: Evaluation, changed: list[str], as_json: bool) -> None:
    import json

    from harness.report import print_report
    from harness.wire.reports import dump_report

    report = evaluation.scorecard.report
    if as_json:
        click.echo(json.dumps({"folder": str(evaluation.folder), "pushed": changed, "report": dump_report(report)}))
    else:
        print_report(report)
    click.echo(f"rows and report: {evaluation.folder}", err=True)
    for address in changed:
        click.echo(f"pushed: {address}", err=True)
