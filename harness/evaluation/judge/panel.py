"""Several judges, one verdict: majority, and members that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from harness.data.records import Case, Vote
from harness.evaluation.records import Judgement, Member

DEGRADED_ABOVE = 0.02
"""Share of missing votes from which a member is called degraded."""

EXCLUDED_ABOVE = 0.5
"""Share of missing votes from which none of a member's votes counts."""

Votes = Mapping[str, Mapping[str, Vote]]
"""Judge -> case id -> vote."""


def member(name: str, votes: Sequence[Vote], *, alone: bool, problem: str | None = None) -> Member:
    """Return how one judge did over its cases; `problem` says why it could not be asked at all.

    A judge that is `alone` is not excluded for missing votes: the rows without one are unscored, and that is said.
    """
    scored = [vote.value for vote in votes if vote.value is not None]
    reasons = Counter(vote.reason for vote in votes if vote.value is None)
    missing = (len(votes) - len(scored)) / len(votes) if votes else 0.0
    status: Literal["ok", "degraded", "excluded"] = "degraded" if missing > DEGRADED_ABOVE else "ok"
    if problem or (missing > EXCLUDED_ABOVE and not alone):
        status = "excluded"
    return Member(
        name=name,
        status=status,
        votes=len(scored),
        unscored=len(votes) - len(scored),
        good=sum(scored) / len(scored) if scored else None,
        problem=problem or (reasons.most_common(1)[0][0] if reasons else None),
    )


def combine(case: Case, votes: Votes, members: Sequence[Member]) -> Judgement:
    """Return the majority of the votes on a case; a split panel leaves it unscored.

    Votes of excluded members are kept and do not count.
    """
    cast = [votes[one.name][case.id] for one in members if case.id in votes.get(one.name, {})]
    counting = {one.name for one in members if one.status != "excluded"}
    valid = [vote for vote in cast if vote.value is not None and vote.judge in counting]
    if len(members) == 1 and cast:
        return Judgement(value=cast[0].value, reason=cast[0].reason, votes=tuple(cast))
    good = sum(vote.value == 1.0 for vote in valid)
    bad = len(valid) - good
    if good == bad:
        reason = f"the panel is split, {good} to {bad}" if valid else "no member of the panel gave a verdict"
        return Judgement(value=None, reason=reason, votes=tuple(cast))
    value = 1.0 if good > bad else 0.0
    voice = next(vote for vote in valid if vote.value == value)
    reason = f"{max(good, bad)} of {len(valid)} votes; {voice.judge}: {voice.reason}"
    return Judgement(value=value, reason=reason, votes=tuple(cast))
