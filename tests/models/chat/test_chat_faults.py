"""Whatever goes wrong on the way, every request ends with the answer of an undisturbed run, or with a reason."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import EngineError, UsageError


def drawn(kinds: tuple[str, ...], useless: tuple[str, ...], share: float, seed: int = 0) -> Any:
    """Return faults for a share of the tries, drawn for each question; one useless answer a question at most."""

    def draw(question: str, before: int) -> str | None:
        random = Random(f"{seed}:{question}:{before}")
        return random.choice(kinds) if random.random() < share else None

    def fault(question: str, before: int) -> str | None:
        found = draw(question, before)
        repeated = any(draw(question, earlier) in useless for earlier in range(before))
        return None if found in useless and repeated else found

    return fault


@pytest.mark.parametrize("concurrency", [1, 32])
def test_with_a_fifth_of_the_tries_failing_the_answers_are_those_of_an_undisturbed_run(
    endpoint: Any, ask: Any, make_requests: Any, right_text: Any, cache: Any, useless: Any, concurrency: int
) -> None:
    """The same at any concurrency; and nothing is asked again once its right answer was sent."""
    requests = make_requests(40 if concurrency == 1 else 359)
    endpoint.faults = drawn(endpoint.kinds, useless, 0.2)
    endpoint.slow = 4.2
    done = ask(requests, cache, concurrency=concurrency, timeout=4.0, attempts=9)  # a busy machine is no fault
    assert done.texts == {request.id: right_text(request.messages) for request in requests}
    assert set(endpoint.answered.values()) == {1}
    assert done.stats.asked == sum(endpoint.asked.values()) == len(requests) + done.stats.retried
    assert sum(done.stats.failures.values()) == done.stats.retried > 0
    assert (done.stats.unanswered, done.stats.cached, done.stats.response_format) == (0, 0, "json_schema")
    again = ask(requests, cache, concurrency=concurrency)
    assert again.texts == done.texts
    assert (again.stats.asked, again.stats.cached) == (0, len(requests))


PLANS = st.lists(
    st.lists(st.sampled_from(["429", "500", "fenced", "dropped", "refusal", "cut body", "too long"]), max_size=5),
    min_size=1,
    max_size=8,
).filter(lambda plan: sum(fault in ("429", "500", "dropped", "cut body") for faults in plan for fault in faults) < 10)
"""Fewer faults below the level of answers than those in a row after which an endpoint is given up."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS, concurrency=st.integers(1, 8))
def test_for_any_plan_of_faults_the_outcome_follows_from_the_plan(
    endpoint: Any, ask: Any, make_requests: Any, question_hash: Any, plan: list[list[str]], concurrency: int
) -> None:
    """A request whose passing faults are fewer than its tries is answered, by one try more than it has faults.

    Of answers that are of no use the second is the last.
    """
    requests = make_requests(len(plan))
    faults_of = {question_hash(request.messages): faults for request, faults in zip(requests, plan, strict=True)}

    def fault(question: str, before: int) -> str | None:
        faults = faults_of[question]
        return faults[before] if before < len(faults) else None

    endpoint.asked.clear()
    endpoint.faults = fault
    done = ask(requests, attempts=4, concurrency=concurrency, first_pause=0.0005)
    for number, faults in enumerate(plan):
        answer = done.answers[f"case-{number}"]
        useless = [place for place, fault in enumerate(faults) if fault in ("fenced", "refusal")]
        ends = [4, *([faults.index("too long") + 1] if "too long" in faults else []), *(n + 1 for n in useless[1:2])]
        assert answer.attempts == min(*ends, len(faults) + 1, 4)
        assert (answer.text is None) == (answer.error is not None) == (min(ends) <= len(faults))
    assert done.stats.asked == sum(endpoint.asked.values())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("429", "Rate limit reached"),
        ("500", "The server had an error"),
        ("slow", "no answer within 0.5 s"),
        ("trickle", "no answer within 0.5 s"),
        ("cut body", "connection broke"),
        ("html", "not a chat completion"),
        ("no choice", "sent no choice"),
        ("error in 200", "The provider returned an error"),
        ("nested", "not a chat completion"),
        ("504", "Gateway timeout"),
        ("empty", "the answer is empty"),
        ("refusal", "I cannot judge this"),
        ("length", "cut off at the limit of tokens"),
        ("dropped", "connection broke"),
        ("cut text", "Unterminated string"),
        ("two objects", "Extra data"),
    ],
)
def test_a_fault_that_stays_is_the_reason_of_its_request_alone(
    endpoint: Any, ask: Any, make_requests: Any, question_hash: Any, useless: Any, fault: str, words: str
) -> None:
    endpoint.slow = 0.8
    requests = make_requests(4)
    unlucky = question_hash(requests[2].messages)
    endpoint.faults = lambda question, before: fault if question == unlucky else None
    done = ask(requests, attempts=3, timeout=0.5 if fault in ("slow", "trickle") else 30)
    errors = [answer.error for answer in done.answers.values()]
    unanswered = done.answers["case-2"]
    assert sum(error is not None for error in errors) == done.stats.unanswered == 1
    assert words in unanswered.error
    tries = 2 if fault in useless else 3
    assert (unanswered.text, unanswered.attempts) == (None, tries)
    assert sum(done.stats.failures.values()) == tries


