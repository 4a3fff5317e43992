"""Language models in the four roles behind an endpoint that can go wrong: an item is answered, or there is a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.curation.llm_roles.arbiter import LlmArbiter
from harness.curation.llm_roles.labeler import LlmLabeler
from harness.curation.llm_roles.rater import LlmRater
from harness.curation.llm_roles.writer import LlmWriter, read_conversation
from harness.data.events import events
from harness.data.pipeline_records import ConversationPlan
from harness.data.records import Conversation, Message
from harness.data.tools import Toolbox
from harness.models.chat.budget import Budget, BudgetSpent
from harness.models.chat.chat_models import ChatModel, ChatModels, ChatSettings
from harness.models.chat.endpoints import Endpoints
from support import chat_endpoint
from support.garage_task import TASK, dispute, garages, plan

TOOLBOX = Toolbox(TASK.tools)


WRITTEN = {
    "plan": {"goal": "a garage", "values": {"city": "Bonn"}, "results": "one"},
    "messages": [
        {"user": "A garage in Bonn."},
        {"call": {"name": "FindGarage", "parameters": {"city": "Bonn"}}},
        {"result": [{"place": "Hof"}]},
        {"call": {"name": "respond_to_user", "parameters": {"message": "There is Hof."}}},
        {"user": "Book it."},
        {"call": {"name": "BookGarage", "parameters": {"city": "Bonn", "place": "Hof"}}},
    ],
}
RATED = {"relevance_reason": "garages", "relevance": 5, "coherence_reason": "in order", "coherence": 4}


def right_answer(request: dict[str, Any]) -> str:
    """Answer as the question asks: rate, repeat every turn, take the first proposal, write."""
    user = request["messages"][1]["content"]
    if "How relevant" in user:
        return json.dumps(RATED)
    if "PROPOSALS" in user:
        return json.dumps({"reason": "the result follows", "choice": "A", "call": None})
    if "WHAT TO WRITE" in user:
        return json.dumps(WRITTEN)
    turns = re.findall(r"^(\d+)\. assistant calls: (.*)$", user, re.MULTILINE)
    return json.dumps({"turns": {number: json.loads(text) for number, text in turns}})


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("OPENAI_API_KEY", chat_endpoint.KEY)
    with chat_endpoint.serving() as state:
        state.answer = right_answer
        yield state


@pytest.fixture
def model(endpoint: Any, tmp_path: Path) -> Callable[..., ChatModel]:
    """The endpoint as a model with a price: one cent a question."""

    def make(**settings: Any) -> ChatModel:
        file = tmp_path / "endpoints.yaml"
        file.write_text(f"verdict-model: {{base_url: '{endpoint.url}', price: {{input: 100, output: 0}}}}\n")
        chosen = {"endpoints": Endpoints(file=file), "cache": tmp_path / "answers", "concurrency": 8, **settings}
        return ChatModels(ChatSettings(**chosen)).model("openai:verdict-model")

    return make


def run(role: str, model: ChatModel, count: int) -> list[Any]:
    """Return the role's outcomes for so many items, by id."""
    found: list[Any] = []
    numbers = range(count)
    if role == "filter":
        LlmRater(model, TASK).rate([garages(number) for number in numbers], found.append)
    elif role == "relabel":
        LlmLabeler(model, TASK).relabel([garages(number) for number in numbers], found.append)
    elif role == "arbiter":
        LlmArbiter(model, TASK).rule([dispute(number) for number in numbers], found.append)
    else:
        LlmWriter(model, TASK).write([plan(number) for number in numbers], found.append)
    assert sorted(one.id for one in found) == sorted({one.id for one in found})
    assert len(found) == count
    return sorted(found, key=lambda one: str(one.id))


ROLES = ("filter", "relabel", "arbiter", "synthesize")


