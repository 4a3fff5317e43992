"""What is spent: never more than the limit and what was under way, never twice, and never held back when it is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.data.records import Usage
from harness.errors import UsageError
from harness.models.chat.budget import FREE, Budget, BudgetSpent, Price, exceeds_context
from harness.models.chat.cache import AnswerCache
from harness.models.chat.chat_models import ChatModels, ChatSettings
from harness.models.chat.endpoints import Endpoints
from harness.models.chat.limiter import Rates

ONE_CENT = Price(input=100.0, output=0.0)
"""For the 100 prompt tokens that the endpoint counts for every question."""


def some(kinds: tuple[str, ...], share: float) -> Callable[[str, int], str | None]:
    def fault(question: str, before: int) -> str | None:
        random = Random(f"budget:{question}:{before}")
        return random.choice(kinds) if random.random() < share else None

    return fault


@pytest.mark.parametrize("concurrency", [1, 8])
def test_no_more_is_spent_than_the_limit_and_what_is_under_way(
    endpoint: Any, ask: Any, make_requests: Any, cache: Any, concurrency: int
) -> None:
    """Unusable answers are paid for too; and the endpoint's own count of what it served agrees."""
    endpoint.faults = some(("fenced", "refusal", "empty"), 0.2)
    budget = Budget(0.2)
    requests = make_requests(60)
    with pytest.raises(BudgetSpent, match=r"budget of \$0\.2000 is spent .* of 60 questions.* higher --budget"):
        ask(requests, cache, concurrency=concurrency, price=ONE_CENT, budget=budget)
    assert budget.spent == pytest.approx(0.01 * len(endpoint.requests))
    assert 0.2 <= budget.spent <= 0.2 + 0.01 * concurrency + 1e-9
    kept = sum(cache.holds("test", request) for request in requests)
    assert kept == len(endpoint.answered) > 0


def test_a_repeated_run_goes_on_with_a_higher_budget_and_pays_nothing_twice(
    endpoint: Any, ask: Any, make_requests: Any, cache: Any
) -> None:
    requests = make_requests(40)
    with pytest.raises(BudgetSpent):
        ask(requests, cache, concurrency=4, price=ONE_CENT, budget=Budget(0.1))
    sent = len(endpoint.requests)
    with pytest.raises(BudgetSpent, match="by earlier runs"):
        ask(requests, cache, concurrency=4, price=ONE_CENT, budget=Budget(0.1))
    assert len(endpoint.requests) == sent
    budget = Budget(1.0)
    done = ask(requests, cache, concurrency=4, price=ONE_CENT, budget=budget)
    assert done.stats.unanswered == 0
    assert set(endpoint.answered.values()) == {1}
    assert budget.earlier == pytest.approx(0.01 * sent)
    assert budget.spent == pytest.approx(0.4)
    ask(requests, cache, price=ONE_CENT, budget=budget)
    assert budget.spent == pytest.approx(0.4), "what the same run meets again counts once"


def test_what_unusable_answers_cost_an_earlier_run_counts_in_the_next(
    endpoint: Any, ask: Any, make_requests: Any, cache: AnswerCache
) -> None:
    endpoint.faults = lambda question, before: "fenced"
    ask(make_requests(3), cache, attempts=2, price=ONE_CENT)
    endpoint.faults = lambda question, before: None
    budget = Budget(1.0)
    ask(make_requests(3), cache, price=ONE_CENT, budget=budget)
    assert (budget.earlier, budget.paid) == (pytest.approx(0.06), pytest.approx(0.03))
    later = Budget(1.0)
    ask(make_requests(3), cache, price=ONE_CENT, budget=later)
    assert (later.earlier, later.paid) == (pytest.approx(0.09), 0)


def test_what_is_kept_is_given_whatever_the_budget(ask: Any, make_requests: Any, cache: Any, endpoint: Any) -> None:
    requests = make_requests(5)
    ask(requests, cache)
    done = ask(requests, cache, price=ONE_CENT, budget=Budget(0))
    assert (done.stats.cached, len(endpoint.requests)) == (5, 5)
    assert ask(make_requests(7), cache, price=FREE, budget=Budget(0)).stats.asked == 2


def test_one_budget_is_shared_by_all_that_ask(ask: Any, make_requests: Any, endpoint: Any) -> None:
    budget = Budget(0.1)
    ask(make_requests(6), price=ONE_CENT, budget=budget)
    with pytest.raises(BudgetSpent, match=r"2 of 6 questions"):
        ask(make_requests(6, max_tokens=99), concurrency=1, price=ONE_CENT, budget=budget)
    assert len(endpoint.requests) == 10