@pytest.mark.parametrize("fault", ["This exceeds the context length of 10 tokens", "Content policy", "content filter"])
def test_a_request_that_is_too_long_or_filtered_is_not_asked_again(
    endpoint: Any, ask: Any, make_requests: Any, fault: str
) -> None:
    """Even where that is so of all of them."""
    endpoint.faults = lambda question, before: fault
    done = ask(make_requests(5))
    assert set(endpoint.asked.values()) == {1}
    assert all(fault.lower() in str(answer.error).lower() for answer in done.answers.values())


def test_messages_of_a_retry_are_the_same_and_a_cut_answer_gets_twice_the_room(
    endpoint: Any, ask: Any, make_requests: Any
) -> None:
    endpoint.faults = lambda question, before: ("length", "500", None)[before]
    [request] = make_requests(1, max_tokens=100)
    done = ask([request])
    assert done.answers["case-0"].text is not None
    assert [request.pop("max_tokens") for request in endpoint.requests] == [100, 200, 200]
    assert endpoint.requests[0] == endpoint.requests[1] == endpoint.requests[2]
    assert endpoint.requests[0]["messages"] == list(request.messages)
    assert endpoint.requests[0]["temperature"] == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [("fenced", "Expecting value"), ("empty", "it was empty"), ("refusal", "it was a refusal"), ("cut text", "string")],
)
def test_what_cannot_be_used_is_asked_for_once_more_with_words_that_say_why(
    endpoint: Any, ask: Any, make_requests: Any, fault: str, words: str
) -> None:
    """A model that is asked the same at temperature 0 says the same; what a refusal says is not repeated to it."""
    endpoint.faults = lambda question, before: None if before else fault
    [request] = make_requests(1)
    done = ask([request])
    assert (done.stats.unanswered, done.answers["case-0"].attempts) == (0, 2)
    first, second = (sent["messages"] for sent in endpoint.requests)
    assert first == list(request.messages)
    assert second[:-1] == first[:-1]
    more = second[-1]["content"].removeprefix(first[-1]["content"])
    assert words in more
    assert "cannot judge" not in more
    assert json.dumps(request.schema) in more


def test_text_that_has_no_place_in_utf_8_can_be_asked_about(endpoint: Any, ask: Any, make_requests: Any) -> None:
    """A model's answer may hold half a surrogate pair."""
    [request] = make_requests(1)
    done = ask([replace(request, messages=({"role": "user", "content": "half \ud83d a pair"},))])
    assert done.stats.unanswered == 0
    assert endpoint.requests[0]["messages"][0]["content"] == "half ? a pair"


def test_equal_requests_are_asked_once_and_all_answered(ask: Any, make_requests: Any, endpoint: Any) -> None:
    requests = [replace(request, id=f"{request.id}-{copy}") for request in make_requests(3) for copy in range(4)]
    done = ask(requests)
    assert done.stats.asked == len(endpoint.requests) == 3
    assert len(done.texts) == 12
    assert len(set(done.texts.values())) == 3


@pytest.mark.parametrize(
    ("formats", "used", "sent"),
    [
        (("json_schema",), "json_schema", 8),
        (("json_object",), "json_object", 9),
        ((), "none", 10),
    ],
)
def test_an_endpoint_without_schemas_is_asked_more_plainly_and_that_is_found_out_once(
    endpoint: Any, ask: Any, make_requests: Any, formats: tuple[str, ...], used: str, sent: int
) -> None:
    endpoint.formats = formats
    endpoint.delay = 0.02
    done = ask(make_requests(8))
    assert done.stats.response_format == used
    assert done.stats.asked == len(endpoint.requests) == sent
    assert {answer.attempts for answer in done.answers.values()} == {1}
    assert done.stats.unanswered == 0


