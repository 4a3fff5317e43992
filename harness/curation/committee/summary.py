"""What a committee did: how it decided, how far it agrees, how reliable each member is, what it changed. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.canonical import canonical_call
from harness.data.pipeline_records import TurnDecision
from harness.data.records import ToolCall
from harness.data.tools import Toolbox
from harness.statistics.agreement import gwet_ac1, krippendorff_alpha, observed_agreement
from harness.statistics.formatting import most_common_first

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
        member: [call.name if call else None for call in (decision.candidates[column] for decision in decisions)]
        for column, member in enumerate(members)
    }
    return CommitteeSummary(
        members=tuple(members),
        turns=len(decisions),
        methods=most_common_first(Counter(decision.method for decision in decisions)),
        disputes=most_common_first(Counter(one.level for one in decisions if one.level is not None)),
        overruled=sum(_is_own(decision, toolbox) for decision in decisions),
        agreement=_agreements(decisions, toolbox),
        reliability=reliability(names | {RAW: [decision.raw.name for decision in decisions]}),
        changes=_changes(decisions),
    )


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


_ROUNDS = 100
_CONVERGED = 1e-6
_SMOOTHING = 0.01
"""Added to every cell of a confusion matrix, so that a name that a voter never gave stays possible."""


def reliability(votes: Mapping[str, Sequence[str | None]]) -> dict[str, float | None]:
    """Return, voter by voter, the expected share of its votes that are right; None for one that never votes.

    `votes[voter][i]` is what the voter says of item i, None for nothing. The truth of an item and the voters' confusion
    matrices are estimated together, beginning with the majority (Dawid and Skene 1979). With two voters that differ it
    cannot be told who is right: give the raw labels as a third one.
    """
    labels = sorted({label for column in votes.values() for label in column if label is not None})
    codes = {label: code for code, label in enumerate(labels)}
    voters = list(votes)
    items = max((len(column) for column in votes.values()), default=0)
    if not labels:
        return dict.fromkeys(voters)
    said = np.zeros((len(voters), items, len(labels)))
    for voter, column in enumerate(votes.values()):
        for item, label in enumerate(column):
            if label is not None:
                said[voter, item, codes[label]] = 1.0
    truth = _fit(said[:, said.any(axis=(0, 2))])
    shown = said[:, said.any(axis=(0, 2))]
    right = (shown * truth).sum(axis=(1, 2))
    cast = shown.sum(axis=(1, 2))
    return {name: float(right[voter] / cast[voter]) if cast[voter] else None for voter, name in enumerate(voters)}


def _fit(said: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each label (items x labels) from what was said (voters x items x labels, 0 or 1)."""
    truth: NDArray[np.float64] = said.sum(axis=0)
    truth /= truth.sum(axis=1, keepdims=True)
    for _ in range(_ROUNDS):
        prior = truth.mean(axis=0) + 1e-12
        confusion = np.einsum("il,vik->vlk", truth, said) + _SMOOTHING
        confusion /= confusion.sum(axis=2, keepdims=True)
        score = np.log(prior) + np.einsum("vik,vlk->il", said, np.log(confusion))
        new: NDArray[np.float64] = np.exp(score - score.max(axis=1, keepdims=True))
        new /= new.sum(axis=1, keepdims=True)
        if np.abs(new - truth).max() < _CONVERGED:
            return new
        truth = new
    return truth