@pytest.mark.parametrize(
    ("fault", "tries", "estimated"),
    [("slow", 2, 2), ("cut body", 2, 2), ("429", 2, 0), ("too long for the context", 1, 0)],
)
def test_a_try_without_counts_costs_its_prompt_unless_it_was_refused(
    endpoint: Any, ask: Any, make_requests: Any, fault: str, tries: int, estimated: int
) -> None:
    endpoint.faults = lambda question, before: fault
    endpoint.slow = 0.3
    budget = Budget(1.0)
    [request] = make_requests(1)
    done = ask([request], price=ONE_CENT, budget=budget, attempts=2, timeout=0.15 if fault == "slow" else 9)
    assert done.answers["case-0"].attempts == tries
    characters = sum(len(message["content"]) for message in request.messages)
    assert budget.spent == pytest.approx(estimated * characters / 4 * 100 / 1e6, rel=0.2)


def test_an_endpoint_that_counts_below_nothing_earns_no_credit(ask: Any, make_requests: Any, endpoint: Any) -> None:
    endpoint.usage = {"prompt_tokens": -1_000_000, "completion_tokens": 10}
    budget = Budget(1.0)
    done = ask(make_requests(3), price=Price(input=1.0, output=1.0), budget=budget)
    assert budget.spent > 0  # estimated by the lengths of the texts
    assert (done.stats.usage.prompt, done.stats.usage.completion, done.stats.uncounted) == (0, 0, 3)


def test_a_budget_needs_prices_and_says_so_before_anything_is_sent(tmp_path: Path) -> None:
    where = Endpoints(base_url="http://127.0.0.1:9/v1")
    models = ChatModels(ChatSettings(endpoints=where, budget=Budget(1), cache=tmp_path))
    with pytest.raises(UsageError, match=r"no price.*--endpoints"):
        models.model("openai:some-model")
    with pytest.raises(UsageError, match="cannot be kept"):
        Budget(float("nan"))


def test_a_prompt_that_is_longer_than_the_context_for_sure_is_not_sent(
    ask: Any, make_requests: Any, endpoint: Any
) -> None:
    short, long = make_requests(2)
    long = replace(long, messages=({"role": "user", "content": "x" * 9000},))
    done = ask([short, long], context=2048)
    assert done.answers["case-0"].text is not None
    assert "context of 2048 tokens" in str(done.answers["case-1"].error)
    assert len(endpoint.requests) == 1
    assert not exceeds_context(["x" * 9000], 100, None)


def test_the_estimate_counts_what_is_missing_once(ask: Any, endpoint: Any, make_requests: Any, tmp_path: Path) -> None:
    """And sends nothing; kept answers cost nothing."""
    file = tmp_path / "endpoints.yaml"
    file.write_text(f"verdict-model: {{base_url: '{endpoint.url}', price: {{input: 2, output: 10}}}}\n")
    settings = ChatSettings(endpoints=Endpoints(file=file), cache=tmp_path / "kept")
    requests = [replace(request, usual_tokens=50) for request in make_requests(10, max_tokens=200)]
    with ChatModels(settings) as models:
        model = models.model("openai:verdict-model")
        model.ask(requests[:4], lambda answer: None)
        sent = len(endpoint.requests)
        found = model.estimate([*requests, requests[9]])
    assert len(endpoint.requests) == sent
    assert (found.requests, found.known, found.answer_tokens, found.most_answer_tokens) == (11, 4, 300, 1200)
    assert found.cost == pytest.approx(
        Price(input=2, output=10).cost(Usage(prompt=found.prompt_tokens, completion=300))
    )
    assert "4 characters each" in str(found)


def test_requests_a_minute_are_kept_by_all_that_ask_the_model() -> None:
    rates = Rates(5, None, window=0.5)
    start = time.monotonic()

    async def many(count: int) -> list[float]:
        async def one() -> float:
            return (await rates.admit(1)).at - start

        return sorted(await asyncio.gather(*(one() for _ in range(count))))

    times = [*asyncio.run(many(7)), *asyncio.run(many(7))]
    assert all(later - earlier >= 0.5 for earlier, later in zip(times, times[5:], strict=False))
    assert times[-1] < 2.5


def test_tokens_a_minute_are_kept_and_one_that_is_larger_goes_alone() -> None:
    rates = Rates(None, 100, window=0.3)

    async def sizes() -> list[float]:
        return [(await rates.admit(size)).at for size in (60, 40, 1, 500, 10)]

    times = asyncio.run(sizes())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert [gap >= 0.25 for gap in gaps] == [False, True, True, True]
