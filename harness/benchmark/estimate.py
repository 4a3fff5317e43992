"""What a plan would take, before it is run: seconds, tokens of training, questions to language models, their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from harness import resources
from harness.benchmark.cells import Cell
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.presets import StudentRecipe
from harness.benchmark.steps import Step, batches
from harness.curation.job_init.logged_test import used_conversations
from harness.curation.stage_settings import published
from harness.data import scenarios
from harness.data.formats.messages import expand_pairs
from harness.data.published_facts import published_facts
from harness.data.records import Usage
from harness.models.chat.endpoints import Endpoints
from harness.models.engine.arithmetic import processor_has_bfloat16
from harness.models.names import ModelName
from harness.models.roles import Roles
from harness.training.config import TrainConfig

_ASKING = ("filter", "relabel", "synthesize")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEstimate:
    """What one step would take; None where nothing is known."""

    seconds: float | None
    training_tokens: int = 0
    questions: Mapping[str, int] | None = None
    """Model -> questions; models that play by rules are not in it."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float | None = 0.0
    """USD; None where a model that is asked has no price."""


@cache
def rates() -> dict[str, Any]:
    """Return `datasets/rates.yaml`."""
    return dict(yaml.safe_load((resources.folder("datasets") / "rates.yaml").read_text(encoding="utf-8")))


