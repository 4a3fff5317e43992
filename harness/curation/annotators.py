"""Who plays a role of the pipeline: a rule-based stand-in, or a language model, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.curation.committee.relabel import Committee
from harness.data.annotations import Arbiter, Labeler, Rater, Writer
from harness.data.records import Conversation, Task
from harness.errors import UsageError
from harness.models.chat.chat_models import ChatModels
from harness.models.names import ModelName
from harness.models.roles import Roles

Makers = Mapping[str, Callable[[Task], Any]]


def make_rater(name: str, task: Task, models: ChatModels) -> Rater:
    """Return who rates traces; UsageError for a name that cannot."""
    rules = _rules(name, {"teacher": _rules_rater}, task)
    if rules is not None:
        return rules  # type: ignore[no-any-return] # one of the makers above
    from harness.curation.llm_roles.rater import LlmRater

    return LlmRater(models.model(name), task)


def make_committee(roles: Roles, task: Task, models: ChatModels) -> Committee:
    """Return the members and the arbiter; UsageError for a name that cannot."""
    return Committee(
        members=tuple(_labeler(name, task, models) for name in roles.committee),
        arbiter=_arbiter(roles.arbiter, task, models),
    )


def make_writer(
    name: str, task: Task, models: ChatModels, *, exemplars: Sequence[Conversation], temperature: float
) -> Writer:
    """Return who writes conversations; UsageError for a name that cannot.

    A model is shown a plan's own exemplars, at the temperature; rules learn from all exemplars at once, and draw.
    """
    from harness.rules.teacher.writer import RulesWriter

    rules = _rules(name, {"teacher": lambda task: RulesWriter(task, exemplars)}, task)
    if rules is not None:
        return rules  # type: ignore[no-any-return]
    from harness.curation.llm_roles.writer import LlmWriter

    return LlmWriter(models.model(name), task, temperature=temperature)


def _labeler(name: str, task: Task, models: ChatModels) -> Labeler:
    makers = {"labeler-state": _state, "labeler-neighbour": _neighbour, "labeler-schema": _schema}
    rules = _rules(name, makers, task)
    if rules is not None:
        return rules  # type: ignore[no-any-return]
    from harness.curation.llm_roles.labeler import LlmLabeler

    return LlmLabeler(models.model(name), task)


def _arbiter(name: str, task: Task, models: ChatModels) -> Arbiter:
    rules = _rules(name, {"arbiter": _rules_arbiter}, task)
    if rules is not None:
        return rules  # type: ignore[no-any-return]
    from harness.curation.llm_roles.arbiter import LlmArbiter

    return LlmArbiter(models.model(name), task)


def _rules(name: str, makers: Makers, task: Task) -> Any:
    """Return the stand-in of a `rules:` name, None for other models; UsageError where it cannot play the role."""
    parsed = ModelName.parse(name)
    if parsed.backend != "rules":
        return None
    if parsed.id not in makers:
        raise UsageError(
            f"{name} cannot play this role; rules for it are {', '.join(f'rules:{one}' for one in makers)}"
        )
    return makers[parsed.id](task)


def _rules_rater(task: Task) -> Rater:
    from harness.rules.teacher.rating import RulesRater

    return RulesRater(task)


def _state(task: Task) -> Labeler:
    from harness.rules.labeler.state import StateLabeler

    return StateLabeler(task)


def _neighbour(task: Task) -> Labeler:
    from harness.rules.labeler.neighbour import NeighbourLabeler

    return NeighbourLabeler(task)


def _schema(task: Task) -> Labeler:
    from harness.rules.labeler.schema import SchemaLabeler

    return SchemaLabeler(task)


def _rules_arbiter(task: Task) -> Arbiter:
    from harness.rules.labeler.arbiter import RulesArbiter

    return RulesArbiter(task)


def estimate_of(player: Any, items: Sequence[Any]) -> str:
    """Return what it would take to have a player do its work on items, in a line; rules are asked nothing."""
    from harness.curation.llm_roles.prompted_role import PromptedRole

    if not isinstance(player, PromptedRole):
        return f"{player.name}: rules, nothing is asked"
    return str(player.estimate(items))
