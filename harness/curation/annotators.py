"""Raters, labelers, arbiters and writers by name: a rule-based stand-in, or a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from harness.curation.committee.relabel import Committee
from harness.curation.llm_roles.answer_counts import AnswerCounts
from harness.curation.llm_roles.arbiter import LlmArbiter
from harness.curation.llm_roles.labeler import LlmLabeler
from harness.curation.llm_roles.prompted_role import PromptedRole
from harness.curation.llm_roles.rater import LlmRater
from harness.curation.llm_roles.writer import LlmWriter
from harness.data.pipeline_records import Labeler, Rater, Writer
from harness.data.records import Conversation, Task
from harness.errors import UsageError
from harness.models.chat.chat_models import ChatModels
from harness.models.names import ModelName
from harness.models.roles import Roles
from harness.rules.labeler.arbiter import RulesArbiter
from harness.rules.labeler.neighbour import NeighbourLabeler
from harness.rules.labeler.schema import SchemaLabeler
from harness.rules.labeler.state import StateLabeler
from harness.rules.teacher.rating import RulesRater
from harness.rules.teacher.writer import RulesWriter

_LABELERS: Mapping[str, Callable[[Task], Labeler]] = {
    "labeler-state": StateLabeler,
    "labeler-neighbour": NeighbourLabeler,
    "labeler-schema": SchemaLabeler,
}


def make_rater(name: str, task: Task, models: ChatModels) -> Rater:
    """Return who rates traces; UsageError for a name that cannot."""
    rater: Rater = _make(name, task, models, rules={"teacher": RulesRater}, prompted=LlmRater)
    return rater


def make_committee(roles: Roles, task: Task, models: ChatModels) -> Committee:
    """Return the members and the arbiter; UsageError for a name that cannot."""
    return Committee(
        members=tuple(_make(name, task, models, rules=_LABELERS, prompted=LlmLabeler) for name in roles.committee),
        arbiter=_make(roles.arbiter, task, models, rules={"arbiter": RulesArbiter}, prompted=LlmArbiter),
    )


def make_writer(
    name: str, task: Task, models: ChatModels, *, exemplars: Sequence[Conversation], temperature: float
) -> Writer:
    """Return who writes conversations; UsageError for a name that cannot.

    A model is shown a plan's own exemplars, at the temperature; rules learn from all exemplars at once, and draw.
    """
    rules = {"teacher": partial(RulesWriter, exemplars=exemplars)}
    writer: Writer = _make(name, task, models, rules=rules, prompted=partial(LlmWriter, temperature=temperature))
    return writer


def _make(
    name: str,
    task: Task,
    models: ChatModels,
    *,
    rules: Mapping[str, Callable[[Task], Any]],
    prompted: Callable[..., PromptedRole],
) -> Any:
    """Return the stand-in of a `rules:` name, the prompted model of others; UsageError for rules of another role."""
    parsed = ModelName.parse(name)
    if parsed.backend != "rules":
        return prompted(models.model(name), task)
    if parsed.id not in rules:
        known = ", ".join(f"rules:{one}" for one in rules)
        raise UsageError(f"{name} cannot play this role; rules for it are {known}")
    return rules[parsed.id](task)


def answer_counts(*annotators: Any) -> list[AnswerCounts]:
    """Return what became of the questions of those that asked a model; rules ask nothing."""
    found = [one.answer_counts() for one in annotators if isinstance(one, PromptedRole)]
    return [one for one in found if one.questions]


def estimate_of(annotator: Any, items: Sequence[Any]) -> str:
    """Return in a line what it would take to have an annotator do its work on items; rules are asked nothing."""
    if not isinstance(annotator, PromptedRole):
        return f"{annotator.name}: rules, nothing is asked"
    return str(annotator.estimate(items))
