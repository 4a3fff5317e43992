"""Cases x judges -> judgements: code decides what it can, each judge is asked for the rest, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.data.records import Case, ToolCall, Vote
from harness.errors import HarnessError
from harness.evaluation.judge.judges import Judge, OnVote
from harness.evaluation.judge.panel import combine, member
from harness.evaluation.records import Judgement, Member
from harness.models.chat.budget import BudgetSpent
from harness.statistics.agreement import agreement
from harness.statistics.records import Agreement
from harness.terminal import progress, say

CODE = "code"
"""The name under which code votes."""

BAD, GOOD = 0.0, 1.0


def decide(case: Case) -> Vote | None:
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
    """Return a judgement on every case; each judge is started once, whatever the number of cases.

    A member of a panel that cannot be asked is excluded and named; a judge that is alone raises its HarnessError,
    and so does a panel of which nobody is left. BudgetSpent where the budget is.
    """
    decided = {} if ask_everything else {vote.case_id: vote for vote in map(decide, cases) if vote is not None}
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
    judgements = {
        case.id: _by_code(decided[case.id]) if case.id in decided else combine(case, votes, members) for case in cases
    }
    return Judged(judgements=judgements, members=tuple(members), decided=frozenset(decided))


def _keeper(votes: dict[str, Vote], advance: Callable[[], None]) -> OnVote:
    """Return what puts a vote into `votes`, by case, and says that there is one more."""

    def keep(vote: Vote) -> None:
        votes[vote.case_id] = vote
        advance()

    return keep


def _by_code(vote: Vote) -> Judgement:
    return Judgement(value=vote.value, reason=vote.reason, votes=(vote,))
