"""The bounded asking of single items: in order, within the bound, and the first failure stops the rest."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import Prediction
from harness.errors import EngineError
from harness.models.backends._base import Sampling, ask_each
from harness.models.backends._vllm_client import Asked, VllmBackend
from harness.models.engine.server import Server
from harness.models.prompts import Prompt
from support.http_server import Handler, serving


class Counting:
    """Answers after a moment, and knows how many questions were under way at once."""

    def __init__(self, fail: Callable[[int], Exception | None] = lambda _: None) -> None:
        self.fail = fail
        self.asked: list[int] = []
        self.now = self.most = 0

    async def answer(self, item: int) -> Prediction:
        self.asked.append(item)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.001 * (item % 3))
            if error := self.fail(item):
                raise error
        finally:
            self.now -= 1
        return Prediction(pair_id=str(item), raw=f"answer {item}")


@pytest.mark.parametrize("concurrency", [1, 3, 100])
def test_every_item_is_asked_once_in_order_within_the_bound(concurrency: int) -> None:
    backend, answers = Counting(), []
    asyncio.run(ask_each(range(20), backend.answer, answers.append, concurrency=concurrency))
    assert backend.asked == list(range(20))
    assert sorted(int(answer.pair_id) for answer in answers) == list(range(20))
    assert backend.most == min(concurrency, 20)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_first_exception_stops_the_rest_and_is_raised_as_it_was(concurrency: int) -> None:
    backend, answers = Counting(lambda item: EngineError("gone") if item == 5 else None), []
    with pytest.raises(EngineError, match=r"^gone$"):
        asyncio.run(ask_each(range(50), backend.answer, answers.append, concurrency=concurrency))
    assert 5 - concurrency < len(answers) < 5 + concurrency
    assert len(backend.asked) <= 5 + 2 * concurrency
    assert backend.now == 0


def test_a_failure_to_keep_an_answer_stops_the_asking() -> None:
    def full(_: Prediction) -> None:
        raise OSError("no space")

    backend = Counting()
    with pytest.raises(OSError, match="no space"):
        asyncio.run(ask_each(range(50), backend.answer, full, concurrency=2))
    assert len(backend.asked) <= 4


def test_the_engine_is_let_go_after_the_last_question_unless_others_share_it(tmp_path: Path) -> None:
    ended = []
    for last in (True, False):
        with subprocess.Popen(["sleep", "60"]) as process:
            server = Server(port=9, log=tmp_path / "log", process=process)
            VllmBackend(server, Asked(max_tokens=64, last=last), 2).ask([], lambda answer: None)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            ended.append(process.poll() is not None)
            process.kill()
    assert ended == [True, False]


def test_our_engine_draws_each_sample_with_a_seed_of_its_own_and_greedy_requests_have_none(tmp_path: Path) -> None:
    """The rest of what decides about sampling is neutral, as for the greedy answer."""
    bodies: list[dict[str, Any]] = []

    class Engine(Handler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.body()))
            self.send(200, {"choices": [{"index": 0, "finish_reason": "stop", "text": f"answer {len(bodies)}"}]})

    sampling = Sampling(samples=2, temperature=0.7, seed=5)
    prompt, answers = Prompt(pair_id="a:0", token_ids=(1, 2)), []
    with serving(Engine) as engine, subprocess.Popen(["sleep", "60"]) as process:
        server = Server(port=engine.server_port, log=tmp_path / "log", process=process)
        for drawn in (sampling, None):
            asked = Asked(max_tokens=8, adapter="me/adapter@1", sampling=drawn, last=False)
            backend = VllmBackend(server, asked, 1)
            backend.ask([prompt, replace(prompt, sample=1)] if drawn else [prompt], answers.append)
        process.kill()
    assert [(answer.key, answer.raw) for answer in answers] == [
        (("a:0", 0), "answer 1"),
        (("a:0", 1), "answer 2"),
        (("a:0", 0), "answer 3"),
    ]
    first, second, greedy = bodies
    assert [first.pop("seed"), second.pop("seed")] == [sampling.seed_of(("a:0", sample)) for sample in range(2)]
    assert first == second == greedy | {"temperature": 0.7}
    assert greedy["temperature"] == 0
