"""`tft train`: fine-tune a student on conversations, and push the merged weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.errors import AccessDenied, DataError, RepoNotFound, UsageError
from harness.terminal import echo, say, write

if TYPE_CHECKING:
    from datetime import date

    from harness.hub.client import Hub
    from harness.hub.jobs import JobOptions
    from harness.stages.train import TrainResult
    from harness.training.config import TrainConfig


@click.command(
    epilog="""\b
Examples:
  tft train me/tft-benchmark-s1-traces --arm direct --student Qwen/Qwen3-1.7B --to me/tft-benchmark-s1-direct-Qwen3-1.7B
  tft train traces.jsonl --task job_description.json --student me/student@v1 --to me/trained --epochs 2
  tft train traces.jsonl --student me/student --to me/trained --set lora_rank=16 --set learning_rate=1e-4
  tft train me/traces --arm direct --student me/student --to me/trained --jobs hf:a100-large --dry-run
  torchrun --standalone --nproc-per-node 2 -m harness.cli train traces.jsonl --student me/student --to me/trained
"""
)
@click.argument("dataset")
@click.option("--student", required=True, metavar="REPO[@REV]", help="The model to train.")
@click.option(
    "--to", "repo", required=True, metavar="REPO", help="The model repository to make, `owner/name` or a name."
)
@click.option("--arm", metavar="NAME", help="Which configuration of DATASET, where it has several: direct or tft.")
@click.option(
    "--task",
    metavar="FILE|REPO[@REV]",
    help="Task definition with system message and tools. Default: <namespace>/tft-benchmark-testset.",
)
@click.option("--epochs", type=float, help="Passes over the data. Default: 4.")
@click.option(
    "--expand-turns", is_flag=True, help="One example per turn, the published way, instead of one per conversation."
)
@click.option("--equal-turns", is_flag=True, help="Every turn counts the same, however long its answer is.")
@click.option(
    "--batch-size",
    metavar="N|auto",
    help="Conversations per forward pass. auto: as many of a step as memory holds (--set accumulation=16). Default: 1.",
)
@click.option("--seed", type=int, help="The same seed gives the same weights on the CPU. Default: 0.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set any setting, such as group_by_length=true; an unknown key lists all.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="YAML file of settings; options win over it.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run: checkpoints, log, model."
)
@_options.day
@click.option("--resume", is_flag=True, help="Go on with an interrupted run from its last checkpoint.")
@click.option("--push/--no-push", default=True, show_default=True, help="Push the model when it is trained.")
@click.option("--jobs", metavar="hf:FLAVOR", help="Run this command as a Hugging Face Job on rented hardware.")
@click.option("--dry-run", is_flag=True, help="With --jobs: show exactly what would run, and send nothing.")
@click.option("--package", metavar="URL", help="With --jobs: where tft-harness is installed from. Default: the index.")
@click.option("--job-timeout", metavar="TIME", default="6h", show_default=True, help="With --jobs: time limit.")
@click.option("--force", is_flag=True, help="Train even where the Hub has a model made from the same inputs.")
@_options.hub
@_options.namespace
@_options.as_json
def command(
    *,
    dataset: str,
    student: str,
    repo: str,
    arm: str | None,
    task: str | None,
    settings: tuple[str, ...],
    config_file: Path | None,
    out: Path | None,
    day: date | None,
    resume: bool,
    push: bool,
    force: bool,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
    jobs: str | None,
    dry_run: bool,
    package: str | None,
    job_timeout: str,
    **chosen: Any,
) -> None:
    """Fine-tune a student on the conversations of DATASET, and push merged weights, adapter, log and card to REPO.

    DATASET is a dataset repository or a JSON lines file in any known layout: published traces, question and answer
    rows, or OpenAI messages. LoRA on all linear layers with the published settings, unless set otherwise; whole
    conversations, loss on every assistant turn. What is trained is token for token what `tft evaluate` sends.
    """
    _options.share_cores()
    from harness.hub.connect import connected
    from harness.hub.jobs import JobOptions
    from harness.stages._result import OutputTarget
    from harness.stages._training_inputs import TrainRequest, trainable
    from harness.stages.train import run

    if dry_run and not jobs:
        raise UsageError("--dry-run shows a job and trains nothing; say with --jobs hf:FLAVOR which")
    if jobs:
        _check_job(dataset, task, config_file, out, hub)
    config = _config(config_file, settings, chosen)
    trainable(student)
    with connected(hub) as client:
        if jobs:
            options = JobOptions(package=package, timeout=job_timeout, namespace=namespace)
            _submit(client, jobs, options, dry_run=dry_run)
            return
        owner = None if "/" in repo else client.namespace(namespace)
        request = TrainRequest(
            source=dataset,
            arm=arm,
            student=student,
            task=task or _default_task(client, namespace),
            settings=config.model_dump(),
            run=out,
            resume=resume,
            day=day,
            place=OutputTarget(repo_id=repo if "/" in repo else f"{owner}/{repo}", push=push, force=force),
        )
        _show(client, run(request, client), as_json)


def _default_task(hub: Hub, namespace: str | None) -> str:
    """Return the test set of the namespace; UsageError that asks for --task where there is none."""
    from harness.data.tasks import REPOSITORY, no_task

    try:
        name = f"{hub.namespace(namespace)}/{REPOSITORY}"
        hub.find(name, "dataset")
    except (AccessDenied, RepoNotFound) as error:
        raise no_task(error) from error
    return name


_JOB_OPTIONS = {"--jobs": 1, "--package": 1, "--job-timeout": 1, "--dry-run": 0, "--hub": 1}
"""Options that are about the job and no part of its command, and how many words follow each."""


def _check_job(dataset: str, task: str | None, config: Path | None, out: Path | None, hub: str | None) -> None:
    """Raise UsageError for what only this machine has: a job sees the Hub and nothing else."""
    local = [name for name in (dataset, task or "") if name and Path(name).exists()]
    local += [str(config)] if config else []
    if local:
        raise UsageError(f"a job cannot read {', '.join(local)} of this machine; push it to the Hub and name that")
    if out:
        raise UsageError("--out is a folder of this machine, and a job keeps none; its model is pushed")
    if hub == "embedded":
        raise UsageError("a job cannot reach a Hub on this machine; leave out --hub embedded")


def _submit(hub: Hub, jobs: str, options: JobOptions, *, dry_run: bool) -> None:
    from harness.hub.jobs import parse_jobs, submit

    words = ["tft", *_without_job_options(sys.argv[1:])]
    spec = submit(words, flavor=parse_jobs(jobs), hub=hub, dry_run=dry_run, options=options)
    write(spec.text())
    if spec.url:
        say(f"running: {spec.url}")


def _without_job_options(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip = 0
    for word in words:
        name, equals, _ = word.partition("=")
        if skip:
            skip -= 1
        elif name in _JOB_OPTIONS:
            skip = 0 if equals else _JOB_OPTIONS[name]
        else:
            kept.append(word)
    return kept


def _config(file: Path | None, settings: tuple[str, ...], chosen: dict[str, Any]) -> TrainConfig:
    """Return the settings of the file, with those of the options over them; UsageError lists the valid keys."""
    from harness.curation.stage_settings import resolve
    from harness.data.formats.json_texts import read_text
    from harness.data.formats.yaml_lines import read_yaml
    from harness.training.config import TrainConfig

    values: dict[str, Any] = {}
    if file:
        try:
            values = read_yaml(read_text(file)) or {}
        except ValueError as error:
            raise DataError(f"cannot read {file} ({error}); expected YAML such as `epochs: 2`") from error
        if not isinstance(values, dict):
            raise DataError(f"{file} holds no settings; expected YAML such as `epochs: 2`")
    options = {key: value for key, value in chosen.items() if value is not False}
    return resolve(TrainConfig, values, _options.set_values(settings), options)


def _show(hub: Hub, model: TrainResult, as_json: bool) -> None:
    import json

    from harness.statistics.formatting import number

    facts = model.facts
    if as_json:
        report = {
            "folder": str(model.folder) if model.folder else None,
            "reused": model.reused,
            "revision": model.artifact.revision if model.artifact else None,
            "url": hub.page(model.artifact) if model.artifact else None,
            "training": facts.dump() if facts else None,
        }
        echo(json.dumps(report))
        return
    if facts:
        echo(
            f"{facts.steps} steps over {facts.conversations} conversations ({facts.turns} turns, {facts.tokens:,} "
            f"tokens per epoch) in {facts.seconds:.0f} s; "
            f"loss {number(facts.first_loss)} at first, {number(facts.last_loss)} at last"
        )
        if facts.computed_tokens is not None:
            shared = f"; what all conversations of a batch begin with is {facts.sharing}" if facts.sharing else ""
            say(f"{facts.computed_tokens:,} tokens computed for {facts.seen_tokens:,} of the examples{shared}")
        say(f"model, log and checkpoints: {model.folder}")
    if model.artifact:
        what = "there already, made from the same inputs" if model.reused else "pushed"
        say(f"{what}: {hub.page(model.artifact)}  {model.artifact.revision}")
