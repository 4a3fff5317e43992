"""Stage `train`: a student at one commit and a dataset at one commit become a model repository."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.formats.jsonl import write_atomic, write_json
from harness.data.records import Task
from harness.errors import DataError, UsageError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.hub.publishing import find_made, push_folder
from harness.models.engine.checkpoint import Checkpoint, pull_checkpoint
from harness.models.names import ModelName
from harness.models.prompts import load_tokenizer
from harness.reports.model_card import identify, render_card, render_trained
from harness.terminal import progress, say
from harness.training.config import TrainConfig
from harness.training.data import TrainingData, read_training_data
from harness.training.data_credits import read_roles
from harness.training.examples import TrainingExamples, make_examples
from harness.training.run_summary import TrainingFacts

if TYPE_CHECKING:
    from harness.training.loop import LogEntry, Trained
    from harness.training.rendering import TrainingRendering

STAGE = "train"
VERSION = 1
WORK, MODEL, ADAPTER = "work", "model", "adapter"
"""Folders of a run: checkpoints and logs; the files of the model repository; the adapter in it."""

LOG = "log.jsonl"

_TOLERANCE = 1e-4
"""Largest difference of a logit, in float32, that rounding may make between merged weights and base and adapter."""

_PROBES, _PROBE_TOKENS = 4, 512
_ENDS = 20
"""First and last loss are means over this part of the steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What is trained on what."""

    source: str
    """REPO[@revision], or a file of conversations in any known layout."""
    arm: str | None
    student: ModelName
    task: Task
    task_input: str
    """Where the task comes from, as an input of the lineage."""
    repo_id: str
    config: TrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What came out: the folder of the repository's files, and the artifact once it is pushed."""

    folder: Path | None
    lineage: Lineage
    facts: TrainingFacts | None
    artifact: Artifact | None
    reused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    checkpoint: Checkpoint
    data: TrainingData
    rendering: TrainingRendering
    examples: TrainingExamples
    lineage: Lineage


def train_student(
    request: TrainRequest, hub: Hub, *, out: Path | None, resume: bool, push: bool, force: bool = False
) -> TrainedModel:
    """Train, merge, check and write the model, and push it to `request.repo_id` in one commit.

    A model with the same fingerprint that is on the Hub already is reused unless `force`. `out` is the folder of
    the run, by default `runs/<name>-<fingerprint>`; a run that is there is gone on with by `resume`. Under
    `accelerate launch` every process trains and the first one alone writes. Raises HarnessError.
    """
    prepared = _prepare(request, hub)
    lineage = prepared.lineage
    if push and not force and (found := find_made(hub, "model", request.repo_id, lineage.fingerprint())):
        return TrainedModel(folder=None, lineage=lineage, facts=None, artifact=found, reused=True)
    folder = out or Path("runs") / f"{request.repo_id.replace('/', '--')}-{lineage.fingerprint()}"
    _check_folder(folder, resume=resume)
    trained = _train(prepared, request.config, folder / WORK, resume=resume)
    if not is_first_process():
        return TrainedModel(folder=None, lineage=lineage, facts=None, artifact=None)
    facts = _write_model(prepared, request, trained, folder / MODEL, hub)
    artifact = None
    if push:
        with progress("pushing the model"):
            message = f"{STAGE}: {lineage.fingerprint()}"
            artifact = push_folder(hub, "model", request.repo_id, folder / MODEL, message=message, tags=[lineage.tag()])
    return TrainedModel(folder=folder, lineage=lineage, facts=facts, artifact=artifact)


def is_first_process() -> bool:
    """Whether this process writes: alone, or the first of those that `accelerate launch` has started."""
    return int(os.environ.get("RANK", "0")) == 0


def _prepare(request: TrainRequest, hub: Hub) -> _Prepared:
    """Pull student and data, and render every example: what cannot be trained on is said before anything is."""
    from harness.training.rendering import choose_rendering

    name, config = request.student, request.config
    artifact = hub.resolve("model", name.id, name.revision)
    say(f"pulling {artifact}")
    checkpoint = pull_checkpoint(hub, artifact)
    data = read_training_data(request.source, hub, arm=request.arm, task=request.task, limit=config.limit)
    with progress("rendering conversations"):
        tokenizer = load_tokenizer(checkpoint.folder, name.id)
        rendering = choose_rendering(tokenizer, request.task, name.id, data.conversations)
        limit = min((one for one in (config.max_length, checkpoint.context) if one), default=None)
        examples = make_examples(data.conversations, rendering, expand_turns=config.expand_turns, max_length=limit)
    for what, count in (*data.counts.items(), *examples.skipped.items()):
        say(f"{what}: {count}")
    if examples.split:
        say(f"conversations in several examples, because their tokens depend on what follows: {examples.split}")
    if not examples.items:
        raise DataError(
            f"nothing in {request.source} can be learned from ({_counts(examples.skipped) or 'no assistant turn'}); "
            f"the longest example may have {limit} tokens"
        )
    settings = {**config.model_dump(), "arm": request.arm, "template": rendering.source, "form": asdict(rendering.form)}
    inputs = (str(artifact), *data.inputs, request.task_input)
    lineage = Lineage(stage=STAGE, version=VERSION, config=settings, inputs=inputs, seed=config.seed)
    return _Prepared(checkpoint=checkpoint, data=data, rendering=rendering, examples=examples, lineage=lineage)


