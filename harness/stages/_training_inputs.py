"""What stage `train` is asked for, and what it starts from: student and data pulled, every example rendered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.curation.stage_settings import resolve
from harness.data.formats.strict_records import FrozenModel
from harness.data.tasks import TaskSource, find_task
from harness.errors import UsageError
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.models.backends._base import DAY, SYSTEMS_REPLACED
from harness.models.engine.checkpoint import Checkpoint, pull_checkpoint
from harness.models.names import ModelName
from harness.models.prompts import Calendar, form_notes
from harness.stages._prompt_date import day_of_training, say_day, say_no_day
from harness.stages._result import OutputTarget
from harness.terminal import progress, say
from harness.training.config import TrainConfig
from harness.training.data import TrainingData, read_training_data
from harness.training.examples import TrainingExamples
from harness.training.loop import CHECKPOINTS
from harness.training.run_summary import read_roles
from harness.training.student_files import Rendered, ToRender, render_guarded

STAGE = "train"
VERSION = 1
WORK = "work"
"""Folder of a run with its checkpoints and its log."""


class TrainRequest(FrozenModel):
    """What is trained on what."""

    source: str
    """Conversations: a dataset `owner/name[@revision]`, or a file in any known layout."""
    arm: str | None = None
    """Configuration of the source, where it has several."""
    student: str
    """The model to train, `owner/name[@revision]`."""
    task: str
    """Task definition, a file or `owner/name[@revision]`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Of `TrainConfig`, where they are not its defaults."""
    run: Path | None = None
    """Folder of the run: checkpoints, log, model; None: `runs/<name>-<fingerprint>`."""
    resume: bool = False
    """Go on with a run that is there."""
    day: date | None = None
    """The day that the chat template takes for today; None: that of the first run."""
    place: OutputTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTraining:
    """What a training starts from, everything rendered."""

    request: TrainRequest
    config: TrainConfig
    task: TaskSource
    checkpoint: Checkpoint
    data: TrainingData
    rendering: Rendered
    examples: TrainingExamples
    lineage: Lineage
    roles: dict[str, str]
    """See `read_roles`."""


def run_folder(place: OutputTarget, lineage: Lineage) -> Path:
    """Return the folder of a run for which the user names none."""
    return Path("runs") / f"{str(place.repo_id).replace('/', '--')}-{lineage.fingerprint()}"


def trainable(student: str) -> ModelName:
    """Return the name of a model that can be trained; UsageError for another one."""
    name = ModelName.parse(student)
    if name.backend != "vllm":
        raise UsageError(f"{student} cannot be trained; name a model on the Hub, owner/name[@revision]")
    return name


def prepare(request: TrainRequest, hub: Hub) -> PreparedTraining:
    """Pull student and data, and render every example: what cannot be trained on is said before anything is."""
    name, config = trainable(request.student), resolve(TrainConfig, request.settings)
    task = find_task(request.task, hub, hub.namespace)
    artifact = hub.resolve("model", name.id, name.revision)
    say(f"pulling {artifact}")
    checkpoint = pull_checkpoint(hub, artifact)
    data = read_training_data(request.source, hub, arm=request.arm, task=task.task, limit=config.limit)
    config = config.with_passes(len(data.conversations))

    def lineage_of(rendering: Rendered) -> Lineage:
        settings = {
            **config.deciding(),
            **({DAY: rendering.day.isoformat()} if rendering.day else {}),
            **({SYSTEMS_REPLACED: data.replaced} if data.replaced else {}),
            "arm": request.arm,
            "template": rendering.source,
            "form": rendering.form,
        }
        inputs = (str(artifact), *data.inputs, task.source)
        return Lineage(stage=STAGE, version=VERSION, config=settings, inputs=inputs, seed=config.seed)

    with progress("rendering conversations"):
        limit = min((one for one in (config.max_length, checkpoint.context) if one), default=None)
        to_render = ToRender(
            folder=checkpoint.folder,
            name=name.id,
            task=task.task,
            conversations=data.conversations,
            expand_turns=config.expand_turns,
            max_length=limit,
        )
        named = Calendar(request.day, named=request.day is not None)
        rendering, examples = render_guarded(to_render, named)
        first = None if request.day else _first_day(request, lineage_of(rendering), rendering, hub)
        if first and first != rendering.day:
            rendering, examples = render_guarded(to_render, Calendar(first))
    for what, count in (*data.counts.items(), *examples.skipped.items()):
        say(f"{what}: {count}")
    if examples.split:
        say(f"conversations in several examples, because their tokens depend on what follows: {examples.split}")
    _say_prompts(rendering, request.day)
    return PreparedTraining(
        request=request,
        config=config,
        task=task,
        checkpoint=checkpoint,
        data=data,
        rendering=rendering,
        examples=examples,
        lineage=lineage_of(rendering),
        roles=read_roles(hub, data.inputs[0]),
    )


def _say_prompts(rendering: Rendered, named: date | None) -> None:
    """Say what of the prompts is not as a chat template gets it from anyone else."""
    if notes := form_notes(rendering.form):
        say(f"the chat template leaves something out otherwise, so prompts have {'; '.join(notes)}")
    if rendering.day:
        say_day(rendering.day)
    elif named:
        say_no_day(named)


def _first_day(request: TrainRequest, lineage: Lineage, rendering: Rendered, hub: Hub) -> date | None:
    """Return the day of the first run of this training, None where there was none or no day is asked for."""
    if rendering.day is None:
        return None
    place = request.place
    return day_of_training(lineage, _begun(request, lineage), hub, None if place.force else place.target)


def _begun(request: TrainRequest, lineage: Lineage) -> Iterator[tuple[Path, str | None]]:
    """Yield the checkpoints of runs that may be gone on with, and their fingerprints where their folders say them."""
    if request.run:
        yield request.run / WORK / CHECKPOINTS, None
        return
    folder = run_folder(request.place, lineage)
    for path in sorted(folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*")) if request.resume else ():
        yield path / WORK / CHECKPOINTS, path.name.rpartition("-")[2]
