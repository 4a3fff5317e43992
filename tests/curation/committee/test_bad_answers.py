"""What small models really answer (recorded from SmolLM2-135M-Instruct): counted by reason, and never asked in vain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.curation.llm_roles.arbiter import LlmArbiter
from harness.curation.llm_roles.labeler import LlmLabeler
from harness.curation.llm_roles.rater import LlmRater
from harness.curation.llm_roles.writer import LlmWriter
from harness.models.chat.chat_models import ChatModel, ChatModels, ChatSettings
from harness.models.chat.completions import repeats_itself
from harness.models.chat.endpoints import Endpoints
from support import chat_endpoint
from support.garage_task import TASK, dispute, garages, plan

PLAN = {
    "goal": "what is the plan?",
    "values": {"goaL": "The plan is about making a reservation at a restaurant.", "messages": "There are 11 messages."},
    "results": "The plan is about making a reservation at a restaurant at 6:30 pm.",
}
BEGINS_WITH_A_RESULT = {"plan": PLAN, "messages": [{"result": {"user": {"name": {"type": ["json", "format"]}}}}]}
ENDS_WITH_THE_USER = {"plan": PLAN, "messages": [{"user": "{{name}}: The plan is about making a reservation."}]}
SAYS_THE_SAME = {"name": "respond_to_user", "parameters": {"message": "No. Thank you."}}
OTHER_TOWN = {"name": "FindGarage", "parameters": {"town": "Alameda"}}
RATED = {"relevance_reason": "message 1 asks", "relevance": 5, "coherence_reason": "message 6", "coherence": 4}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("OPENAI_API_KEY", chat_endpoint.KEY)
    with chat_endpoint.serving() as state:
        yield state


@pytest.fixture
def model(endpoint: Any, tmp_path: Path) -> Callable[..., ChatModel]:
    """The endpoint as a model, whose entry in the endpoints file has these limits."""

    def make(**limits: Any) -> ChatModel:
        file = tmp_path / "endpoints.yaml"
        file.write_text(json.dumps({"verdict-model": {"base_url": endpoint.url, "limits": limits}}))
        chosen = ChatSettings(endpoints=Endpoints(file=file), cache=tmp_path / "answers", concurrency=4)
        return ChatModels(chosen).model("openai:verdict-model")

    return make


def outcome(role: str, model: ChatModel, count: int = 1) -> Any:
    """Have a role do its work on so many items, and return what became of its questions."""
    numbers, ignore = range(count), lambda _: None
    if role == "filter":
        player: Any = LlmRater(model, TASK)
        player.rate([garages(number) for number in numbers], ignore)
    elif role == "relabel":
        player = LlmLabeler(model, TASK)
        player.relabel([garages(number) for number in numbers], ignore)
    elif role == "arbiter":
        player = LlmArbiter(model, TASK)
        player.rule([dispute(number) for number in numbers], ignore)
    else:
        player = LlmWriter(model, TASK)
        player.write([plan(number) for number in numbers], ignore)
    return player.answer_counts()


@pytest.mark.parametrize(
    ("role", "answer", "reason"),
    [
        ("filter", '{"relevance_reason":"message 1 asks for', "not one JSON object"),
        ("filter", {**RATED, "relevance": 0}, "not as asked: keys, types or choices"),
        ("filter", {"conversation": "The conversation is about"}, "not as asked: keys, types or choices"),
        ("relabel", {"turns": {"2": SAYS_THE_SAME}}, "not as asked: keys, types or choices"),
        ("relabel", {"turns": dict.fromkeys("2468", OTHER_TOWN)}, "a call that the tools do not allow"),
        ("relabel", {"turns": dict.fromkeys("2468", SAYS_THE_SAME)}, "a call or message where it cannot stand"),
        ("arbiter", {"reason": "", "choice": "own", "call": OTHER_TOWN}, "a call that the tools do not allow"),
        (
            "arbiter",
            {"reason": "", "choice": "own", "call": SAYS_THE_SAME},
            "a call or message where it cannot stand",
        ),
        ("synthesize", BEGINS_WITH_A_RESULT, "a call or message where it cannot stand"),
        ("synthesize", ENDS_WITH_THE_USER, "a call or message where it cannot stand"),
    ],
)
def test_an_unusable_answer_is_counted_once_under_its_reason(
    endpoint: Any, model: Any, role: str, answer: Any, reason: str
) -> None:
    endpoint.answer = lambda request: answer if isinstance(answer, str) else json.dumps(answer)
    counts = outcome(role, model())
    assert (counts.role, counts.questions, counts.usable, dict(counts.unusable)) == (role, 1, 0, {reason: 1})
    assert (counts.prompt_tokens, counts.answer_tokens) == (200, 20)
    assert str(counts) == f"{role}, openai:verdict-model: 0 of 1 answers are usable ({reason} 1)"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("loop", "repeats itself up to the limit of tokens"),
        ("length", "cut off at the limit of tokens"),
        ("empty", "empty"),
        ("refusal", "refused by the model"),
        ("content filter", "held back by a content filter"),
        ("error in 200", "no answer"),
        ("This model's maximum context length is 8192 tokens.", "too long for the context"),
    ],
)
def test_what_an_engine_sends_for_an_answer_is_counted_under_its_reason(
    endpoint: Any, model: Any, fault: str, reason: str
) -> None:
    endpoint.answer = lambda request: json.dumps(RATED)
    endpoint.faults = lambda question, before: fault
    assert dict(outcome("filter", model()).unusable) == {reason: 1}


def test_an_endpoint_that_hangs_is_counted_as_no_answer_in_time(endpoint: Any, model: Any) -> None:
    endpoint.faults, endpoint.slow = (lambda question, before: "slow"), 0.5
    assert dict(outcome("filter", model(timeout=0.1)).unusable) == {"no answer in time": 1}


def test_usable_answers_are_counted_with_those_that_took_a_second_try_and_those_known_already(
    endpoint: Any, model: Any
) -> None:
    endpoint.answer = lambda request: json.dumps(RATED)
    endpoint.faults = lambda question, before: "empty" if before == 0 and int(question[0], 16) < 8 else None
    first = outcome("filter", model(), 6)
    again = sum(count == 2 for count in endpoint.asked.values())
    assert (first.questions, first.usable, first.asked_again, first.known) == (6, 6, again, 0)
    second = outcome("filter", model(), 6)
    assert (second.usable, second.known, second.prompt_tokens, second.answer_tokens) == (6, 6, 0, 0)


def test_an_answer_that_runs_in_circles_gets_words_and_not_more_room(endpoint: Any, model: Any) -> None:
    endpoint.answer = lambda request: json.dumps(RATED)
    endpoint.faults = lambda question, before: "loop"
    outcome("filter", model())
    first, second = endpoint.requests
    assert first["max_tokens"] == second["max_tokens"]
    assert "repeats itself" in second["messages"][-1]["content"]


def test_an_answer_cut_off_where_there_is_no_more_room_is_not_asked_for_again(endpoint: Any, model: Any) -> None:
    """At temperature 0 it would be cut off at the same place, after as long a wait."""
    endpoint.answer = lambda request: json.dumps(RATED)
    endpoint.faults = lambda question, before: "length"
    outcome("filter", model(max_tokens=300))
    assert [request["max_tokens"] for request in endpoint.requests] == [300]
    endpoint.requests.clear()
    outcome("filter", model(max_tokens=1500))
    assert [request["max_tokens"] for request in endpoint.requests] == [1024, 1500]


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("The plan has outcomes. " * 8, True),
        ('{"reason": "' + "no " * 60, True),
        (json.dumps({"turns": {str(number): SAYS_THE_SAME for number in range(2, 20, 2)}}), False),
        ('{"reason": "' + "x" * 100, False),
        ("", False),
        ("short, short, short, short", False),
    ],
)
def test_a_loop_is_the_same_words_over_and_over_at_the_end(text: str, loops: bool) -> None:
    assert repeats_itself(text) is loops
