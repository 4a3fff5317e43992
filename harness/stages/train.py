"""Stage `train`: a student at one commit and a dataset at one commit become a model repository."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.formats.jsonl import write_atomic, write_json
from harness.data.locks import locked
from harness.errors import UsageError
from harness.hub.artifact import README, Artifact
from harness.hub.client import Hub
from harness.models.prompts import form_notes
from harness.reports.model_card import CardPlace, identify, render_card
from harness.stages._result import StageResult, deliver, reusable
from harness.stages._training_inputs import STAGE, VERSION, WORK, PreparedTraining, TrainRequest, prepare, run_folder
from harness.terminal import progress
from harness.training.run_summary import TrainingFacts
from harness.training.student_files import write_tokenizer

if TYPE_CHECKING:
    from harness.training.loop import LogEntry, Trained

__all__ = ["STAGE", "VERSION", "TrainResult", "run"]

MODEL, ADAPTER = "model", "adapter"
"""Folders of a run: the files of the model repository; the adapter in it."""

LOG = "log.jsonl"

_TOLERANCE = 1e-4
"""Largest difference of a logit, in float32, that rounding may make between merged weights and base and adapter."""

_PROBES, _PROBE_TOKENS = 4, 512
_ENDS = 20
"""First and last loss are means over this part of the steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult(StageResult):
    """The model; its `folder` is that of the run, with the repository's files in `model`."""

    facts: TrainingFacts | None = None
    """What its card says; None where it was there already."""


def run(request: TrainRequest, hub: Hub) -> TrainResult:
    """Train, merge, check and write the model, and push it in one commit, or find it on the Hub.

    Under `accelerate launch` every process trains and the first one alone writes. Raises HarnessError.
    """
    with _own(request.run):  # at once, before a minute has gone into models and data
        prepared = prepare(request, hub)
        lineage, place = prepared.lineage, request.place
        if found := reusable(lineage, hub, place, "model"):
            return TrainResult(artifact=found.artifact, folder=None, reused=True)
        folder = run_folder(place, lineage)
        with _own(None if request.run else folder):
            return _make(prepared, request.run or folder, hub)


def _own(folder: Path | None) -> AbstractContextManager[None]:
    """Keep other processes out of the folder of a run; of those that train together the first one speaks for all."""
    return locked(folder) if folder and is_first_process() else nullcontext()


def _make(prepared: PreparedTraining, folder: Path, hub: Hub) -> TrainResult:
    """Train in the folder of the run, and bring the model to its place."""
    request, lineage = prepared.request, prepared.lineage
    _check_folder(folder, resume=request.resume)
    trained = _train(prepared, folder / WORK, resume=request.resume)
    if not is_first_process():
        return TrainResult(artifact=None, folder=None, reused=False)
    facts = _write_model(prepared, trained, folder / MODEL, hub)
    lineage = replace(lineage, extra={"training": facts.dump()})
    done = deliver(folder / MODEL, lineage, hub, request.place, kind="model")
    return TrainResult(artifact=done.artifact, folder=folder, reused=False, facts=facts)


def is_first_process() -> bool:
    """Whether this process writes: alone, or the first of those that `accelerate launch` has started."""
    return int(os.environ.get("RANK", "0")) == 0


def _check_folder(folder: Path, *, resume: bool) -> None:
    if (folder / WORK).exists() and not resume:
        raise UsageError(f"{folder} already holds a training run; add --resume to continue it, or give another --out")


def _train(prepared: PreparedTraining, work: Path, *, resume: bool) -> Trained:
    from harness.training.loop import train

    return train(
        prepared.checkpoint.folder,
        prepared.examples,
        prepared.config,
        work,
        pad_token_id=prepared.rendering.pad,
        resume=resume,
    )


def _write_model(prepared: PreparedTraining, trained: Trained, folder: Path, hub: Hub) -> TrainingFacts:
    """Write the files of the model repository but its lineage, and return what its card says."""
    if folder.exists():
        shutil.rmtree(folder)  # a part of an interrupted write; it is made from the trained weights again
    folder.mkdir(parents=True)
    difference = _write_weights(prepared, trained, folder)
    checkpoint = prepared.checkpoint
    write_tokenizer(checkpoint.folder, checkpoint.artifact.repo_id, prepared.rendering, folder)
    write_atomic(folder / "chat_template.jinja", [prepared.rendering.template])
    plot = _write_log(trained, folder.parent / WORK, folder / "training")
    facts = _facts(prepared, trained, difference, plot)
    identity = identify(str(prepared.request.place.repo_id))
    place = CardPlace(namespace=identity.owner, endpoint=hub.endpoint, whole=True)
    text = render_card(None, identity, prepared.task.task, training=facts, place=place)
    write_atomic(folder / README, [text])
    return facts


def _write_weights(prepared: PreparedTraining, trained: Trained, folder: Path) -> float | None:
    """Write merged weights and the adapter, or the weights as they were trained; return the merge's difference."""
    if prepared.config.method == "full":
        shutil.copytree(trained.folder, folder, dirs_exist_ok=True)
        return None
    from harness.training.merge import merge

    probes = [example.input_ids[:_PROBE_TOKENS] for example in prepared.examples.items[:_PROBES]]
    with progress("merging"):
        difference = merge(prepared.checkpoint.folder, trained.folder, folder, probes=probes, tolerance=_TOLERANCE)
    shutil.copytree(trained.folder, folder / ADAPTER)
    _name_base(folder / ADAPTER / "adapter_config.json", prepared.checkpoint.artifact)
    return difference


def _name_base(path: Path, base: Artifact) -> None:
    """Let the adapter name its base by repository and commit, in place of a folder of this machine."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base.repo_id, "revision": base.revision}
    config["target_modules"] = sorted(config["target_modules"])  # a set, in another order each time
    write_json(path, config)


def _write_log(trained: Trained, work: Path, folder: Path) -> str:
    """Write the log and the plot of the loss, and return what it shows in words."""
    from harness.reports.evaluation_plots import draw_loss

    plot = draw_loss(trained.log, folder)
    shutil.copyfile(work / LOG, folder / LOG)
    return plot.alt


def _facts(prepared: PreparedTraining, trained: Trained, difference: float | None, plot: str) -> TrainingFacts:
    examples, artifact = prepared.examples.items, prepared.checkpoint.artifact
    return TrainingFacts(
        student=str(artifact),
        dataset=prepared.data.inputs[0],
        task=prepared.task.source,
        settings=prepared.config.model_dump(),
        template=prepared.rendering.source,
        prompts=tuple(form_notes(prepared.rendering.form)),
        date=prepared.rendering.day.isoformat() if prepared.rendering.day else None,
        conversations=len(prepared.data.conversations),
        examples=len(examples),
        turns=sum(len(example.turns) for example in examples),
        tokens=sum(len(example.input_ids) for example in examples),
        learned_tokens=sum(end - start for example in examples for start, end in example.turns),
        skipped=prepared.examples.skipped,
        counted=prepared.data.counts,
        steps=trained.steps,
        seconds=round(trained.seconds, 1),
        first_loss=_mean_loss(trained.log[: len(trained.log) // _ENDS + 1]),
        last_loss=_mean_loss(trained.log[-(len(trained.log) // _ENDS + 1) :]),
        seen_tokens=trained.tokens,
        computed_tokens=trained.computed,
        sharing=trained.sharing,
        batches=trained.batches,
        precision=trained.precision,
        merge_difference=difference,
        loss_plot=plot,
        roles=prepared.roles,
    )


def _mean_loss(entries: Sequence[LogEntry]) -> float:
    return sum(entry.loss for entry in entries) / len(entries)
