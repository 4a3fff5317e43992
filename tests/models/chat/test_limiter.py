"""How many requests are under way: what the endpoint sees under load, when it recovers, and when it never does."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from harness.models.chat.limiter import Limiter


def test_it_halves_once_a_round_never_stops_and_comes_back_to_the_bound() -> None:
    async def scenario() -> None:
        limiter = Limiter(32, first_pause=0.0)
        assert limiter.limit == 1
        limiter.answered(0)
        assert limiter.limit == 32
        for round_, limit in enumerate([16, 8, 4, 2, 1, 1]):
            for _ in range(5):  # five requests of the same round: one cut
                limiter.overloaded(round_, "busy")
            assert limiter.limit == limit
        limiter.answered(0)  # sent before the cuts, it says nothing about the limit now
        assert (limiter.limit, limiter.lowest) == (1, 1)
        needed = 0
        while limiter.limit < 32:
            limiter.answered(6)
            needed += 1
        assert 32 < needed < 160
        limiter.answered(6)
        assert limiter.limit == 32

    asyncio.run(scenario())


def test_places_go_first_come_first_served_and_a_cancelled_one_is_passed_on() -> None:
    async def scenario() -> list[int]:
        limiter = Limiter(2, first_pause=0.0)
        limiter.answered(0)
        order: list[int] = []
        under_way = 0

        async def work(number: int) -> None:
            nonlocal under_way
            async with limiter.turn():
                under_way += 1
                assert under_way <= 2
                order.append(number)
                await asyncio.sleep(0.002)
                under_way -= 1

        tasks = [asyncio.create_task(work(number)) for number in range(12)]
        await asyncio.sleep(0.001)
        for number in (2, 3, 7):
            tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(scenario()) == [0, 1, 4, 5, 6, 8, 9, 10, 11]


def test_a_place_given_to_a_task_that_is_cancelled_at_that_moment_is_free_again() -> None:
    async def scenario() -> None:
        limiter = Limiter(1, first_pause=0.0)

        async def work() -> None:
            async with limiter.turn():
                pass

        async with limiter.turn():
            unlucky = asyncio.create_task(work())
            await asyncio.sleep(0)
        unlucky.cancel()
        await asyncio.wait([unlucky])
        assert unlucky.cancelled()
        await asyncio.wait_for(work(), timeout=5)

    asyncio.run(scenario())


def test_concurrency_falls_in_a_storm_of_429_and_recovers_after_it(endpoint: Any, ask: Any, make_requests: Any) -> None:
    """The storm comes with the 80th arrival and lasts until three in a row come alone; nothing is lost in it."""
    endpoint.delay = 0.03
    over: list[int] = []

    def fault(question: str, before: int) -> str | None:
        arrived = len(endpoint.load)
        if arrived >= 80 and all(now == 1 for _, now in endpoint.load[-3:]):
            over.append(arrived)
        return "429" if arrived >= 80 and not over else None

    endpoint.faults = fault
    done = ask(make_requests(300), concurrency=16, attempts=4)
    assert (done.stats.unanswered, done.stats.concurrency, done.stats.lowest_concurrency) == (0, 16, 1)
    assert over[0] < 80 + 16 + 16 + 8 + 4 + 2 + 3
    at_once = [now for _, now in endpoint.load]
    assert at_once[0] == 1
    assert max(at_once[:80]) > 8
    assert max(at_once[over[0] + 80 :]) > 8
    assert endpoint.most_at_once <= 16


def test_an_endpoint_that_takes_few_at_once_is_not_flooded(endpoint: Any, ask: Any, make_requests: Any) -> None:
    endpoint.delay, endpoint.capacity = 0.01, 6
    done = ask(make_requests(300), concurrency=32, attempts=9)
    assert done.stats.unanswered == 0
    assert done.stats.failures["status 429"] < 150


@pytest.mark.parametrize("fault", ["429 in 0.4 s", "503 in 400 ms", "500 in 0.4 s"])
def test_the_time_that_the_endpoint_asks_to_wait_is_kept(
    endpoint: Any, ask: Any, make_requests: Any, question_hash: Any, fault: str
) -> None:
    """By the request, and under load by all others."""
    requests = make_requests(5)
    first = question_hash(requests[0].messages)
    endpoint.faults = lambda question, before: fault if question == first and before == 0 else None
    done = ask(requests)
    assert done.stats.asked == 6
    times = [at for at, _ in endpoint.load]
    assert times[-1] - times[0] >= 0.4
    if not fault.startswith("500"):
        assert times[1] - times[0] >= 0.4


@pytest.mark.parametrize(
    ("fault", "words", "most"),
    [
        ("429", "no answer in 10 rounds of tries", 30),
        ("429 in 5 ms", "no answer in 10 rounds of tries", 30),
        ("503", "no answer in 10 rounds of tries", 30),
        ("429 in 86400 s", "asks to wait 86400 s", 1),
        ("429 in 86400000 ms", "asks to wait 86400 s", 1),
        ("500", "no answer in 10 rounds of tries (status 500: The server had an error)", 120),
        ("500 in 5 ms", "The server had an error", 120),
        ("slow", "no answer in 10 rounds of tries", 30),
        ("dropped", "the connection broke", 120),
    ],
)
def test_a_flood_of_failures_ends_soon_and_with_reasons(
    endpoint: Any, ask: Any, make_requests: Any, fault: str, words: str, most: int
) -> None:
    """An endpoint that never answers is not asked for every request."""
    endpoint.faults = lambda question, before: fault
    endpoint.slow = 0.1
    start = time.monotonic()
    done = ask(make_requests(100), first_pause=0.001, timeout=0.05 if fault == "slow" else 5.0)
    assert time.monotonic() - start < 10
    assert all(answer.text is None and words in answer.error for answer in done.answers.values())
    assert done.stats.unanswered == 100
    assert done.stats.asked <= most


def test_a_flood_after_answers_ends_too(endpoint: Any, ask: Any, make_requests: Any) -> None:
    """And what was answered before stays answered."""
    endpoint.faults = lambda question, before: None if len(endpoint.requests) < 40 else "429"
    done = ask(make_requests(100), first_pause=0.001, concurrency=8)
    assert 30 <= 100 - done.stats.unanswered < 40
    assert done.stats.asked < 40 + 8 + 30


def test_when_cancelled_no_task_and_no_thread_is_left(endpoint: Any, make_requests: Any, cache: Any) -> None:
    from harness.models.chat.client import ask_all
    from harness.models.chat.records import ChatEndpoint

    endpoint.delay = 0.5

    async def scenario() -> None:
        where = ChatEndpoint(model="verdict-model", base_url=endpoint.url, identity="test")
        asking = asyncio.create_task(ask_all(where, make_requests(50), cache=cache, on_answer=lambda answer: None))
        await asyncio.sleep(0.8)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert asyncio.all_tasks() == {asyncio.current_task()}

    before = threading.active_count()
    start = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - start < 3
    time.sleep(0.6)  # the endpoint's own threads
    assert threading.active_count() <= before


def test_an_exception_of_the_caller_stops_the_run(endpoint: Any, cache: Any, make_requests: Any) -> None:
    from harness.models.chat.client import ask_all
    from harness.models.chat.records import ChatEndpoint

    def full(answer: Any) -> None:
        raise OSError("no space left")

    where = ChatEndpoint(model="verdict-model", base_url=endpoint.url, identity="test")
    with pytest.raises(OSError, match="no space left"):
        asyncio.run(ask_all(where, make_requests(50), cache=cache, on_answer=full))
    assert len(endpoint.requests) < 50