def _counts(counts: dict[str, int]) -> str:
    return "; ".join(f"{what}: {count}" for what, count in counts.items())


def _check_folder(folder: Path, *, resume: bool) -> None:
    if (folder / WORK).exists() and not resume:
        raise UsageError(f"{folder} already holds a training run; add --resume to go on with it, or give another --out")


def _train(prepared: _Prepared, config: TrainConfig, work: Path, *, resume: bool) -> Trained:
    from harness.training.loop import train

    return train(
        prepared.checkpoint.folder,
        prepared.examples,
        config,
        work,
        pad_token_id=_pad_token(prepared),
        resume=resume,
    )


def _pad_token(prepared: _Prepared) -> int:
    """Return any token: padding is masked."""
    tokenizer = prepared.rendering.tokenizer
    found = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return int(found or 0)


def _write_model(prepared: _Prepared, request: TrainRequest, trained: Trained, folder: Path, hub: Hub) -> TrainingFacts:
    """Write the files of the model repository, and return what its card says."""
    if folder.exists():
        shutil.rmtree(folder)  # a part of an interrupted write; it is made from the trained weights again
    folder.mkdir(parents=True)
    difference = _write_weights(prepared, request.config, trained, folder)
    tokenizer = prepared.rendering.tokenizer
    tokenizer.save_pretrained(folder)
    write_atomic(folder / "chat_template.jinja", [prepared.rendering.template])
    _write_generation(prepared, folder)
    plot = _write_log(trained, folder.parent / WORK, folder / "training")
    roles = read_roles(hub, prepared.data.inputs[0])
    facts = replace(_facts(prepared, request, trained, difference, plot), roles=roles)
    lineage = replace(prepared.lineage, extra={"training": facts.dump()})
    write_json(folder / LINEAGE, lineage.dump())
    identity = identify(request.repo_id)
    if identity.scenario:
        namespace = identity.owner
        text = render_card(None, identity, request.task, namespace=namespace, endpoint=hub.endpoint, training=facts)
    else:
        text = render_trained(facts, identity, endpoint=hub.endpoint)
    write_atomic(folder / "README.md", [text])
    return facts


def _write_weights(prepared: _Prepared, config: TrainConfig, trained: Trained, folder: Path) -> float | None:
    """Write merged weights and the adapter, or the weights as they were trained; return the merge's difference."""
    if config.method == "full":
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
    """Let the adapter name its base by repository and commit, in the place of a folder of this machine."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base.repo_id, "revision": base.revision}
    config["target_modules"] = sorted(config["target_modules"])  # a set, in another order each time
    write_json(path, config)


def _write_generation(prepared: _Prepared, folder: Path) -> None:
    """Write the student's generation settings with the tokens that end a turn here: a model must know to stop."""
    from transformers import GenerationConfig

    source = prepared.checkpoint.folder
    known = (source / "generation_config.json").is_file()
    settings = GenerationConfig.from_pretrained(source) if known else GenerationConfig()
    settings.eos_token_id = sorted(prepared.rendering.end_ids)
    settings.save_pretrained(folder)


def _write_log(trained: Trained, work: Path, folder: Path) -> str:
    """Write the log and the plot of the loss, and return what it shows in words."""
    from harness.reports.training_loss import draw_loss

    plot = draw_loss(trained.log, folder)
    shutil.copyfile(work / LOG, folder / LOG)
    return plot.alt


def _facts(
    prepared: _Prepared, request: TrainRequest, trained: Trained, difference: float | None, plot: str
) -> TrainingFacts:
    examples, artifact = prepared.examples.items, prepared.checkpoint.artifact
    return TrainingFacts(
        student=str(artifact),
        dataset=prepared.data.inputs[0],
        task=request.task_input,
        settings=request.config.model_dump(),
        template=prepared.rendering.source,
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
        merge_difference=difference,
        loss_plot=plot,
    )


def _mean_loss(entries: Sequence[LogEntry]) -> float:
    return sum(entry.loss for entry in entries) / len(entries)
