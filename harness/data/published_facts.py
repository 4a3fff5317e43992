"""The benchmark's published facts and figures as records, read from `model_cards/published.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from harness.data.formats.strict_records import FrozenModel
from harness.data.scenarios import ARMS, Arm
from harness.errors import DataError
from harness.resources import folder
from harness.statistics.formatting import POINTS


class Source(FrozenModel):
    title: str
    url: str
    commit: str


class Link(FrozenModel):
    title: str
    url: str


class PublishedArm(FrozenModel):
    """One of the two pipelines."""

    name: str
    label: str
    steps: str


class Settings(FrozenModel):
    """A scenario's own settings of the TFT arm; thresholds are least scores from 1 to 5."""

    relevance: int
    coherence: int
    seed_traces: int
    synthetic: int
    teacher: str | None


class PublishedScenario(FrozenModel):
    """One scenario: what was published about it, what was counted on its files, and its scores (0 to 1)."""

    number: int
    name: str
    summary: str
    question: str
    published: tuple[str, ...]
    counted: dict[Arm, tuple[str, ...]]
    settings: Settings
    scores: dict[Arm, dict[str, float | None]]

    @property
    def title(self) -> str:
        return f"S{self.number} {self.name}"


class PublishedTestSet(FrozenModel):
    __test__ = False  # the name is the field's term, not a pytest class

    service: str
    conversations: int
    pairs: int
    majority_tool: str
    majority_pairs: int
    undated_tool: str
    undated_pairs: int
    undated_of: int
    today: str


class Threshold(FrozenModel):
    points: float
    reason: str


class Hyperparameter(FrozenModel):
    name: str
    value: str


class Configuration(FrozenModel):
    teacher: str
    judge: str
    committee: tuple[str, ...]
    training: str
    hyperparameters: tuple[Hyperparameter, ...]
    evaluation: str


class ToolFacts(FrozenModel):
    """A tool as a card lists it."""

    name: str
    summary: str
    required: tuple[str, ...]
    optional: tuple[str, ...]


class Difference(FrozenModel):
    """A scenario's two published scores; `points` is TFT minus Direct in hundredths, None where one is missing."""

    scenario: PublishedScenario
    tft: float | None
    direct: float | None
    points: float | None
    winner: Arm | None
    """The arm that is ahead by more than the stated threshold."""


class PublishedFacts(FrozenModel):
    """Everything in the file; its keys are the fields below, no more and no fewer."""

    status: Literal["published"]
    source: Source
    namespace: str
    student: str
    base_model: str
    license: str
    language: tuple[str, ...]
    pipeline_tag: str
    library_name: str
    tags: tuple[str, ...]
    datasets: tuple[str, ...]
    benchmark_name: str
    task_type: str
    domain: str
    example_request: str
    links: dict[str, Link]
    dialogues_license: str
    test_set: PublishedTestSet
    comparison: Threshold
    metrics: dict[str, str]
    arms: dict[Arm, PublishedArm]
    scenarios: tuple[PublishedScenario, ...]
    configuration: Configuration
    tools: tuple[ToolFacts, ...]

    @property
    def models(self) -> int:
        """Number of benchmark models: one for each scenario and arm."""
        return len(self.scenarios) * len(self.arms)

    def scenario(self, number: int) -> PublishedScenario | None:
        """Return the scenario with that number, or None where there is none."""
        return next((scenario for scenario in self.scenarios if scenario.number == number), None)

    def differences(self, metric: str) -> list[Difference]:
        """Return one row per scenario: both arms' published scores and how far they are apart."""
        return [self._difference(scenario, metric) for scenario in self.scenarios]

    def _difference(self, scenario: PublishedScenario, metric: str) -> Difference:
        tft, direct = (scenario.scores[arm].get(metric) for arm in ARMS)
        if tft is None or direct is None:
            return Difference(scenario=scenario, tft=tft, direct=direct, points=None, winner=None)
        points = round((tft - direct) * POINTS, 1)
        winner: Arm | None = None
        if abs(points) > self.comparison.points:
            winner = "tft" if points > 0 else "direct"
        return Difference(scenario=scenario, tft=tft, direct=direct, points=points, winner=winner)


@cache
def load_published(path: Path) -> PublishedFacts:
    """Return the published facts in `path`; DataError where the file has missing, unknown or mistyped keys."""
    try:
        return PublishedFacts.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{path} does not hold the published facts as expected: {error}") from error


def published_facts() -> PublishedFacts:
    """Return the benchmark's published facts and figures."""
    return load_published(folder("model_cards") / "published.yaml")
