"""`tft student`: small models made on the spot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness.commands import _options
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.hub import Hub
    from harness.student import StudentSummary
    from harness.training.data import TrainingData
    from harness.training.pretrain import Start

_POSITIVE = click.FloatRange(min=0, min_open=True)
_UNITS = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}


class Pretraining(NamedTuple):
    """What a student is given a start on, and how."""

    dataset: str
    epochs: float
    learning_rate: float


@click.group(epilog="\b\nExample:\n  tft student create tiny-student --params 4M")
def command() -> None:
    """Make small students, to try things out without a download."""


def _read_count(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMB]?)", value.strip().upper())
    if not match or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no number of parameters; write one like 4M, 500K or 4000000")
    return int(float(match[1]) * _UNITS[match[2]])


@command.command(
    epilog="\b\nExamples:\n  tft student create tiny-student\n"
    "  tft student create my-org/student-20m --params 20M --texts my-org/tft-benchmark-testset\n"
    "  tft student create tiny-student --out student --no-push\n"
    "  tft data dialogues --out dialogues.jsonl\n"
    "  tft student create talker --params 1.6M --vocabulary 2048 --pretrain dialogues.jsonl"
)
@click.argument("repo")
@click.option("--params", "parameters", default="4M", show_default=True, callback=_read_count, help="Size to aim for.")
@click.option(
    "--texts",
    "sources",
    multiple=True,
    metavar="FILE|DATASET",
    help="What the tokenizer is trained on: text or JSON lines files, or dataset repositories; repeatable. "
    "Default: the conversations of --pretrain, else the sample task.",
)
@click.option("--vocabulary", type=click.IntRange(min=1), default=4096, show_default=True, help="Most tokens to have.")
@click.option("--context", type=click.IntRange(min=1), default=16384, show_default=True, help="Longest sequence.")
@click.option(
    "--pretrain",
    "dataset",
    metavar="FILE|DATASET[@REVISION]",
    help="Conversations to start on, in any known layout: all weights are trained on the assistant's turns.",
)
@click.option("--pretrain-epochs", "epochs", type=_POSITIVE, default=2.0, show_default=True, help="Times to read them.")
@click.option(
    "--pretrain-rate", "learning_rate", type=_POSITIVE, default=2e-3, show_default=True, help="Peak learning rate."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same files.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Keep the files in this folder.")
@click.option("--push/--no-push", default=True, show_default=True, help="Push to the Hub; --no-push needs --out.")
@_options.hub
@_options.namespace
@_options.as_json
def create(
    *,
    repo: str,
    sources: tuple[str, ...],
    out: Path | None,
    push: bool,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
    dataset: str | None,
    epochs: float,
    learning_rate: float,
    **shape: int,
) -> None:
    """Make a Qwen3-shaped model and its tokenizer, and push it to REPO.

    REPO is `owner/name`, or a name under --namespace. The model has random weights and is there to try the
    harness with, unless --pretrain gives it a start: then it is a small student that `tft train` can teach
    a task. Either can be evaluated like any other.
    """
    _options.share_cores()
    import shutil
    import tempfile

    from harness.hub import connected
    from harness.stages._repository import render
    from harness.terminal import progress

    if not push and not out:
        raise UsageError("nothing would be kept: give --out DIR, or leave out --no-push")
    with connected(hub) as client, tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        repo_id = repo if "/" in repo or not push else f"{client.namespace(namespace)}/{repo}"
        folder = Path(scratch) / "student"
        pretraining = Pretraining(dataset, epochs, learning_rate) if dataset else None
        student, start = _create(client, folder, sources, shape, pretraining)
        card = render("sample/student.md.j2", name=repo_id.rsplit("/", 1)[-1], student=student, start=start)
        (folder / "README.md").write_text(card, encoding="utf-8")
        done = f"pretrained on {start.conversations:,} conversations" if start else "random weights"
        report: dict[str, Any] = {"repo": repo_id, "parameters": student.parameters, "training": done}
        if out:
            shutil.copytree(folder, out, dirs_exist_ok=True)
            report["folder"] = str(out)
        if push:
            with progress("pushing the student"):
                artifact = client.publish("model", repo_id, folder, message=f"{done.capitalize()}, seed {student.seed}")
            report |= {"revision": artifact.revision, "url": client.url(artifact)}
    _print(report, as_json)


def _create(
    hub: Hub, folder: Path, sources: tuple[str, ...], shape: dict[str, int], pretraining: Pretraining | None
) -> tuple[StudentSummary, Start | None]:
    from transformers.utils import logging

    from harness.student import conversation_texts, create_student, read_texts, sample_texts
    from harness.terminal import progress
    from harness.training.data import read_training_data

    logging.disable_progress_bar()  # its bar for a file of some megabytes would break ours
    data = read_training_data(pretraining.dataset, hub, arm=None) if pretraining else None
    with progress("making the student"):
        given = read_texts(hub, sources) if sources else None
        texts = given or (conversation_texts(data.conversations) if data else sample_texts())
        student = create_student(folder, texts=texts, **shape)
    if not pretraining or not data:
        return student, None
    return student, _pretrain(folder, data, student, pretraining)


def _pretrain(folder: Path, data: TrainingData, student: StudentSummary, pretraining: Pretraining) -> Start:
    from harness.training.pretrain import pretrain, pretrain_config
    from harness.wire.jsonl import write_json

    config = pretrain_config(epochs=pretraining.epochs, learning_rate=pretraining.learning_rate, seed=student.seed)
    start = pretrain(folder, data, config)
    write_json(folder / "lineage.json", start.lineage(student).dump())
    return start


def _print(report: dict[str, Any], as_json: bool) -> None:
    import json

    if as_json:
        click.echo(json.dumps(report))
        return
    where = f"{report['url']}  {report['revision']}" if "url" in report else report["folder"]
    click.echo(f"{where}  ({report['parameters']:,} parameters, {report['training']})")
