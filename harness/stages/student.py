"""Stage `student`: a small model from scratch, with random weights or pretrained on dialogues."""

from __future__ import annotations

import json
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from harness.data.formats.sgd import OTHER_SERVICES, write_dialogues
from harness.data.formats.strict_records import FrozenModel
from harness.data.locks import locked
from harness.data.sources import locate
from harness.data.tasks import TaskSource, find_task
from harness.hub.artifact import README, FileInput, dataset_name
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.stages._result import OutputTarget, StageResult, produce
from harness.terminal import progress
from harness.training.config import TrainConfig
from harness.training.data import TrainingData, read_training_data

STAGE = "student"
VERSION = 2
SOURCES = "sources"
"""In the place of a dataset: the dialogues about other services in the source files."""

_TASK_WEIGHT = 200
"""How often the task's text counts among the tokenizer's: it stands in every prompt, so its words should be tokens."""


class PretrainSettings(FrozenModel):
    """How a student is pretrained on dialogues."""

    epochs: float = 2.0
    learning_rate: float = 2e-3
    batch_size: int = 1


class StudentRequest(FrozenModel):
    """What is made."""

    parameters: int
    """Size to aim for."""
    vocabulary: int = 4096
    """Most tokens to have."""
    context: int = 16384
    """Longest sequence, in tokens."""
    seed: int = 0
    texts: tuple[str, ...] = ()
    """Files and datasets that the tokenizer learns from; empty: the dialogues, else the sample task."""
    task: str | None = None
    """Task whose description and tools the tokenizer learns too: a file or `owner/name[@revision]`."""
    dialogues: str | None = None
    """File or dataset of conversations to pretrain on, or `sources`; None: random weights."""
    limit: int | None = None
    """How many of them, drawn by the seed; None: all."""
    pretrain: PretrainSettings = PretrainSettings()
    """How it is pretrained, where there are dialogues."""
    learnable: bool = False
    """Without dialogues: random weights that all can be trained, instead of ones that give stable answers."""
    sources: Path | None = None
    """Folder of the source files, for `sources`; None: the one of the environment or the cache."""
    work: Path | None = None
    """Keeps what a kill would lose; a run that finds its own there goes on."""
    place: OutputTarget

    @property
    def shape(self) -> dict[str, int]:
        """What `harness.training.small_model.create_student` takes."""
        return self.model_dump(include={"parameters", "vocabulary", "context", "seed"})


def run(request: StudentRequest, hub: Hub) -> StageResult:
    """Make the student and bring it to its place, or find it on the Hub. Raises HarnessError."""
    with locked(request.work) if request.work else nullcontext():
        plan = _plan(request, hub)
        lineage = plan.lineage(hub)
        work = request.work and request.work / lineage.fingerprint()
        return produce(lineage, hub, request.place, partial(_make, plan, hub, work), "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The stage, ready to run."""

    request: StudentRequest
    data: TrainingData | None
    """The conversations to pretrain on, those that the limit leaves."""
    training: TrainConfig | None
    task: TaskSource | None

    def lineage(self, hub: Hub) -> Lineage:
        """Return what the student is made from."""
        request = self.request
        config: dict[str, Any] = {
            **request.shape,
            "limit": request.limit,
            "pretrain": self.training.deciding() if self.training else None,
        }
        if request.learnable:
            config["learnable"] = True
        inputs = [*(self.data.inputs if self.data else ()), *(_pinned(text, hub) for text in request.texts)]
        inputs += [self.task.source] if self.task else []
        return Lineage(stage=STAGE, version=VERSION, config=config, inputs=tuple(inputs), seed=request.seed)


def _plan(request: StudentRequest, hub: Hub) -> _Plan:
    """Return what a request names, its conversations read."""
    task = find_task(request.task, hub, hub.namespace) if request.task else None
    if request.dialogues is None:
        return _Plan(request=request, data=None, training=None, task=task)
    from harness.training.pretrain import pretrain_config

    training = pretrain_config(**request.pretrain.model_dump(), seed=request.seed)
    with tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        source = request.dialogues
        if source == SOURCES:
            source = str(Path(scratch) / "dialogues.jsonl")
            with progress("reading dialogues"):
                write_dialogues(locate(request.sources), Path(source), exclude=OTHER_SERVICES)
        data = read_training_data(source, hub, arm=None)
    if request.limit is not None:
        drawn = list(data.conversations)
        Random(f"{request.seed}:dialogues").shuffle(drawn)  # noqa: S311 -- no secret
        data = replace(data, conversations=tuple(drawn[: request.limit]))
    return _Plan(request=request, data=data, training=training, task=task)


def _pinned(source: str, hub: Hub) -> str:
    """Return a source of texts as an input: a file by its checksum, a dataset by its commit."""
    if Path(source).is_file():
        return str(FileInput.of(Path(source)))
    return str(hub.find(dataset_name(source), "dataset"))


def _make(plan: _Plan, hub: Hub, work: Path | None, folder: Path) -> dict[str, Any]:
    """Write the student with its card, and return what it is; `work` keeps the checkpoints of its pretraining."""
    from transformers.utils import logging

    from harness.reports.dataset_card import render
    from harness.training.pretrain import pretrain
    from harness.training.small_model import (
        conversation_texts,
        create_student,
        prepare_to_learn,
        read_texts,
        sample_texts,
    )

    request, data, start = plan.request, plan.data, None
    logging.disable_progress_bar()  # its bar for a file of some megabytes would break ours
    with progress("making the student"):
        given = read_texts(hub, request.texts) if request.texts else None
        texts = given or (conversation_texts(data.conversations) if data else sample_texts())
        summary = create_student(folder, texts=[*texts, *_task_texts(plan.task)], **request.shape)
    if data and plan.training:
        start = pretrain(folder, data, plan.training, work=work)
    elif request.learnable:
        prepare_to_learn(folder, request.seed)
    name = str(request.place.repo_id).rpartition("/")[2]
    card = render("sample/student.md.jinja", name=name, student=summary, start=start, learnable=request.learnable)
    (folder / README).write_text(card, encoding="utf-8")
    done = f"pretrained on {start.conversations:,} conversations" if start else "random weights"
    return {"parameters": summary.parameters, "training": done}


def _task_texts(task: TaskSource | None) -> list[str]:
    return [task.task.description, json.dumps(task.task.tools)] * _TASK_WEIGHT if task else []
