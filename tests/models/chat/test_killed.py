"""kill -9 at ten moments while a fifth of the tries go wrong: nothing is lost, asked for nothing, or overspent."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.models.chat.budget import Budget, Price
from harness.models.chat.cache import AnswerCache

pytestmark = pytest.mark.slow

ASK = """
import asyncio, json, sys
from pathlib import Path
from harness.models.chat.cache import AnswerCache
from harness.models.chat.budget import Budget, BudgetSpent, Price
from harness.models.chat.records import ChatEndpoint, ChatRequest; from harness.models.chat.client import ask_all

url, folder, limit = sys.argv[1:]
rows = json.loads(sys.stdin.read())
requests = [ChatRequest(id=row["id"], messages=tuple(row["messages"]), check=json.loads) for row in rows]
price = Price(input=100.0, output=0.0)
where = ChatEndpoint(
    model="verdict-model", base_url=url, identity="test", concurrency=4, price=price, first_pause=0.01, attempts=9
)
cache = AnswerCache.open(Path(folder))
asking = ask_all(
    where, requests, cache=cache, on_answer=lambda answer: None, budget=Budget(float(limit))
)
try:
    asyncio.run(asking)
except BudgetSpent as error:
    sys.exit(str(error))
"""
COUNT, CONCURRENCY, KILLS, CENT = 150, 4, 10, 0.01
FAULTS = ("429 in 30 ms", "500", "fenced", "refusal", "empty", "cut text", "dropped", "503")
UNUSABLE = ("fenced", "refusal", "empty", "cut text")
"""A model that answers like this is asked once more; twice, and the question stays unanswered."""
UNPAID = ("429 in 30 ms", "503")
PRICE = Price(input=100.0, output=0.0)


class Runs:
    """Starts processes that ask the same questions, and counts what the endpoint served them."""

    def __init__(self, endpoint: Any, folder: Path, requests: Any) -> None:
        self.endpoint, self.folder, self.requests = endpoint, folder, requests
        endpoint.delay = 0.01
        endpoint.faults = self.fault
        self.unpaid = 0

    def fault(self, question: str, before: int) -> str | None:
        random = Random(f"{question}:{before}")
        kind = random.choice(FAULTS) if random.random() < 0.2 and before < 6 else None
        kind = None if kind in UNUSABLE and before else kind
        self.unpaid += kind in UNPAID
        return kind

    @property
    def cost(self) -> float:
        """USD of all tries that reached a model, by the endpoint's own count."""
        return CENT * (sum(self.endpoint.asked.values()) - self.unpaid)

    def start(self, limit: float) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", ASK, self.endpoint.url, str(self.folder), str(limit)]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdin
        process.stdin.write(json.dumps([{"id": one.id, "messages": one.messages} for one in self.requests]))
        process.stdin.close()
        process.stdin = None
        return process

    def kill_after(self, answers: int, limit: float) -> bool:
        """Kill a process once the endpoint has sent so many right answers; false where it ended before."""
        with self.start(limit) as process:
            while sum(self.endpoint.answered.values()) < answers and process.poll() is None:
                time.sleep(0.001)
            process.kill()
            _, said = process.communicate()
        assert process.returncode == -signal.SIGKILL or "is spent" in said, said
        time.sleep(0.1)  # what is still on its way
        return process.returncode == -signal.SIGKILL


def test_killed_at_ten_moments_nothing_is_lost_repeated_or_overspent(
    endpoint: Any, ask: Any, make_requests: Any, question_hash: Any, tmp_path: Path
) -> None:
    """Asked for again is at most what was under way at a kill: 4 requests each time, with 4 at once."""
    requests = make_requests(COUNT, schema=None)
    names = {question_hash(one.messages): one for one in requests}
    runs = Runs(endpoint, tmp_path, requests)
    limit, killed, lost = 0.6, 0, 0
    moments = sorted(Random("moments").sample(range(5, COUNT - 10), KILLS))
    for moment in moments:
        before = endpoint.answered.copy()
        while not runs.kill_after(moment, limit):
            assert runs.cost <= limit + CENT * CONCURRENCY * (killed + 1) + 1e-9
            limit += 0.4
            before = endpoint.answered.copy()
        killed += 1
        cache = AnswerCache.open(tmp_path)
        sent = endpoint.answered - before
        gone = [name for name in sent if not cache.holds("test", names[name])]
        cache.close()
        assert set(sent.values()) <= {1}
        assert len(gone) <= CONCURRENCY
        lost += len(gone)
    cache = AnswerCache.open(tmp_path)
    budget = Budget(100.0)
    done = ask(requests, cache, check=json.loads, price=PRICE, budget=budget, concurrency=CONCURRENCY, attempts=9)
    cache.close()
    assert killed == KILLS
    assert done.stats.unanswered == 0
    assert sum(endpoint.answered.values()) - COUNT == lost <= KILLS * CONCURRENCY
    assert budget.spent <= runs.cost + 1e-9
    assert budget.spent >= runs.cost - CENT * CONCURRENCY * KILLS - CENT * sum(endpoint.asked.values()) * 0.05
