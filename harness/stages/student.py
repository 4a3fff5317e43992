"""Stage `student`: a small model made on the spot, with random weights or a start on dialogues."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from harness.data.formats.jsonl import write_json
from harness.data.tasks import TaskSource
from harness.errors import UsageError
from harness.hub.artifact import Artifact, FileInput
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.hub.publishing import find_made, push_folder
from harness.terminal import progress
from harness.training.config import TrainConfig
from harness.training.data import TrainingData, read_training_data

if TYPE_CHECKING:
    from harness.training.pretrain import Pretraining
    from harness.training.small_model import StudentSummary

STAGE = "student"
VERSION = 2
SOURCES = "sources"
"""In the place of a dataset: the dialogues about other services in the source files."""

_TASK_WEIGHT = 200
"""How often the task's text counts among the tokenizer's: it stands in every prompt, so its words should be tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRequest:
    """What is made."""

    repo_id: str
    shape: dict[str, int]
    """`parameters`, `vocabulary`, `context`, `seed`, as `harness.training.small_model.create_student` takes them."""
    texts: tuple[str, ...] = ()
    """Files and datasets that the tokenizer learns from; empty: the dialogues, else the sample task."""
    task: TaskSource | None = None
    """Whose description and tools the tokenizer learns too."""
    dialogues: str | None = None
    """File or dataset of conversations to start on, or `sources`; None: random weights."""
    limit: int | None = None
    """How many of them, drawn by the seed; None: all."""
    training: TrainConfig | None = None
    """How it starts; None without dialogues."""
    learnable: bool = False
    """Without dialogues: random weights that all can be trained, instead of ones that give stable answers."""
    source_files: Path | None = None
    """The folder of the source files, for `sources`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeStudent:
    """What came out; without a summary where it was there already."""

    artifact: Artifact | None
    reused: bool
    summary: StudentSummary | None = None
    start: Pretraining | None = None


def make_student(
    request: StudentRequest, hub: Hub, *, out: Path | None, push: bool, work: Path | None = None, force: bool = False
) -> MadeStudent:
    """Make the student, write it to `out`, push it to `request.repo_id`, or find it there with this fingerprint.

    `work` keeps what a kill would lose, and a run that finds its own there goes on. Raises HarnessError.
    """
    with _dialogues(request, hub) as data:
        lineage = _lineage(request, hub, data)
        found = find_made(hub, "model", request.repo_id, lineage.fingerprint()) if push and not (force or out) else None
        if found:
            return MadeStudent(artifact=found, reused=True)
        with tempfile.TemporaryDirectory(prefix="tft-") as scratch:
            folder = Path(scratch) / "student"
            summary, start = _make(request, hub, data, folder, work and work / lineage.fingerprint())
            _describe(request, lineage, summary, start, folder)
            if out:
                shutil.copytree(folder, out, dirs_exist_ok=True)
            artifact = None
            if push:
                with progress("pushing the student"):
                    message = f"{STAGE}: {lineage.fingerprint()}"
                    artifact = push_folder(hub, "model", request.repo_id, folder, message=message, tags=[lineage.tag()])
    return MadeStudent(artifact=artifact, reused=False, summary=summary, start=start)


@contextmanager
def _dialogues(request: StudentRequest, hub: Hub) -> Iterator[TrainingData | None]:
    """Yield the conversations to start on, those that `limit` leaves."""
    if request.dialogues is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        source = request.dialogues
        if source == SOURCES:
            source = str(Path(scratch) / "dialogues.jsonl")
            _write_dialogues(Path(source), request.source_files)
        data = read_training_data(source, hub, arm=None)
        if request.limit is not None:
            drawn = list(data.conversations)
            Random(f"{request.shape['seed']}:dialogues").shuffle(drawn)  # noqa: S311 -- no secret
            data = replace(data, conversations=tuple(drawn[: request.limit]))
        yield data


def _write_dialogues(path: Path, source_files: Path | None) -> None:
    from harness.data.sources import locate
    from harness.stages.sgd_dialogues import OTHER_SERVICES, write_dialogues

    with progress("reading dialogues"):
        write_dialogues(locate(source_files), path, exclude=OTHER_SERVICES)


def _lineage(request: StudentRequest, hub: Hub, data: TrainingData | None) -> Lineage:
    config: dict[str, Any] = {
        **request.shape,
        "limit": request.limit,
        "pretrain": request.training.model_dump() if request.training else None,
    }
    if request.learnable:
        config["learnable"] = True
    inputs = [*(data.inputs if data else ()), *(_pinned(text, hub) for text in request.texts)]
    inputs += [request.task.source] if request.task else []
    return Lineage(stage=STAGE, version=VERSION, config=config, inputs=tuple(inputs), seed=request.shape["seed"])


def _pinned(source: str, hub: Hub) -> str:
    """Return a source of texts as an input: a file by its checksum, a dataset by its commit."""
    if Path(source).is_file():
        return str(FileInput.of(Path(source)))
    if "/" not in source:
        raise UsageError(f"{source!r} is neither a file nor a dataset repository (owner/name); check the name")
    return str(hub.find(source, "dataset"))


def _make(
    request: StudentRequest, hub: Hub, data: TrainingData | None, folder: Path, work: Path | None
) -> tuple[StudentSummary, Pretraining | None]:
    from transformers.utils import logging

    from harness.training.pretrain import pretrain
    from harness.training.small_model import (
        conversation_texts,
        create_student,
        prepare_to_learn,
        read_texts,
        sample_texts,
    )

    logging.disable_progress_bar()  # its bar for a file of some megabytes would break ours
    with progress("making the student"):
        given = read_texts(hub, request.texts) if request.texts else None
        texts = given or (conversation_texts(data.conversations) if data else sample_texts())
        summary = create_student(folder, texts=[*texts, *_task_texts(request.task)], **request.shape)
    if data is None or request.training is None:
        if request.learnable:
            prepare_to_learn(folder, request.shape["seed"])
        return summary, None
    return summary, pretrain(folder, data, request.training, work=work)


def _task_texts(task: TaskSource | None) -> list[str]:
    return [task.task.description, json.dumps(task.task.tools)] * _TASK_WEIGHT if task else []


def _describe(
    request: StudentRequest, lineage: Lineage, summary: StudentSummary, start: Pretraining | None, folder: Path
) -> None:
    """Write the card and the lineage."""
    from harness.reports.dataset_card import render

    name = request.repo_id.rpartition("/")[2]
    card = render("sample/student.md.j2", name=name, student=summary, start=start, learnable=request.learnable)
    (folder / "README.md").write_text(card, encoding="utf-8")
    write_json(folder / LINEAGE, lineage.dump())
