"""`tft export`: conversations for other trainers and the Hub's trace viewer, models and results for other tools."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options
from harness.terminal import echo, progress, say

if TYPE_CHECKING:
    from harness.data.records import Task
    from harness.hub.client import Hub

MODEL = "gguf"
"""The format of a model."""
RESULTS = "eee"
"""The format of results; the others are of conversations."""


@click.command(
    epilog="""\b
Examples:
  tft export me/my-agent-synthetic --format trl --task me/my-agent-testset --out train.jsonl
  tft export my-agent --format sharegpt --out data/my_agent.jsonl      # a job folder
  tft export traces.jsonl --format openai --out fine-tuning.jsonl
  tft export relabelled --format sts --out sessions                    # a file per conversation
  tft export me/my-agent-tft-Qwen3-1.7B --format gguf --out my-agent.gguf   # a model, for llama.cpp and Ollama
  tft export runs/first --format eee --out record.json                 # results, for Every Eval Ever
  tft export runs/first --format eee --out eee                         # with every turn
"""
)
@click.argument("source", metavar="INPUT")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["trl", "sharegpt", "openai", "sts", MODEL, RESULTS]),
    required=True,
    help="trl: messages and tools. sharegpt: as LLaMA-Factory reads it. openai: fine-tuning. sts: sessions. gguf: a "
    "model. eee: results.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="File (.jsonl, .parquet, .gguf, .json); sts, and eee with its samples: a folder.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    help="gguf: type of the weights. Default: the model's own.",
)
@click.option(
    "--task",
    metavar="FILE|REPO",
    help="Task whose system message and tools are written. Default: a job folder's own; else what the rows have.",
)
@click.option(
    "--arm", metavar="NAME", help="Which configuration of a dataset, where it has several: tft, direct, a model."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows.")
@_options.hub
@_options.as_json
def command(
    *, source: str, kind: str, out: Path, dtype: str | None, task: str | None, arm: str | None, limit: int | None,
    hub: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Write conversations in a format that others read; INPUT is a file, a folder, or a dataset, as for the stages.

    With a task, each conversation has the system message and the tools that `tft train` and `tft evaluate` show a
    model. What cannot be read, what an earlier stage rejected and what the format cannot hold is left out, and counted.
    Of a test set the conversations are written, with a warning.

    With --format gguf, INPUT is a model on the Hub (architectures llama, qwen2 and qwen3). The file is read again, and
    its logits and its chat template are compared with the model's.

    With --format eee, INPUT is a results dataset or the folder of a run; of several models, --arm names one. The record
    has each metric with its interval and what decides about it. Where --out ends with .json, it is written alone; else
    --out is a folder, and the record is written below it with the samples: each turn's conversation, answer and score.
    """
    from contextlib import nullcontext
    from itertools import islice

    from harness.data.tasks import TASK
    from harness.data.traces.trace_input import CONVERSATIONS, read_input
    from harness.data.training_files import Instructions, export
    from harness.errors import UsageError
    from harness.hub.connect import connected
    from harness.models.prompts import system_message

    if kind == RESULTS:
        if task or limit or dtype:
            raise UsageError("--task, --limit and --dtype are not for results; leave them out with --format eee")
        return _export_results(source, out, arm, hub, as_json)
    if kind == MODEL:
        if task or arm or limit:
            raise UsageError("--task, --arm and --limit are for conversations; leave them out with --format gguf")
        return _export_model(source, out, dtype or "auto", hub, as_json)
    if dtype:
        raise UsageError("--dtype is for models; leave it out, or add --format gguf")
    own = Path(source) / TASK
    named = task or (str(own) if own.is_file() else None)
    local = Path(source).exists() and (named is None or Path(named).is_file())
    with nullcontext(None) if local else connected(hub) as opened, progress("writing conversations") as advance:
        found = read_input(source, opened, arm=arm, tests=True)
        if out.exists() and out.samefile(found.path):
            raise UsageError(f"{out} is what is read; name another file with --out")
        if found.path.as_posix().endswith(CONVERSATIONS):
            say(f"{found.name} is a test set: a model trained on it cannot be evaluated on it")
        described = _task(named, opened) if named else None
        instructions = Instructions(system=system_message(described), tools=described.tools) if described else None
        rows = (advance() or row for row in islice(found.rows(), limit))
        counts = export(rows, kind, out, instructions)
    for reason, number in counts.left_out.items():
        say(f"left out, {reason}: {number}")
    if counts.problem:
        say(f"the first row that cannot be read: {counts.problem}")
    for note, number in counts.notes.items():
        say(f"{note}: {number}")
    if as_json:
        echo(json.dumps({"input": found.name, "out": str(out), "format": kind, **counts.as_dict()}))
    else:
        echo(f"{out}  {counts.written} conversations")


