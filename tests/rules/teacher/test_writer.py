"""What the rule-based teacher writes: lengths, validity, truth, variety, layout."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest

from harness.curation.checks.conversation import check, rejected
from harness.curation.checks.duplicates import Duplicates
from harness.curation.checks.message_order import CheckConfig
from harness.data.events import events
from harness.data.pipeline_records import ConversationPlan
from harness.data.records import Task
from harness.data.scenarios import get
from harness.data.tools import Toolbox
from harness.errors import DataError
from harness.rules.teacher.database import matches
from harness.rules.teacher.task_model import learn_task_model
from harness.rules.teacher.verbalisation import shown
from harness.rules.teacher.writer import RulesWriter

LENGTHS = range(2, 61)


@pytest.mark.parametrize("taught", [True, False])
def test_even_lengths_are_met_and_odd_ones_missed_by_one(taught, write, sample, seeds):
    drafts = write(sample, seeds if taught else (), LENGTHS)
    for length, draft in zip(LENGTHS, drafts, strict=True):
        written = len(draft.conversation.messages)
        assert written == length if length % 2 == 0 else abs(written - length) == 1


def test_conversations_pass_the_strict_checks(write, sample, seeds):
    """All but a few: the checks read free text, and so do not always see what a wording refers to."""
    toolbox = Toolbox(sample.tools)
    drafts = write(sample, seeds, [6, 12, 20, 28, 40] * 6)
    failed = [draft.id for draft in drafts if rejected(check(draft.conversation, toolbox, CheckConfig(strict=True)))]
    assert len(failed) <= 1, failed


def test_every_call_is_valid_whatever_types_the_schema_has(write, parcels, parcel_trace):
    toolbox = Toolbox(parcels.tools)
    for seeds in ((parcel_trace,), ()):
        drafts = write(parcels, seeds, list(LENGTHS))
        assert [draft.error for draft in drafts if draft.error] == []
        calls = [call for draft in drafts for message in draft.conversation.messages for call in message.tool_calls]
        assert {call.name for call in calls} == {"search_parcels", "create_pickup"}
        assert [problem for call in calls for problem in toolbox.problems(call)] == []


def test_results_are_laid_out_like_the_traces(write, parcels, parcel_trace):
    """Tool messages that answer the call before them; the rows under the same key; one object where it was one."""
    messages = write(parcels, (parcel_trace,), [40])[0].conversation.messages
    answers = [(messages[place - 1], one) for place, one in enumerate(messages) if one.role == "tool"]
    assert answers
    for asked, answer in answers:
        (call,) = asked.tool_calls
        assert answer.tool_call_id == call.id
        keys = {"search_parcels": ["parcels"], "create_pickup": ["status", "pickup_id"]}[call.name]
        assert list(json.loads(answer.content)) == keys or json.loads(answer.content) == []
    assert all(one.content for one in messages if one.role == "assistant" and not one.tool_calls)


def test_rows_have_what_the_call_asked_for(write, sample, seeds):
    toolbox = Toolbox(sample.tools)
    for draft in write(sample, seeds, [16, 24, 32] * 8):
        history = events(draft.conversation.messages, toolbox)
        for call, result in pairwise(history):
            if call.kind == "call":
                assert all(matches(row, call.call.arguments) for row in result.rows)


def test_a_narrower_search_finds_nothing_new(write, sample, seeds):
    for draft in write(sample, seeds, [40, 60] * 8):
        lookups = [call for call in draft.plan["calls"] if call["tool"] == "FindRestaurants"]
        for before, after in pairwise(lookups):
            if before["arguments"].items() < after["arguments"].items():
                assert all(row in before["rows"] for row in after["rows"])


def test_what_is_booked_was_said_before(write, sample, seeds):
    """Names, cities and flags of a transaction are in the texts or results before it, so that they can be recovered."""
    toolbox = Toolbox(sample.tools)
    for draft in write(sample, seeds, [18, 26] * 10):
        history = events(draft.conversation.messages, toolbox)
        for event in history:
            if event.kind == "call" and event.call.name == "ReserveRestaurant":
                said = "\n".join(one.text for one in history[: event.position]).lower()
                for key in ("restaurant_name", "city"):
                    assert shown(event.call.arguments[key]).lower() in said


def test_the_same_plan_gives_the_same_conversation(write, sample, seeds):
    assert write(sample, seeds, [20] * 4) == write(sample, seeds, [20] * 4)
    alone, *_ = write(sample, seeds, [20])
    assert alone == write(sample, seeds, [20, 30, 40])[0]
    assert write(sample, seeds, [20], seed=1)[0].conversation != alone.conversation


def test_conversations_differ_from_each_other_and_from_the_seeds(write, sample, seeds):
    known = Duplicates(0.7)
    for seed in seeds[:4]:
        known.add(seed)
    assert [draft.id for draft in write(sample, seeds, [10, 16, 22] * 20) if known.add(draft.conversation)] == []


def test_entities_are_not_those_of_the_traces(write, sample, seeds):
    toolbox = Toolbox(sample.tools)
    known = {row["restaurant_name"] for seed in seeds for one in events(seed.messages, toolbox) for row in one.rows}
    drafts = write(sample, seeds, [20] * 20)
    made = {row["restaurant_name"] for draft in drafts for call in draft.plan["calls"] for row in call["rows"]}
    assert len(made) > 20
    assert not made & known


def test_a_task_without_services_is_refused(sample):
    talk_only = Task(description="", tools=tuple(one for one in sample.tools if "respond" in json.dumps(one)))
    with pytest.raises(DataError, match="no tool but the one that speaks"):
        RulesWriter(talk_only).write([], print)


def test_learning_beforehand_makes_a_plan_independent_of_its_batch(sample, seeds):
    writer = RulesWriter(sample, seeds)
    plans = [
        ConversationPlan(id=f"p{n}", seed=0, length=20, topic="", complexity=1, exemplars=seeds[n : n + 2])
        for n in range(3)
    ]
    together, apart = [], []
    writer.write(plans, together.append)
    for plan in plans:
        writer.write([plan], apart.append)
    assert together == apart


def test_five_real_traces_teach_enough(published_task, dialogues, write):
    """The benchmark's fourth scenario: lengths as asked, all valid, nothing alike, the traces' own day for `today`."""
    task = replace(published_task, description="")
    traces = get(4).conversations(dialogues, "tft")
    toolbox, known = Toolbox(task.tools), Duplicates(0.7)
    assert learn_task_model(toolbox, traces).values.today == date(2019, 3, 1)
    for length, draft in zip([12, 20, 26] * 20, write(task, traces, [12, 20, 26] * 20), strict=True):
        assert len(draft.conversation.messages) == length
        assert not rejected(check(draft.conversation, toolbox, CheckConfig(strict=True)))
        assert known.add(draft.conversation) is None
