"""The cells of the benchmark, a scenario and a pipeline each: the commands from the sources to a scored model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from harness import resources
from harness.errors import UsageError
from harness.scenarios import ARMS, Arm, all_scenarios
from harness.stages.settings import published

STAGES = ("corrupt", "filter", "relabel", "synthesize", "train", "evaluate")
_SCENARIO = re.compile(r"s?(\d+)")


class Preset(BaseModel):
    """How cells are run. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str = ""
    student: str
    """The model to train: `owner/name[@revision]`, or a name in the namespace."""
    models: str = "rules"
    """Which model plays which role: rules, published, or a YAML file."""
    judge: bool = True
    """Whether the roles' judge judges the answers."""
    seeds: bool = False
    """Relabel as many traces as the published run did, instead of all; the rest is unlabelled context."""
    target: int | None = Field(default=None, gt=0)
    """Synthetic conversations; None: as published."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Settings of the training that are not the published ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario and one pipeline."""

    scenario: int
    arm: Arm

    @classmethod
    def parse(cls, scenario: str, arm: str) -> Cell:
        """Return the cell of two words such as `s2` and `tft`; UsageError lists the known ones."""
        match = _SCENARIO.fullmatch(scenario)
        known = [one.number for one in all_scenarios()]
        if match is None or int(match[1]) not in known:
            listed = ", ".join(f"s{number}" for number in known)
            raise UsageError(f"there is no scenario {scenario!r}; known are {listed}")
        if arm not in ARMS:
            raise UsageError(f"there is no pipeline {arm!r}; known are {', '.join(ARMS)}")
        return cls(scenario=int(match[1]), arm="direct" if arm == "direct" else "tft")

    def __str__(self) -> str:
        return f"s{self.scenario} {self.arm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all cells of a run have in common."""

    namespace: str
    preset: Preset
    options: tuple[str, ...] = ()
    """Words about asking models (`--endpoints`, `--budget` ...), for the stages that ask."""
    seed: int = 0

    @property
    def student(self) -> str:
        """The student's repository."""
        return self.preset.student if "/" in self.preset.student else f"{self.namespace}/{self.preset.student}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of a cell: a command of `tft`, and the repository that it makes."""

    stage: str
    words: tuple[str, ...]
    makes: str


def read_preset(name: str) -> Preset:
    """Return a preset by its name, or of a YAML file; UsageError lists the known ones or says what is wrong."""
    from harness.stages.settings import resolve

    path = Path(name)
    known = yaml.safe_load((resources.folder("datasets") / "presets.yaml").read_text(encoding="utf-8"))
    if name in known:
        return Preset(**known[name])
    if not path.is_file():
        raise UsageError(f"there is no preset {name!r}; known are {', '.join(known)}, or name a YAML file")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise UsageError(f"{path} holds no preset; expected YAML with {', '.join(Preset.model_fields)}")
    return resolve(Preset, document)


def steps(cell: Cell, setup: Setup, *, until: str | None = None) -> list[Step]:
    """Return the commands of a cell in order, up to a stage. Each reads what the one before has pushed.

    A stage whose inputs and settings have not changed finds its result on the Hub and does nothing. Raises UsageError
    for a stage that the cell does not have.
    """
    base = f"{setup.namespace}/tft-benchmark-s{cell.scenario}"
    namespace = ("--namespace", setup.namespace)
    asking = ("--models", setup.preset.models, *setup.options)
    model = f"{base}-{cell.arm}-{setup.student.partition('@')[0].rpartition('/')[2]}"
    build = ("data", "build", "--push", "--scenario", str(cell.scenario), *namespace)
    found = [Step(stage="corrupt", words=build, makes=f"{base}-traces")]
    if cell.arm == "tft":
        seeds = _seeds(cell, setup.preset)
        target = ("--target", str(setup.preset.target)) if setup.preset.target else ()
        filtered, relabelled = f"{base}-filtered", f"{base}-relabelled"
        for stage, words, makes in (
            ("filter", (f"{base}-traces", "--arm", "tft"), filtered),
            ("relabel", (filtered, *seeds), relabelled),
            ("synthesize", (relabelled, *target, "--seed", str(setup.seed)), f"{base}-synthetic"),
        ):
            found.append(Step(stage=stage, words=(stage, *words, *asking, *namespace), makes=makes))
    data = (f"{base}-synthetic",) if cell.arm == "tft" else (f"{base}-traces", "--arm", "direct")
    settings = [word for key, value in setup.preset.train.items() for word in ("--set", f"{key}={value}")]
    train = ("train", *data, "--student", setup.student, "--to", model, *settings, "--seed", str(setup.seed))
    found.append(Step(stage="train", words=(*train, *namespace), makes=model))
    judge = ("--models", setup.preset.models) if setup.preset.judge else ()
    found.append(Step(stage="evaluate", words=("evaluate", model, *judge, *namespace), makes=model))
    return _until(cell, found, until)


def _seeds(cell: Cell, preset: Preset) -> tuple[str, ...]:
    number = published("relabel", cell.scenario).get("seeds") if preset.seeds else None
    return ("--seeds", str(number)) if number else ()


def _until(cell: Cell, found: Sequence[Step], until: str | None) -> list[Step]:
    names = [step.stage for step in found]
    if until is None:
        return list(found)
    if until not in names:
        raise UsageError(f"{cell} has no stage {until!r}; it has {', '.join(names)}")
    return list(found[: names.index(until) + 1])