def _export_model(model: str, out: Path, dtype: str, hub: str | None, as_json: bool) -> None:
    from importlib.util import find_spec

    from harness.errors import UsageError
    from harness.hub.connect import connected

    if missing := [one for one in ("gguf", "torch") if not find_spec(one)]:
        raise UsageError(f"this takes {' and '.join(missing)}; install: pip install 'tft-harness[train]'")
    from harness.models.exports.gguf import export_gguf

    with connected(hub) as opened:
        made = export_gguf(model, opened, out, dtype)
    if as_json:
        echo(json.dumps({"out": str(out), "format": MODEL, **asdict(made)}))
        return
    say(f"relative error of the logits, as transformers reads the file: {made.logits_error:.1g}")
    if not made.template:
        say("the model has no chat template; llama.cpp will take one of its own")
    echo(f"{out}  {made.parameters:,} parameters in {made.dtype}, {made.bytes:,} bytes")


def _export_results(source: str, out: Path, arm: str | None, hub: str | None, as_json: bool) -> None:
    from datetime import UTC, datetime

    from harness.data.formats.jsonl import write_json
    from harness.data.tasks import pull_test_set
    from harness.errors import UsageError
    from harness.hub.connect import connected
    from harness.reports.every_eval_ever import eee_record, hub_results, local_report
    from harness.reports.every_eval_samples import local_rows, write_samples

    whole, now = out.suffix != ".json", datetime.now(UTC)
    if out.is_file() and whole:
        raise UsageError(f"{out} is a file; name a folder for the record and its samples, or a file that ends in .json")
    report = local_report(Path(source))
    if report and arm:
        raise UsageError("--arm names a model of a results dataset; leave it out for the folder of a run")
    owner = None if report else source.partition("/")[0]
    rows = local_rows(Path(source), report) if report and whole else ()
    if report is None:
        with connected(hub) as opened:
            report, rows = hub_results(opened, source, arm, with_rows=whole)
    counts, samples = {}, None
    if whole:
        with connected(hub) as opened:
            test_set = pull_test_set(opened, f"{report.run.dataset}@{report.run.dataset_revision}")
        made = write_samples(out, report, rows, test_set, organization=owner, made=now)
        record, place, samples = made.record, made.path, made.samples
        counts = {"samples": made.written, "samples_left_out": made.unscored}
    else:
        record, place = eee_record(report, organization=owner, made=now), out
        write_json(out, record)
    counts = {"results": len(record["evaluation_results"]), **counts}
    counts["left_out"] = len(report.rows["model"]) - counts["results"]
    if counts["left_out"]:
        say(f"left out, metrics without a value: {counts['left_out']}")
    if counts.get("samples_left_out"):
        say(f"left out, turns without a score, for which the format has no place: {counts['samples_left_out']}")
    if as_json:
        echo(json.dumps({"input": source, "out": str(place), "format": RESULTS, **counts}))
        return
    echo(f"{place}  {counts['results']} results of {record['model_info']['id']}")
    if samples:
        echo(f"{samples}  {counts['samples']} samples, one for each turn and metric")


def _task(named: str, hub: Hub | None) -> Task:
    from harness.data.formats.task import read_task
    from harness.data.tasks import find_task

    return read_task(Path(named)) if hub is None else find_task(named, hub, hub.namespace).task
