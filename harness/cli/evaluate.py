"""`tft evaluate`: score any model on a test set, through vLLM or an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _model_options, _options
from harness.terminal import echo, say

if TYPE_CHECKING:
    from harness.stages.evaluate import EvaluateResult

_USUAL = _model_options.InferenceDefaults(
    models="openai: models, whatever --endpoints says",
    engine="vLLM, e.g. dtype=bfloat16",
    max_tokens=256,
    least_tokens=1,
    timeout=300,
)


@click.command(
    epilog="""\b
Examples:
  tft evaluate Qwen/Qwen3-1.7B --namespace me
  tft evaluate me/a me/b --judge rules:judge --dataset me/tft-benchmark-testset
  tft evaluate me/my-model@v2 --dataset me/tft-benchmark-testset --no-push --out runs/v2
  tft evaluate openai:my-model --base-url http://127.0.0.1:8000/v1 --no-push --dataset me/tft-benchmark-testset
  tft evaluate openai:my-model --judge openai:a-judge --endpoints endpoints.yaml --budget 5 --namespace me
  tft evaluate Qwen/Qwen3-1.7B --thinking on --thinking off --namespace me
  tft evaluate me/my-model --samples 8 --temperature 0.7 --no-push --dataset me/tft-benchmark-testset
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
@click.option("--with-base", is_flag=True, help="With --adapters: evaluate MODEL itself too, last, on the same start.")
@click.option("--dataset", metavar="REPO[@REV]", help="Test set. Default: <namespace>/tft-benchmark-testset.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pairs.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run. Default: runs/<model>-<hash>.",
)
@click.option("--push/--no-push", default=True, show_default=True, help="Publish results, scores and card.")
@click.option(
    "--max-unscored",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Publish nothing if more than this share of the pairs is unscored.",
)
@click.option("--results-only", is_flag=True, help="Push rows and report, and leave the model repository as it is.")
@click.option("--create-pr", is_flag=True, help="Open a pull request on the model repository instead of committing.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run: ask only what is missing.")
@_model_options.endpoints
@_model_options.budget
@_model_options.inference("", _USUAL)
@click.option("--trust-remote-code", is_flag=True, help="Let the model repository run its own code. Read it first.")
@click.option(
    "--tool-choice",
    type=click.Choice(["required", "auto"]),
    default="required",
    show_default=True,
    help="What an endpoint is asked for.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Answers to each turn. Several are drawn at --temperature: mean, pass@k and pass^k.",
)
@click.option("--temperature", type=click.FloatRange(min=0), metavar="T", help="Temperature of --samples, above 0.")
@click.option("--seed", type=int, help="Seed of --samples. Default: 0.")
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Engines to start: each on a GPU of its own, or on its share of the cores.",
)
@click.option(
    "--replica-url",
    "replica_urls",
    multiple=True,
    metavar="URL",
    help="Another endpoint of the same openai: model, beside --base-url; repeatable.",
)
@click.option(
    "--fast",
    is_flag=True,
    help="Our own engine on the CPU: bfloat16 where the processor has it, and compiled. Results do not compare with "
    "those of runs without it.",
)
@click.option(
    "--thinking",
    multiple=True,
    type=click.Choice(["on", "off", "auto", "low", "medium", "high"]),
    help="Whether and how hard the model thinks before it answers, as far as its chat template has a switch; auto "
    "tells the template nothing. Repeat it for several results on one start of the engine. Default: off, where the "
    "template can.",
)
@click.option(
    "--thinking-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    help="Longest thinking, which is then closed; the answer has --max-tokens on top. Default: 4096.",
)
@_options.day
@_model_options.judges
@_model_options.judging
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
@click.option(
    "--label", "label_column", default="label", show_default=True, help="Column of the labels: good/bad or 1/0."
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the scores to this file as a pull request comment.",
)
@click.option(
    "--inspect",
    "inspect_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write transcripts to this folder, for `inspect view --log-dir`.",
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
    dataset: str | None,
    out: Path | None,
    push: bool,
    create_pr: bool,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
    markdown: Path | None,
    inspect_folder: Path | None,
    inspect_site: Path | None,
    **settings: Any,
) -> None:
    """Evaluate each MODEL on every assistant turn of the test set, greedily or with several --samples.

    MODEL is a repository on the Hub (owner/name[@revision]), openai:ID for an endpoint, replay:FILE for recorded
    answers, or logged:NAME for those that a job's test set was made from. Weights come as safetensors; vLLM runs on a
    CUDA device where there is one, else on the CPU. With --judge the answers are judged too, those of all models by one
    start of each judge; a run that is there already gets its verdicts with --resume, without asking the model again.
    With --fast on the CPU, the engine is not kept to the arithmetic in which answers do not depend on what else is
    asked: the run's record says in what it computed, tft compare takes no two of different arithmetic, and only runs
    without it are promised to be repeated, or resumed, to the same answers.
    With --adapters, MODEL is the base, and evaluated itself only --with-base, which pushes results alone; each adapter
    (also one in the folder `adapter` of a trained model's repository) gets a run, results and a card of its own.
    """
    from harness.data.tasks import REPOSITORY
    from harness.hub.connect import connected
    from harness.models.names import ModelName
    from harness.stages._requests import EvaluateRequest, JudgeRequest
    from harness.stages.evaluate import run

    _check(push, create_pr, settings["results_only"], inspect_folder, inspect_site)
    for name in models:  # said before a Hub is asked for anything
        ModelName.parse(name)
    base, names = _on_base(models, adapters) if adapters or settings["with_base"] else (None, models)
    judges = _model_options.named_judges(settings)
    judge = _model_options.inference_options(settings, "judge_", shared=False)
    others = {name: settings.pop(name) for name in ("ask_everything", "labels", "label_column")}
    judging = JudgeRequest(judges=judges, asking=judge, baselines=settings.pop("judge_baselines"), **others)
    asking = _model_options.inference_options(settings)
    with connected(hub) as client:
        owner = client.namespace(namespace) if push or not dataset else None
        request = EvaluateRequest(
            **settings,
            models=names,
            base=base,
            dataset=dataset or f"{owner}/{REPOSITORY}",
            asking=asking,
            judging=judging,
            run=out,
            transcripts=inspect_folder,
            site=inspect_site,
            namespace=owner if push else None,
            create_pr=create_pr,
        )
        result = run(request, client)
    _show(result, as_json, markdown)


