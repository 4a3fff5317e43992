"""Cases x judges -> judgements: code decides what it can, each judge votes on the rest, and the majority counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.data.records import Case, ToolCall, Vote
from harness.errors import HarnessError
from harness.evaluation.judge.judges import Judge, OnVote
from harness.evaluation.records import Judgement, Member
from harness.models.chat.budget import BudgetSpent
from harness.statistics.agreement import agreement
from harness.statistics.records import Agreement
from harness.terminal import progress, say

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


CODE = "code"
"""The name under which code votes."""

BAD, GOOD = 0.0, 1.0


def decide_by_code(case: Case) -> Vote | None:
    """Return the vote where the rubric leaves no choice, None where a judge has to be asked.

    A text without a call and a call of another tool are bad; a call equal to the reference (key order ignored) is
    good. Both hold for every published verdict of the benchmark's judge.
    """
    if case.call is None:
        return Vote(case_id=case.id, judge=CODE, value=BAD, reason="the answer holds no tool call")
    if case.call.name != case.reference.name:
        reason = f"it calls {case.call.name}, the reference {case.reference.name}"
        return Vote(case_id=case.id, judge=CODE, value=BAD, reason=reason)
    if _canonical(case.call) == _canonical(case.reference):
        return Vote(case_id=case.id, judge=CODE, value=GOOD, reason="the call equals the reference")
    return None


def _canonical(call: ToolCall) -> str:
    return json.dumps(call.arguments, sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Judgements by case id, and how each judge did."""

    judgements: Mapping[str, Judgement]
    members: tuple[Member, ...]
    decided: frozenset[str]
    """Ids of the cases that code decided."""

    def agreement(self, cases: Sequence[Case]) -> Agreement | None:
        """Return how far the members agree on those of the cases that they were asked; None for a single judge."""
        if len(self.members) < 2:
            return None
        asked = [case for case in cases if case.id not in self.decided]
        votes: dict[str, list[float | None]] = {one.name: [] for one in self.members}
        for case in asked:
            cast = {vote.judge: vote.value for vote in self.judgements[case.id].votes}
            for name, column in votes.items():
                column.append(cast.get(name))
        return agreement(votes, [case.conversation for case in asked])


def judge_cases(cases: Sequence[Case], judges: Sequence[Judge], *, ask_everything: bool = False) -> Judged:
    """Return a judgement on every case; each judge is started once for all cases.

    A member of a panel that cannot be asked is excluded and named; a judge that is alone raises its HarnessError,
    and so does a panel without any member left. BudgetSpent where the budget is.
    """
    decided = {} if ask_everything else {vote.case_id: vote for vote in map(decide_by_code, cases) if vote is not None}
    asked = [case for case in cases if case.id not in decided]
    votes: dict[str, dict[str, Vote]] = {}
    members: list[Member] = []
    errors: list[HarnessError] = []
    for judge in judges:
        problem, cast = None, votes.setdefault(judge.name, {})
        with progress(f"{judge.name} judges", total=len(asked)) as advance:
            try:
                judge.vote(asked, _keeper(cast, advance))
            except BudgetSpent:  # a panel without those that cost something would be another panel
                raise
            except HarnessError as error:
                if len(judges) == 1:
                    raise
                errors.append(error)
                problem = str(error)
        if problem:
            say(f"{judge.name} is excluded: {problem}")
        members.append(member(judge.name, list(cast.values()), alone=len(judges) == 1, problem=problem))
    if len(errors) == len(judges):
        raise errors[-1]
    by_code = {one: Judgement(value=vote.value, reason=vote.reason, votes=(vote,)) for one, vote in decided.items()}
    judgements = {case.id: by_code.get(case.id) or combine(case, votes, members) for case in cases}
    return Judged(judgements=judgements, members=tuple(members), decided=frozenset(decided))


def _keeper(votes: dict[str, Vote], advance: Callable[[], None]) -> OnVote:
    """Return a callback that stores a vote in `votes`, by case, and advances the progress bar."""

    def keep(vote: Vote) -> None:
        votes[vote.case_id] = vote
        advance()

    return keep
