"""`tft evaluate`: score any model on a test set, through vLLM or an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _judge as _judging
from harness.cli import _options
from harness.terminal import echo, say

if TYPE_CHECKING:
    from harness.data.tasks import TestSet
    from harness.evaluation.outcome import Evaluation
    from harness.hub.client import Hub
    from harness.models.names import ModelName
    from harness.reports.publish import Destination


@click.command(
    epilog="""\b
Examples:
  tft evaluate Qwen/Qwen3-1.7B --namespace me
  tft evaluate me/a me/b --judge rules:judge --dataset me/tft-benchmark-testset
  tft evaluate me/my-model@v2 --dataset me/tft-benchmark-testset --no-push --out runs/v2
  tft evaluate openai:my-model --base-url http://127.0.0.1:8000/v1 --no-push --dataset me/tft-benchmark-testset
  tft evaluate Qwen/Qwen3-1.7B --adapters me/adapter-1 --adapters me/adapter-2@v3 --namespace me
"""
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option(
    "--adapters",
    multiple=True,
    metavar="REPO[@REV]",
    help="Evaluate this LoRA adapter of MODEL; repeat for several on one start of the engine.",
)
@click.option("--dataset", metavar="REPO[@REV]", help="Test set. Default: <namespace>/tft-benchmark-testset.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pairs.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run. Default: runs/<model>-<hash>."
)
@click.option("--push/--no-push", default=True, show_default=True, help="Publish results, scores and card.")
@click.option(
    "--max-unscored",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Publish nothing where more of the pairs than this have no score.",
)
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
@_judging.judge
@_judging.options
@click.option(
    "--judge-baselines/--no-judge-baselines",
    default=True,
    show_default=True,
    help="Have the null baselines judged too: paid once for each judge and test set.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Predictions with labels (published or results layout): the report says how far the judge agrees.",
)
@click.option("--label", "label_column", default="label", show_default=True, help="Their column: good or bad, 1 or 0.")
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the scores there as a comment for a pull request.",
)
@click.option(
    "--inspect",
    "inspect_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write transcripts there, for `inspect view --log-dir`.",
)
@click.option(
    "--inspect-site",
    type=click.Path(path_type=Path, file_okay=False),
    help="Make a static site of the transcripts there, ready to be pushed as a Space.",
)
@_options.hub
@_options.namespace
@_options.as_json
def command(
    *,
    models: tuple[str, ...],
    adapters: tuple[str, ...],
    judges: tuple[str, ...],
    dataset: str | None,
    limit: int | None,
    out: Path | None,
    push: bool,
    create_pr: bool,
    max_unscored: float,
    resume: bool,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
    markdown: Path | None,
    inspect_folder: Path | None,
    inspect_site: Path | None,
    **settings: Any,
) -> None:
    """Score each MODEL on the test set: every turn of every conversation, greedily, thinking off.

    MODEL is a repository on the Hub (owner/name[@revision]), openai:ID for an endpoint, or replay:FILE for
    recorded answers. Weights come as safetensors; vLLM runs on a CUDA device where there is one, else on the CPU.
    With --judge the answers are judged too, those of all models by one start of each judge; a run that is there
    already gets its verdicts with --resume, without asking the model again. With --adapters, MODEL is the base
    and not evaluated itself; each adapter (also one in the folder `adapter` of a trained model's repository)
    gets a run, results and a card of its own.
    """
    from harness.data.tasks import REPOSITORY, pull_test_set
    from harness.hub.connect import connected
    from harness.models.backends.subject import EvaluateConfig
    from harness.models.engine.server import split_engine_args
    from harness.models.names import ModelName
    from harness.reports.publish import destination
    from harness.stages.evaluate import RunPlace, evaluate

    _check(push, create_pr, inspect_folder, inspect_site)
    names = [ModelName.parse(model) for model in models]
    base, names = _on_base(names, adapters) if adapters else (None, names)
    judging = _judging.config(judges, settings)
    settings["engine_args"] = split_engine_args(settings["engine_args"])
    runs = RunPlace(folder=out, resume=resume) if len(names) == 1 else RunPlace(root=out or Path("runs"), resume=resume)
    with connected(hub) as client:
        owner = client.namespace(namespace) if push or not dataset else None
        dataset = dataset or f"{owner}/{REPOSITORY}"
        if resume and runs.folder:
            names[0], base, dataset = _as_begun(runs.folder, names[0], base, dataset)
        config = EvaluateConfig(**settings, base=base)
        test_set = pull_test_set(client, dataset, limit)
        places: list[Destination | None] = [None] * len(names)
        if push and owner:
            to = partial(destination, client, owner, test_set=test_set, create_pr=create_pr)
            places = [replace(to(name), max_unscored=max_unscored) for name in names]
        evaluations = evaluate(names, client, test_set, config, runs, judging=judging if judges else None)
        if inspect_folder:
            _transcribe(evaluations, test_set, inspect_folder, inspect_site)
        changed = [_push(client, place, one, test_set) for place, one in zip(places, evaluations, strict=True)]
    _show(evaluations, changed, as_json, markdown)


def _on_base(models: Sequence[ModelName], adapters: Sequence[str]) -> tuple[ModelName, list[ModelName]]:
    """Return the base and the names of its adapters; UsageError where they cannot be that."""
    from harness.errors import UsageError
    from harness.models.names import ModelName

    names = [ModelName.parse(adapter) for adapter in adapters]
    others = [str(name) for name in (*models, *names) if name.backend != "vllm"]
    if others:
        raise UsageError(f"{others[0]} is on no Hub; --adapters takes the repositories of a base model's adapters")
    if len(models) != 1:
        raise UsageError(f"--adapters changes one base model, got {len(models)} models; name the one they share")
    return models[0], names


def _check(push: bool, create_pr: bool, folder: Path | None, site: Path | None) -> None:
    """Raise UsageError where a push or transcripts are asked for that could not be made: before the answers are."""
    from importlib.util import find_spec

    from harness.errors import UsageError

    if create_pr and not push:
        raise UsageError("--create-pr says how to push; leave out --no-push")
    if site and not folder:
        raise UsageError("--inspect-site shows transcripts; say with --inspect where to write them")
    if folder and find_spec("inspect_ai") is None:
        raise UsageError("--inspect needs Inspect; install it: pip install 'tft-harness[inspect]'")


def _transcribe(evaluations: Sequence[Evaluation], test_set: TestSet, folder: Path, site: Path | None) -> None:
    from harness.reports.inspect_logs import bundle, write_log

    for one in evaluations:
        log = write_log(folder, one.scorecard.report, one.scorecard.rows, test_set.pairs, test_set.task)
        say(f"transcript: {log} (inspect view --log-dir {folder})")
    if site:
        bundle(folder, site, title="Transcripts of an evaluation")
        say(f"site of the transcripts: {site} (push it as a static Space, or serve it over HTTP)")


def _push(hub: Hub, place: Destination | None, evaluation: Evaluation, test_set: TestSet) -> list[str]:
    from harness.errors import HubError, UsageError
    from harness.reports.publish import publish

    try:
        return publish(hub, place, evaluation, test_set) if place else []
    except (HubError, UsageError) as error:
        advice = f"nothing is lost: add --resume --out {evaluation.folder} to push without asking again"
        raise type(error)(f"{error}; {advice}") from error


def _as_begun(
    folder: Path, name: ModelName, base: ModelName | None, dataset: str
) -> tuple[ModelName, ModelName | None, str]:
    """Return model, base and test set at the commits that the run in `folder` began with, unless others are named."""
    from harness.evaluation.run_folder import commit_of
    from harness.hub.artifact import split_revision

    if name.backend == "vllm" and not name.revision:
        name = replace(name, revision=commit_of(folder, name.id))
    if base and not base.revision:
        base = replace(base, revision=commit_of(folder, base.id))
    if not split_revision(dataset)[1] and (commit := commit_of(folder, dataset)):
        dataset = f"{dataset}@{commit}"
    return name, base, dataset


def _show(
    evaluations: Sequence[Evaluation], changed: Sequence[list[str]], as_json: bool, markdown: Path | None
) -> None:
    import json

    from harness.data.formats.jsonl import write_atomic
    from harness.evaluation.report_json import dump_report
    from harness.reports.evaluation_tables import as_comment, print_report

    if markdown:
        write_atomic(markdown, [as_comment([one.scorecard.report for one in evaluations])])
    for one, addresses in zip(evaluations, changed, strict=True):
        report = one.scorecard.report
        if as_json:
            echo(json.dumps({"folder": str(one.folder), "pushed": addresses, "report": dump_report(report)}))
        else:
            print_report(report)
        say(f"rows and report: {one.folder}")
        for address in addresses:
            say(f"pushed: {address}")
