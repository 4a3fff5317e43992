"""What a committee did: how it decided, how far it agrees, how reliable each member is, what it changed. No effects"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.curation.committee.reliability import reliability
from harness.data.annotations import TurnDecision
from harness.data.canonical import canonical_call
from harness.data.records import ToolCall
from harness.data.tools import Toolbox
from harness.statistics.agreement import gwet_ac1, krippendorff_alpha, observed_agreement

RAW = "raw traces"
"""The voter that the labels of the raw traces are counted as, where the voters' reliability is estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAgreement:
    """How far the members agree on the name of the tool, or on the whole call."""

    n: int
    """Turns with two votes or more."""
    observed: float | None
    alpha: float | None
    """Krippendorff's alpha, nominal."""
    ac1: float | None
    """Gwet's AC1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChanges:
    """What became of the turns in which the raw trace calls one tool."""

    turns: int
    name: int
    """Another tool."""
    keys: int
    """The same tool with other arguments."""
    values: int
    """The same arguments with another value; for replies another text."""
    undecided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteeSummary:
    """A committee's work on all turns of all conversations."""

    members: tuple[str, ...]
    turns: int
    methods: Mapping[str, int]
    """Method of `TurnDecision` -> turns."""
    disputes: Mapping[str, int]
    """Level on which the arbiter was asked -> turns."""
    overruled: int
    """Turns for which the arbiter wrote a call that no member had."""
    agreement: Mapping[str, LevelAgreement]
    """`name` and `call`."""
    reliability: Mapping[str, float | None]
    """Member, and the raw traces -> expected share of right names (Dawid and Skene)."""
    changes: Mapping[str, ToolChanges]
    """Tool of the raw trace -> what became of it, most frequent first."""


def summarise(members: Sequence[str], decisions: Sequence[TurnDecision], toolbox: Toolbox) -> CommitteeSummary:
    """Return what a card says of a committee; `decisions` are those of all conversations."""
    names = {
        member: [_name(decision.candidates[column]) for decision in decisions] for column, member in enumerate(members)
    }
    return CommitteeSummary(
        members=tuple(members),
        turns=len(decisions),
        methods=_counted(decision.method for decision in decisions),
        disputes=_counted(decision.level for decision in decisions if decision.level is not None),
        overruled=sum(_is_own(decision, toolbox) for decision in decisions),
        agreement=_agreements(decisions, toolbox),
        reliability=reliability(names | {RAW: [decision.raw.name for decision in decisions]}),
        changes=_changes(decisions),
    )


def _name(call: ToolCall | None) -> str | None:
    return None if call is None else call.name


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _is_own(decision: TurnDecision, toolbox: Toolbox) -> bool:
    if decision.method != "arbiter" or decision.call is None:
        return False
    written = _form(decision.call, toolbox)
    return all(call is None or _form(call, toolbox) != written for call in decision.candidates)


def _form(call: ToolCall, toolbox: Toolbox) -> str:
    canonical = canonical_call(call, toolbox)
    return json.dumps([canonical.name, canonical.arguments], sort_keys=True, ensure_ascii=False)


def _agreements(decisions: Sequence[TurnDecision], toolbox: Toolbox) -> dict[str, LevelAgreement]:
    said = [[call for call in decision.candidates if call is not None] for decision in decisions]
    return {
        "name": _agreement([[call.name for call in calls] for calls in said]),
        "call": _agreement([[_form(call, toolbox) for call in calls] for calls in said]),
    }


def _agreement(cases: Sequence[Sequence[Hashable]]) -> LevelAgreement:
    categories = len({label for case in cases for label in case})
    return LevelAgreement(
        n=sum(len(case) > 1 for case in cases),
        observed=observed_agreement(cases),
        alpha=krippendorff_alpha(cases),
        ac1=gwet_ac1(cases, categories) if categories > 1 else None,
    )


def _changes(decisions: Sequence[TurnDecision]) -> dict[str, ToolChanges]:
    by_tool: dict[str, list[TurnDecision]] = {}
    for decision in decisions:
        by_tool.setdefault(decision.raw.name, []).append(decision)
    return {
        tool: ToolChanges(
            turns=len(group),
            name=sum(decision.changed == "name" for decision in group),
            keys=sum(decision.changed == "keys" for decision in group),
            values=sum(decision.changed == "values" for decision in group),
            undecided=sum(decision.call is None for decision in group),
        )
        for tool, group in sorted(by_tool.items(), key=lambda item: (-len(item[1]), item[0]))
    }