def _on_base(models: tuple[str, ...], adapters: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the base and its adapters; UsageError where they cannot be that."""
    from harness.errors import UsageError
    from harness.models.names import ModelName

    names = [ModelName.parse(name) for name in (*models, *adapters)]
    others = [str(name) for name in names if name.backend != "vllm"]
    if others:
        raise UsageError(f"{others[0]} is on no Hub; --adapters takes the repositories of a base model's adapters")
    if not adapters:
        raise UsageError("--with-base evaluates the base of --adapters too; name them, or leave it out")
    if len(models) != 1:
        raise UsageError(f"--adapters changes one base model, got {len(models)} models; name the one they share")
    return models[0], adapters


def _check(push: bool, create_pr: bool, results_only: bool, folder: Path | None, site: Path | None) -> None:
    """Raise UsageError where a push or transcripts are asked for that could not be made: before the answers are."""
    from importlib.util import find_spec

    from harness.errors import UsageError

    if results_only and (create_pr or not push):
        raise UsageError("--results-only pushes to the results dataset alone; leave out --create-pr and --no-push")
    if create_pr and not push:
        raise UsageError("--create-pr says how to push; leave out --no-push")
    if site and not folder:
        raise UsageError("--inspect-site shows transcripts; say with --inspect where to write them")
    if folder and find_spec("inspect_ai") is None:
        raise UsageError("--inspect needs Inspect; install it: pip install 'tft-harness[inspect]'")


def _show(result: EvaluateResult, as_json: bool, markdown: Path | None) -> None:
    import json

    from harness.data.formats.jsonl import write_atomic
    from harness.evaluation.report_json import dump_report
    from harness.reports.evaluation_tables import as_comment, print_report

    if markdown:
        write_atomic(markdown, [as_comment([one.scorecard.report for one in result.evaluations])])
    for one, addresses in zip(result.evaluations, result.pushed, strict=True):
        report = one.scorecard.report
        if as_json:
            echo(json.dumps({"folder": str(one.folder), "pushed": list(addresses), "report": dump_report(report)}))
        else:
            print_report(report)
        say(f"rows and report: {one.folder}")
        for address in addresses:
            say(f"pushed: {address}")
