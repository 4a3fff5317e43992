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
    help="File (.jsonl, .parquet, .gguf, .json); sts: a folder.",
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
    has each metric with its interval and what decides about it; texts and single scores stay in the results.
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
    from harness.errors import UsageError
    from harness.hub.connect import connected
    from harness.reports.every_eval_ever import eee_record, hub_report, local_report

    report, owner = local_report(Path(source)), None
    if report and arm:
        raise UsageError("--arm names a model of a results dataset; leave it out for the folder of a run")
    if report is None:
        with connected(hub) as opened:
            report, owner = hub_report(opened, source, arm), source.partition("/")[0]
    record = eee_record(report, organization=owner, made=datetime.now(UTC))
    write_json(out, record)
    number = len(record["evaluation_results"])
    if left := len(report.rows["model"]) - number:
        say(f"left out, metrics without a value: {left}")
    if as_json:
        echo(json.dumps({"input": source, "out": str(out), "format": RESULTS, "results": number, "left_out": left}))
    else:
        echo(f"{out}  {number} results of {record['model_info']['id']}")


def _task(named: str, hub: Hub | None) -> Task:
    from harness.data.formats.task import read_task
    from harness.data.tasks import find_task

    return read_task(Path(named)) if hub is None else find_task(named, hub, hub.namespace).task