def test_the_newer_name_of_the_token_limit_is_found_out_too(endpoint: Any, ask: Any, make_requests: Any) -> None:
    endpoint.length_name = "max_completion_tokens"
    endpoint.formats = ()
    done = ask(make_requests(5))
    assert (done.stats.unanswered, done.stats.asked) == (0, 8)


def test_without_a_schema_no_format_is_sent(endpoint: Any, ask: Any, make_requests: Any) -> None:
    done = ask(make_requests(2, schema=None))
    assert done.stats.response_format is None
    assert not any("response_format" in request for request in endpoint.requests)


@pytest.mark.parametrize(
    ("model", "variable", "value", "words"),
    [
        ("other", "OPENAI_API_KEY", None, ["`other` does not exist", "check the model's name"]),
        ("verdict-model", "OTHER_KEY", "sk-another-secret", ["Incorrect API key", "OTHER_KEY"]),
    ],
)
def test_what_every_request_shares_being_wrong_stops_the_run_at_once(
    ask: Any, make_requests: Any, monkeypatch: pytest.MonkeyPatch, model: str, variable: str, value: str, words: Any
) -> None:
    """And the message does not repeat the key, though the endpoint's does."""
    if value:
        monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as raised:
        ask(make_requests(20), model=model, key_variable=variable)
    assert all(word in str(raised.value) for word in words)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("fault", "sent"), [("401", 1), ("403", 1), ("404", 1), ("400", 3)])
def test_refusals_for_all_are_found_out_before_everything_is_asked(
    endpoint: Any, ask: Any, make_requests: Any, fault: str, sent: int
) -> None:
    endpoint.faults = lambda question, before: fault
    with pytest.raises(UsageError, match=f"status {fault}"):
        ask(make_requests(50))
    assert len(endpoint.requests) == sent


def test_no_key_for_a_distant_endpoint_is_said_before_anything_is_sent(
    ask: Any, make_requests: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        ask(make_requests(1), base_url="https://far.invalid/v1")


@pytest.mark.parametrize("value", ["sk-first\nsk-second", "sk-\u00e9"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    ask: Any, make_requests: Any, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(UsageError, match="the key in OPENAI_API_KEY") as raised:
        ask(make_requests(1))
    assert "sk-" not in str(raised.value)


def test_a_line_break_after_the_key_does_no_harm(
    ask: Any, make_requests: Any, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{key}\n")
    assert ask(make_requests(1)).stats.unanswered == 0


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": "many"},
        [],
        "none",
        {"prompt_tokens": 3},
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": 10**18, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": float("nan")},
        {"prompt_tokens": 1, "completion_tokens": True},
    ],
)
def test_an_endpoint_that_counts_tokens_oddly_has_answered_all_the_same(
    endpoint: Any, ask: Any, make_requests: Any, usage: Any
) -> None:
    endpoint.usage = usage or [1]
    done = ask(make_requests(2))
    assert (done.stats.unanswered, done.stats.retried, done.stats.usage.prompt) == (0, 0, 0)
    assert done.stats.uncounted == 2


def test_an_endpoint_that_is_not_there_is_said_at_once(ask: Any, make_requests: Any) -> None:
    start = time.monotonic()
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9/v1 is not there.*check the address"):
        ask(make_requests(50), base_url="http://127.0.0.1:9/v1", first_pause=10)
    assert time.monotonic() - start < 9


def test_an_endpoint_that_goes_is_asked_again_and_then_said_to_have_gone(
    endpoint: Any, ask: Any, make_requests: Any, cache: Any
) -> None:
    """What it had answered is kept."""
    endpoint.delay = 0.01
    requests = make_requests(300)

    def stop() -> None:
        while len(endpoint.answered) < 20:
            time.sleep(0.01)
        endpoint.stop()

    stopper = threading.Thread(target=stop, daemon=True)
    stopper.start()
    with pytest.raises(EngineError, match=r"has gone.*not asked again"):
        ask(requests, cache, concurrency=2, attempts=3)
    stopper.join()
    held = sum(cache.holds("test", request) for request in requests)
    assert 5 < held < 300


def test_no_more_room_is_asked_for_than_the_model_has(endpoint: Any, ask: Any, make_requests: Any) -> None:
    """An engine refuses more than its context, which would look like a fault of every question."""
    assert all(ask(make_requests(2, max_tokens=1000), most_tokens=100).texts.values())
    assert {request["max_tokens"] for request in endpoint.requests} == {100}