@pytest.mark.parametrize("role", ROLES)
def test_with_a_fifth_of_the_tries_failing_every_item_has_the_outcome_of_an_undisturbed_run(
    role: str, endpoint: Any, model: Any, tmp_path: Path
) -> None:
    """And a second run asks nothing."""
    undisturbed = run(role, model(cache=tmp_path / "others"), 8)
    endpoint.asked.clear()
    endpoint.answered.clear()

    def fault(question: str, before: int) -> str | None:
        random = Random(f"{question}:{before}")
        kinds = ("429 in 30 ms", "500", "cut body", "cut text", "two objects", "refusal", "empty", "dropped")
        return random.choice(kinds) if random.random() < 0.2 and before < 4 else None

    endpoint.faults = fault
    found = run(role, model(), 8)
    assert found == undisturbed
    assert set(endpoint.answered.values()) == {1}
    asked = len(endpoint.requests)
    assert run(role, model(), 8) == found
    assert len(endpoint.requests) == asked


@pytest.mark.parametrize("role", ROLES)
def test_an_answer_that_stays_unusable_is_the_reason_of_its_item_alone(role: str, endpoint: Any, model: Any) -> None:
    endpoint.answer = lambda request: (
        '{"unexpected": true}'
        if "2 cars" in request["messages"][1]["content"] or "s-2" in str(request)
        else right_answer(request)
    )
    found = run(role, model(), 4)
    problems = [getattr(one, "error", None) or getattr(one, "reason", None) for one in found]
    assert ["no usable answer after 2 tries" in problem for problem in problems if problem].count(True) == 1
    assert "unexpected" in problems[2]


def test_ratings_and_rewrites_are_what_the_model_said(model: Any) -> None:
    [rating] = run("filter", model(), 1)
    assert (rating.relevance, rating.coherence, rating.coherence_reason) == (5, 4, "in order")
    [rewrite] = run("relabel", model(), 1)
    turns = [event.call for event in events(garages(0).messages, TOOLBOX) if event.is_turn]
    assert list(rewrite.calls) == turns
    assert rewrite.labeler == "openai:verdict-model"


def test_a_conversation_without_turns_has_nothing_to_relabel_and_nobody_is_asked(endpoint: Any, model: Any) -> None:
    found: list[Any] = []
    silent = Conversation(id="s", messages=(Message(role="user", content="Hello?"),), source="")
    LlmLabeler(model(), TASK).relabel([silent, garages(1)], found.append)
    assert {one.id: len(one.calls) for one in found} == {"s": 0, "t-1": 4}
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"turns": {}}, "the keys none"),
        ({"turns": {"2": None, "4": None, "6": None, "8": None, "9": None}}, '"9"'),
        ({"turns": [1]}, "`turns` is not an object"),
        ({"turns": {key: {"name": "NoTool", "parameters": {}} for key in "2468"}}, "there is no tool NoTool"),
        ({"turns": {key: {"name": "FindGarage", "parameters": {"town": "Ulm"}} for key in "2468"}}, "not valid"),
        ({"turns": {key: {"name": "FindGarage", "arguments": {"city": "Ulm"}} for key in "2468"}}, "parameters"),
    ],
)
def test_a_rewrite_with_turns_missing_or_calls_that_are_not_valid_is_none(
    endpoint: Any, model: Any, answer: Any, problem: str
) -> None:
    endpoint.answer = lambda request: json.dumps(answer)
    [rewrite] = run("relabel", model(), 1)
    assert rewrite.calls == ()
    assert problem in rewrite.error


@pytest.mark.parametrize(
    ("answer", "called", "chosen"),
    [
        ({"choice": "B", "call": None}, {"message": "Where?"}, 1),
        ({"choice": "unsure", "call": None}, None, None),
        ({"choice": "own", "call": {"name": "FindGarage", "parameters": {"city": "Rom"}}}, {"city": "Rom"}, None),
        ({"choice": "own", "call": None}, None, None),
        ({"choice": "own", "call": {"name": "Other", "parameters": {}}}, None, None),
        ({"choice": "C", "call": None}, None, None),
    ],
)
def test_a_ruling_is_a_proposal_a_valid_call_of_its_own_or_nothing(
    endpoint: Any, model: Any, answer: dict[str, Any], called: Any, chosen: int | None
) -> None:
    endpoint.answer = lambda request: json.dumps({"reason": "so it says", **answer})
    [ruling] = run("arbiter", model(), 1)
    assert (ruling.call.arguments if ruling.call else None, ruling.chosen) == (called, chosen)
    assert ruling.reason