class Estimator:
    """Estimates the steps of a plan, one by one."""

    def __init__(self, plan: BenchmarkPlan, endpoints: Endpoints) -> None:
        self._plan, self._endpoints = plan, endpoints
        self._preset = plan.setup.preset
        self._roles = Roles.named(self._preset.models)

    def step(self, step: Step) -> StepEstimate:
        """Return what a step would take if nothing of it could be reused."""
        if self._plan.baseline_of(step):
            return self._beside(step)
        cell = next(cell for cell, chain in self._plan.of_cell.items() if step in chain)
        units = self._units(step, cell)
        seconds = self._seconds(step.stage, units, self._sharing(step))
        if step.stage == "train":
            return StepEstimate(seconds=seconds, training_tokens=round(units or 0))
        if step.stage not in _ASKING or units is None:
            return StepEstimate(seconds=seconds)
        return self._asked(step.stage, round(units), seconds)

    def _beside(self, step: Step) -> StepEstimate:
        """Return what the evaluation of a baseline would take: a question per turn pair where it asks an endpoint."""
        name, pairs = ModelName.parse(step.request["models"][0]), self._pairs
        if name.backend == "vllm":
            untrained = step.makes == self._plan.setup.student and "untrained" in self._rates
            return StepEstimate(
                seconds=self._seconds("untrained" if untrained else "evaluate", pairs, self._sharing(step))
            )
        if name.backend != "openai" or pairs is None:
            return StepEstimate(seconds=0.0 if name.backend == "logged" else None)
        return self._questions("evaluate", [str(name)], pairs, None)

    @cached_property
    def _pairs(self) -> int | None:
        """The turn pairs of the test set; None for a job without one."""
        job = self._plan.setup.job
        if job is None:
            return published_facts().test_set.pairs
        return len(expand_pairs(used_conversations(Path(job.folder)))) or None

    @property
    def _rates(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = rates()["hardware"].get(self._preset.hardware, {})
        return found

    def _sharing(self, step: Step) -> int:
        """Return how many steps share one start with this one, itself included."""
        return next(len(batch) for batch in batches(self._plan.steps) if step in batch)

    def _seconds(self, stage: str, units: float | None, sharing: int) -> float | None:
        """Return how long so many units take, with a step's part of a start that several steps share."""
        rate = self._rates.get(stage)
        if rate is None or units is None:
            return None
        each = rate["each"] if "each" in rate else 1 / self._tokens_per_second(rate["ways"])
        return float(rate["start"] / sharing + each * units)

    def _tokens_per_second(self, ways: Sequence[Mapping[str, Any]]) -> float:
        """Return the rate of the way of training whose settings all hold, the one with most of them."""
        settings = TrainConfig.model_construct(**self._preset.train).model_dump()
        if settings["precision"] in ("auto", "native"):  # of a processor: no rate of a GPU names a precision
            half = settings["precision"] == "native" and processor_has_bfloat16()
            settings["precision"] = "bfloat16" if half else "float32"
        fitting = [way for way in ways if way["settings"].items() <= settings.items()]
        return float(max(fitting, key=lambda way: len(way["settings"]))["tokens_per_second"])

    def _units(self, step: Step, cell: Cell) -> float | None:
        """Return how much a step does, in the units of the rates; None where nothing is known of it."""
        if cell.scenario is None:
            return self._job_units(step.stage)
        traces = scenarios.describe(cell.scenario).facts[cell.traces].conversations
        # S5's traces of another service do not pass the filter; nowhere else are many lost.
        kept = published("relabel", cell.scenario).get("seeds") if self._preset.seeds else traces
        target = self._preset.target or published("synthesize", cell.scenario)["target"]
        limit = self._preset.train.get("limit")
        data = target if cell.arm == "tft" else traces
        learned = min(data, limit) if limit else data
        # Not checked here: what is wrong with a setting is said by the step that trains.
        epochs = TrainConfig.model_construct(**self._preset.train).with_passes(learned).epochs
        recipe = self._preset.make_student
        units: dict[str, float] = {
            "filter": traces,
            "relabel": min(kept or traces, traces),
            "synthesize": target,
            "train": learned * epochs * self._conversation_tokens(),
            "student": _readings(recipe) * self._conversation_tokens(),
            "evaluate": published_facts().test_set.pairs,
        }
        return units.get(step.stage, 0)

    def _job_units(self, stage: str) -> float | None:
        """Return the same for a job, whose traces are not counted for it; conversations are taken to be as long."""
        passes = self._preset.train.get("passes")
        known = {
            "synthesize": self._preset.target,
            "train": passes * self._conversation_tokens() if isinstance(passes, int) else None,
            "evaluate": self._pairs,
        }
        return known.get(stage)

    def _conversation_tokens(self) -> int:
        known = rates()["conversation_tokens"]
        return int(known["tiny"] if self._preset.make_student else known[self._preset.fetch_student or "published"])

    def _asked(self, stage: str, units: int, seconds: float | None) -> StepEstimate:
        """Return the questions of a stage: one per trace and member, or per conversation. Disputes are not foreseen."""
        names = {
            "filter": (self._roles.filter,),
            "relabel": self._roles.committee,
            "synthesize": (self._roles.teacher,),
        }
        asked = [name for name in names[stage] if ModelName.parse(name).backend != "rules"]
        return self._questions(stage, asked, units, seconds)

    def _questions(self, stage: str, asked: Sequence[str], units: int, seconds: float | None) -> StepEstimate:
        """Return what it takes to ask each of some models `units` questions."""
        tokens = rates()["questions"][stage]
        usage = Usage(prompt=units * tokens["prompt"], completion=units * tokens["usual"])
        costs = [self._price(name, usage) for name in asked]
        return StepEstimate(
            seconds=seconds if not asked else None,
            questions=dict.fromkeys(asked, units),
            prompt_tokens=usage.prompt * len(asked),
            answer_tokens=usage.completion * len(asked),
            cost=None if None in costs else sum(cost for cost in costs if cost is not None),
        )

    def _price(self, name: str, usage: Usage) -> float | None:
        model = ModelName.parse(name)
        if model.backend != "openai" or self._endpoints.file is None:
            return None
        price = self._endpoints.address(model).price
        return price.cost(usage) if price else None


def _readings(recipe: StudentRecipe | None) -> float:
    """Return how many dialogues a student that is made reads, repetitions counted."""
    return recipe.dialogues * recipe.epochs if recipe and recipe.dialogues and recipe.epochs else 0
