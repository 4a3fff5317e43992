"""The settings of filter, relabel and synthesize, the published ones as defaults, by scenario where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from harness import resources
from harness.data.formats.strict_records import FrozenModel
from harness.errors import UsageError

Stage = Literal["filter", "relabel", "synthesize"]
Config = TypeVar("Config", bound=BaseModel)


class FilterConfig(FrozenModel):
    """Which traces are kept."""

    relevance: int = Field(default=4, ge=1, le=5)
    """Lowest relevance, 1 to 5, that is kept."""
    coherence: int = Field(default=3, ge=1, le=5)
    """Lowest coherence, 1 to 5, that is kept: low where damaged traces are to reach the committee."""
    max_length: PositiveInt = 20_000
    """Characters of a conversation, all texts and calls counted."""
    rate: bool = True
    """False: the deterministic checks alone decide."""
    similarity: float = Field(default=0.95, gt=0, le=1)
    """Estimated Jaccard similarity of 5-word shingles from which a trace is a duplicate of an earlier one."""
    redact: bool = False
    """Mask e-mail addresses, phone numbers and payment cards in what is written."""


class RelabelConfig(FrozenModel):
    """How the committee works."""

    seeds: PositiveInt | None = None
    """Traces that are relabelled, drawn by `seed`; the rest stays as unlabelled context. None: all of them."""
    seed: int = 0
    """Decides which traces are seeds, and the order in which the arbiter sees candidates."""


class SynthesizeConfig(FrozenModel):
    """What is generated, and what of it is accepted."""

    target: PositiveInt = 2000
    """Conversations to accept."""
    exemplars: PositiveInt = 2
    """Accepted seeds that each conversation is modelled on."""
    context: int = Field(default=2, ge=0)
    """Unlabelled traces shown beside them."""
    lengths: Literal["topics", "seeds"] = "topics"
    """Where the length of a conversation comes from: the drawn topic, or the accepted seeds."""
    temperature: float = Field(default=0.7, ge=0)
    complexity: bool = True
    """Draw one of five levels of complexity for each conversation; False: the middle one."""
    similarity: float = Field(default=0.8, gt=0, le=1)
    """Estimated Jaccard similarity of 5-word shingles from which two synthetic conversations are too alike."""
    seed_similarity: float = Field(default=0.95, gt=0, le=1)
    """The same against the seeds."""
    max_length: PositiveInt = 20_000
    """Characters of a conversation, all texts and calls counted."""
    tries: PositiveInt = 5
    """Drafts of one conversation before it is given up."""
    seed: int = 0


class Topic(FrozenModel):
    """A mutation topic: what kind of conversation is to be written."""

    text: str
    shortest: PositiveInt
    longest: PositiveInt
    """Messages, calls and results counted."""


@cache
def _published() -> dict[str, Any]:
    document = yaml.safe_load((resources.folder("datasets") / "pipeline.yaml").read_text(encoding="utf-8"))
    return dict(document)


def topics() -> tuple[Topic, ...]:
    """Return the published mutation topics, in our words."""
    return tuple(Topic(**entry) for entry in _published()["topics"])


def published(stage: Stage, scenario: int | None = None) -> dict[str, Any]:
    """Return the published settings of a stage, those of the scenario over the general ones."""
    of_scenario = _published()["scenarios"].get(scenario, {}) if scenario is not None else {}
    return {**_published()["settings"][stage], **of_scenario.get(stage, {})}


def resolve(kind: type[Config], *layers: Mapping[str, Any]) -> Config:
    """Return the settings of the layers, later ones over earlier; UsageError names the key and lists the valid ones."""
    values = {key: value for layer in layers for key, value in layer.items() if value is not None}
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        known = ", ".join(kind.model_fields)
        raise UsageError(f"the setting {key} cannot be used ({first['msg']}); settings are {known}") from error