def test_the_arbiter_does_not_see_what_was_logged_at_the_turn(endpoint: Any, model: Any) -> None:
    run("arbiter", model(), 1)
    [request] = endpoint.requests
    conversation = request["messages"][1]["content"].partition("# PROPOSALS")[0]
    assert "4. assistant calls: (the turn in question)" in conversation
    assert "FindGarage" not in conversation


@pytest.mark.parametrize("role", ["user", "tool"])
def test_a_draft_has_results_as_in_the_exemplars_and_calls_that_are_valid(model: Any, role: str) -> None:
    exemplar = garages(1)
    if role == "tool":
        messages = list(exemplar.messages)
        messages[4] = Message(role="tool", content=messages[4].content, tool_call_id="c")
        exemplar = Conversation(id="t", messages=tuple(messages), source="")
    found: list[Any] = []
    one = ConversationPlan(id="s", seed=0, length=6, topic="", complexity=1, exemplars=(exemplar,))
    LlmWriter(model(), TASK).write([one], found.append)
    [draft] = found
    assert draft.conversation.messages[2].role == role
    kinds = [event.kind for event in events(draft.conversation.messages, TOOLBOX)]
    assert kinds == ["user", "call", "result", "reply", "user", "call"]
    identifiers = [one.id for message in draft.conversation.messages for one in message.tool_calls]
    assert len(set(identifiers)) == 3
    assert draft.conversation.messages[2].tool_call_id == (identifiers[0] if role == "tool" else None)
    assert draft.plan["goal"] == "a garage"


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([], "not a list with messages"),
        (WRITTEN["messages"][1:], "message 1 is of the kind call; expected user"),
        (WRITTEN["messages"][:1], "does not end with a call"),
        (WRITTEN["messages"][:2] + WRITTEN["messages"][3:], "message 3 is of the kind call; expected result"),
        (WRITTEN["messages"][:4] + WRITTEN["messages"][5:], "expected user"),
        ([{"user": " "}], "says nothing"),
        ([{"user": "[1]"}], "no user says"),
        ([{"user": "Hello", "call": None}], "message 1"),
        ([{"user": "Hello"}, {"call": {"name": "FindGarage", "parameters": {}}}], "not valid"),
        ([*WRITTEN["messages"][:2], {"result": "nothing"}], "a list or an object"),
    ],
)
def test_a_conversation_out_of_order_or_with_a_wrong_call_is_no_draft(steps: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_conversation(json.dumps({**WRITTEN, "messages": steps}), TOOLBOX)


def test_plans_that_agree_in_all_but_their_number_are_asked_one_by_one(endpoint: Any, model: Any) -> None:
    run("synthesize", model(), 5)
    assert len(endpoint.requests) == 5
    assert all(request["temperature"] == 0.7 for request in endpoint.requests)


@pytest.mark.parametrize("role", ROLES)
def test_estimates_send_nothing_and_know_what_is_kept(role: str, endpoint: Any, model: Any) -> None:
    asked = model()
    run(role, asked, 3)
    sent = len(endpoint.requests)
    found = {
        "filter": lambda: LlmRater(asked, TASK).estimate([garages(number) for number in range(5)]),
        "relabel": lambda: LlmLabeler(asked, TASK).estimate([garages(number) for number in range(5)]),
        "arbiter": lambda: LlmArbiter(asked, TASK).estimate([dispute(number) for number in range(5)]),
        "synthesize": lambda: LlmWriter(asked, TASK).estimate([plan(number) for number in range(5)]),
    }[role]()
    assert (found.requests, found.known) == (5, 3)
    assert 0 < found.cost == found.most_cost
    assert len(endpoint.requests) == sent


def test_a_budget_is_shared_by_the_roles_and_the_error_says_how_to_go_on(endpoint: Any, model: Any) -> None:
    budget = Budget(0.05)
    run("filter", model(budget=budget), 4)
    with pytest.raises(BudgetSpent, match="higher --budget"):
        run("arbiter", model(budget=budget, concurrency=1), 4)
    assert len(endpoint.requests) == 5


def test_settings_name_the_prompt_and_no_key(model: Any) -> None:
    asked = model()
    roles = [kind(asked, TASK) for kind in (LlmRater, LlmLabeler, LlmArbiter, LlmWriter)]
    assert len({role.settings["prompt_sha256"] for role in roles}) == 4
    assert chat_endpoint.KEY not in json.dumps([role.settings for role in roles])
