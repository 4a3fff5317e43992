"""Turn by turn: what the committee agrees on, by name, then keys, then values; disputes for the arbiter. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from harness.data.canonical import canonical_call
from harness.data.events import Event, events
from harness.data.pipeline_records import Dispute, Level, Method, Rewrite, Ruling, TurnDecision
from harness.data.records import Conversation, ToolCall
from harness.data.tools import Toolbox

_MAJORITY = 0.5
"""More than this share of the votes decides without the arbiter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnVerdict:
    """One turn before the arbiter: a call, or a dispute, or neither where no member said anything valid."""

    event: Event
    candidates: tuple[ToolCall | None, ...]
    call: ToolCall | None = None
    method: Method = "undecided"
    dispute: Dispute | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vote:
    """A valid candidate, and the form in which candidates are compared."""

    call: ToolCall
    canonical: ToolCall

    def key(self, level: Level) -> str:
        """Return what has to be equal on a level."""
        if level == "name":
            return self.canonical.name
        if level == "keys":
            return json.dumps(sorted(self.canonical.arguments))
        return json.dumps(self.canonical.arguments, sort_keys=True, ensure_ascii=False)


def decide(
    conversation: Conversation, rewrites: Sequence[Rewrite | None], toolbox: Toolbox, *, seed: int = 0
) -> list[TurnVerdict]:
    """Return a verdict on each assistant turn, in order; `rewrites` as the committee's order, None for a missing one.

    A candidate that the tool's schema does not allow counts as no vote. The winner is written as in the raw trace
    where it means the same, and keeps the raw call's id.
    """
    turns = [event for event in events(conversation.messages, toolbox) if event.is_turn]
    verdicts = []
    for number, event in enumerate(turns):
        candidates = tuple(_candidate(rewrite, number, len(turns)) for rewrite in rewrites)
        verdicts.append(_turn(conversation, event, candidates, toolbox, seed))
    return verdicts


def _candidate(rewrite: Rewrite | None, number: int, turns: int) -> ToolCall | None:
    if rewrite is None or rewrite.error is not None or len(rewrite.calls) != turns:
        return None
    return rewrite.calls[number]


def _turn(
    conversation: Conversation,
    event: Event,
    candidates: tuple[ToolCall | None, ...],
    toolbox: Toolbox,
    seed: int,
) -> TurnVerdict:
    problems = [problem for call in candidates if call is not None for problem in toolbox.problems(call)[:1]]
    votes = [
        _Vote(call=call, canonical=canonical_call(call, toolbox))
        for call in candidates
        if call is not None and not toolbox.problems(call)
    ]
    if not votes:
        reason = f"no valid label: {problems[0]}" if problems else "no member of the committee says anything"
        return TurnVerdict(event=event, candidates=candidates, reason=reason)
    left, level = _narrow(votes)
    if level is None:
        agreeing = sum(vote.canonical == left[0].canonical for vote in votes)
        method: Method = "single" if len(votes) == 1 and len(candidates) > 1 else "majority"
        method = "unanimous" if agreeing == len(votes) and method != "single" else method
        call = _as_raw(left[0], event.action, toolbox)
        return TurnVerdict(event=event, candidates=candidates, call=call, method=method)
    different = _different(left)
    name = f"{conversation.id}:{event.position}"
    Random(f"{seed}:{name}").shuffle(different)  # noqa: S311 -- an order that tells nothing, not a secret
    dispute = Dispute(
        id=name,
        conversation=conversation,
        position=event.position,
        candidates=tuple(_as_raw(vote, event.action, toolbox) for vote in different),
        level="text" if level == "values" and left[0].call.name == toolbox.reply.tool else level,
    )
    return TurnVerdict(event=event, candidates=candidates, dispute=dispute)


def _narrow(votes: list[_Vote]) -> tuple[list[_Vote], Level | None]:
    """Return the votes that the majorities leave, and the level on which there is none; None where they agree."""
    levels: tuple[Level, ...] = ("name", "keys", "values")
    for level in levels:
        (first, count), *_ = Counter(vote.key(level) for vote in votes).most_common(1)
        if count <= _MAJORITY * len(votes):
            return votes, level
        votes = [vote for vote in votes if vote.key(level) == first]
    return votes, None


def _different(votes: Sequence[_Vote]) -> list[_Vote]:
    found: dict[str, _Vote] = {}
    for vote in votes:
        found.setdefault(vote.key("name") + vote.key("values"), vote)
    return list(found.values())


def _as_raw(vote: _Vote, raw: ToolCall, toolbox: Toolbox) -> ToolCall:
    """Return the raw call where it means the same, so that what is right stays as it was written."""
    if not toolbox.problems(raw) and canonical_call(raw, toolbox) == vote.canonical:
        return raw
    return replace(vote.call, id=raw.id)


def settle(verdict: TurnVerdict, rulings: Mapping[str, Ruling], toolbox: Toolbox) -> TurnDecision:
    """Return the decision on a turn, with the arbiter's ruling (by the dispute's id) where there was a dispute."""
    raw = verdict.event.action
    call, method, reason, level = verdict.call, verdict.method, verdict.reason, None
    if verdict.dispute is not None:
        level = verdict.dispute.level
        ruling = rulings.get(verdict.dispute.id)
        call, method = (ruling.call if ruling else None), "arbiter"
        reason = ruling.reason if ruling else "the committee does not agree, and there is no arbiter"
        problems = toolbox.problems(call) if call is not None else []
        if problems:
            call, reason = None, f"the arbiter's own call is not valid: {problems[0]}"
        if call is None:
            method = "undecided"
    return TurnDecision(
        position=verdict.event.position,
        raw=raw,
        call=replace(call, id=raw.id) if call is not None else None,
        method=method,
        level=level,
        candidates=verdict.candidates,
        reason=reason,
    )
