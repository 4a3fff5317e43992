"""What code decides, and how votes become verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.records import Case, ToolCall, Vote
from harness.errors import EngineError, UsageError
from harness.evaluation.judge.judges import JudgeConfig, OnVote, make_judges
from harness.evaluation.judge.panel import combine, decide_by_code, judge_cases, member
from harness.models.chat.chat_models import ChatModels, ChatSettings


class Scripted:
    """A judge that gives the votes it was made with, in turn, or fails."""

    def __init__(self, name: str, values: Sequence[float | None] = (), error: Exception | None = None) -> None:
        self.name = name
        self.settings: dict[str, Any] = {}
        self.values = values
        self.error = error
        self.asked: list[str] = []

    def vote(self, cases: Sequence[Case], on_vote: OnVote) -> None:
        if self.error:
            raise self.error
        for place, case in enumerate(cases):
            self.asked.append(case.id)
            value = self.values[place % len(self.values)]
            on_vote(Vote(case_id=case.id, judge=self.name, value=value, reason=f"{self.name} says {value}"))


def test_another_tool_and_no_call_are_bad_and_the_reference_itself_is_good(make_case: Callable[..., Case]) -> None:
    other = decide_by_code(make_case(call=ToolCall(name="FindRestaurants", arguments={})))
    none = decide_by_code(make_case(call=None))
    equal = decide_by_code(make_case(message="In which city?"))
    assert other is not None
    assert none is not None
    assert equal is not None
    assert [other.value, none.value, equal.value] == [0.0, 0.0, 1.0]
    assert "FindRestaurants" in other.reason
    assert decide_by_code(make_case(message="Which town?")) is None


def test_values_of_other_types_are_not_equal(make_case: Callable[..., Case]) -> None:
    """Python takes True for 1; a call does not."""
    reference = ToolCall(name="book", arguments={"seats": 1})
    case = make_case(call=ToolCall(name="book", arguments={"seats": True}), reference=reference)
    assert decide_by_code(case) is None


@given(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=2, max_size=7))
def test_a_panel_says_what_most_of_its_votes_say_and_nothing_on_a_tie(
    make_case: Callable[..., Case], values: list[float | None]
) -> None:
    case = make_case()
    votes = {
        f"j{place}": {case.id: Vote(case_id=case.id, judge=f"j{place}", value=value, reason="r")}
        for place, value in enumerate(values)
    }
    # Every member is ok: its other votes are there.
    members = [member(name, [Vote(case_id="x", judge=name, value=1.0, reason="")] * 99, alone=False) for name in votes]
    judgement = combine(case, votes, members)
    good, bad = values.count(1.0), values.count(0.0)
    assert judgement.value == (None if good == bad else float(good > bad))
    assert len(judgement.votes) == len(values)


def test_a_member_that_cannot_be_asked_is_excluded_and_the_others_decide(make_case: Callable[..., Case]) -> None:
    judges = [Scripted("a", [1.0]), Scripted("b", error=EngineError("b is not there")), Scripted("c", [1.0])]
    judged = judge_cases([make_case(number) for number in range(4)], judges)
    assert [one.value for one in judged.judgements.values()] == [1.0] * 4
    assert [one.status for one in judged.members] == ["ok", "excluded", "ok"]
    assert judged.members[1].problem == "b is not there"


def test_votes_of_a_member_that_mostly_fails_do_not_count(make_case: Callable[..., Case]) -> None:
    failing = Scripted("b", [0.0, None, None, None])
    judged = judge_cases([make_case(n) for n in range(8)], [Scripted("a", [1.0]), failing, Scripted("c", [1.0, None])])
    assert [one.status for one in judged.members] == ["ok", "excluded", "degraded"]
    assert all(one.value == 1.0 for one in judged.judgements.values())
    assert all(len(one.votes) == 3 for one in judged.judgements.values()), "every vote is kept"


def test_a_judge_alone_fails_the_run_where_it_cannot_be_asked_and_keeps_its_votes_where_it_mostly_fails(
    make_case: Callable[..., Case],
) -> None:
    cases = [make_case(number) for number in range(4)]
    with pytest.raises(EngineError, match="gone"):
        judge_cases(cases, [Scripted("a", error=EngineError("gone"))])
    with pytest.raises(EngineError, match="second"):
        judge_cases(cases, [Scripted(n, error=EngineError(n)) for n in ("first", "second")])
    judged = judge_cases(cases, [Scripted("a", [0.0, None, None, None])])
    assert [one.value for one in judged.judgements.values()] == [0.0, None, None, None]
    assert judged.members[0].status == "degraded"


def test_nobody_is_asked_what_code_can_decide_unless_everything_is_asked(make_case: Callable[..., Case]) -> None:
    cases = [make_case(0), make_case(1, call=None), make_case(2, message="In which city?")]
    judge = Scripted("a", [1.0])
    judged = judge_cases(cases, [judge])
    assert judge.asked == ["case-0"]
    assert judged.decided == {"case-1", "case-2"}
    assert [one.votes[0].judge for one in judged.judgements.values()] == ["a", "code", "code"]
    judge = Scripted("a", [1.0])
    assert not judge_cases(cases, [judge], ask_everything=True).decided
    assert judge.asked == ["case-0", "case-1", "case-2"]


def test_agreement_is_over_what_was_asked(make_case: Callable[..., Case]) -> None:
    cases = [make_case(number) for number in range(8)] + [make_case(9, call=None)]
    judged = judge_cases(cases, [Scripted("a", [1.0, 0.0]), Scripted("b", [1.0, 0.0])])
    agreement = judged.agreement(cases)
    assert agreement is not None
    assert (agreement.n, agreement.observed, agreement.alpha) == (8, 1.0, 1.0)
    assert judge_cases(cases, [Scripted("a", [1.0])]).agreement(cases) is None


@pytest.mark.parametrize("name", ["replay:answers.jsonl", "rules:teacher", "openai:model", "me/model"])
def test_a_name_that_cannot_judge_is_refused(name: str) -> None:
    """No address for the endpoint, and no Hub for the model, count too."""
    with pytest.raises(UsageError):
        make_judges(JudgeConfig(judges=(name,)), None, ChatModels(ChatSettings()))


def test_a_judge_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        make_judges(JudgeConfig(judges=("rules:judge", "rules:judge")), None, ChatModels(ChatSettings()))
