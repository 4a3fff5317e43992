"""Engines that load, die and come back, clients that go away, many at once, and an agent that books a table."""

from __future__ import annotations

import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from openai import APIError, APIStatusError, OpenAI

from harness.data.formats.messages import expand_pairs
from harness.data.records import Message, ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.data.tools import Toolbox
from harness.errors import EngineError
from harness.hubd.server.serve import bounded_server
from harness.models import parsing
from harness.models.backends._base import EvaluateConfig
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.serving.serve import PulledModels
from support.replay_engine import ReplayEngine, pieces
from support.served import serving

HELLO: Any = [{"role": "user", "content": "A table for two, please."}]
WORDS = parsing.canonical(ToolCall(name="respond_to_user", arguments={"message": "word " * 200}))
CLIENTS = 64


@pytest.fixture
def engine() -> ReplayEngine:
    return ReplayEngine(answer=lambda _: (pieces(WORDS), "stop"))


def _client(url: str) -> OpenAI:
    return OpenAI(base_url=url, api_key="none", max_retries=0)


def _health(url: str) -> int:
    try:
        with urllib.request.urlopen(url.removesuffix("/v1") + "/health", timeout=20) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_an_engine_that_dies_under_load_is_started_again_once(
    pulled: PulledModels, engine: ReplayEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    """Requests under way get a 503 or, in a stream, an error; the second time the endpoint ends with the reason."""
    engine.pause = 0.01
    ended: list[EngineError] = []
    try:
        with serving(pulled, engine) as endpoint, _client(endpoint.url) as client:
            _kill_under_load(engine, client)
            _wait_until(lambda: _health(endpoint.url) == 200)
            assert len(engine.starts) == 2
            assert client.chat.completions.create(model="m", messages=HELLO).choices[0].message.content
            assert "the engine is started again" in capfd.readouterr().err
            engine.starts[1].kill()
            _wait_until(lambda: not endpoint.serves)
    except EngineError as error:
        ended.append(error)
    assert "stopped with status" in str(ended[0])
    assert len(engine.starts) == 2


def _kill_under_load(engine: ReplayEngine, client: OpenAI) -> None:
    stream = client.chat.completions.create(model="m", messages=HELLO, stream=True)
    next(iter(stream))
    engine.gate = threading.Event()

    def ask(_: int) -> Any:
        return client.chat.completions.create(model="m", messages=HELLO)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, number) for number in range(8)]
        _wait_until(lambda: len(engine.requests) == 9)
        engine.starts[0].kill()
        engine.starts[0].wait()
        engine.gate.set()
    assert {_status(one.exception()) for one in asked} == {503}
    with pytest.raises(APIError, match="went away before its answer was whole"):
        list(stream)


def _wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def _status(error: BaseException | None) -> int:
    assert isinstance(error, APIStatusError), error
    return error.status_code


def test_an_engine_that_does_not_start_ends_the_endpoint(pulled: PulledModels, engine: ReplayEngine) -> None:
    engine.dead = True
    with pytest.raises(EngineError, match="did not start"), serving(pulled, engine):
        pass
    assert len(engine.starts) == 1


def test_while_the_engine_loads_there_is_an_answer(pulled: PulledModels, engine: ReplayEngine) -> None:
    engine.loaded = threading.Event()
    found: list[int] = []

    def look(endpoint: Any) -> None:
        found.append(_health(endpoint.url))
        with _client(endpoint.url) as client, pytest.raises(APIStatusError) as caught:
            client.chat.completions.create(model="m", messages=HELLO)
        found.append(caught.value.status_code)
        engine.loaded.set()

    with serving(pulled, engine, early=look) as endpoint:
        assert found == [503, 503]
        assert _health(endpoint.url) == 200


def test_a_client_that_goes_away_ends_its_answer(pulled: PulledModels, engine: ReplayEngine) -> None:
    engine.pause = 0.02
    with serving(pulled, engine) as endpoint, _client(endpoint.url) as client:
        stream = client.chat.completions.create(model="m", messages=HELLO, stream=True)
        for _ in zip(stream, range(5), strict=False):
            pass
        stream.close()
        assert engine.abandoned.wait(20)


def test_many_clients_at_once_each_get_their_answer(pulled: PulledModels, engine: ReplayEngine) -> None:
    """The answer is the last word of the user, so that no two are mixed up."""
    numbers = count()
    sent: dict[int, str] = {}

    def answer(request: dict[str, Any]) -> Any:
        text = parsing.canonical(ToolCall(name="respond_to_user", arguments={"message": f"{len(request['prompt'])}"}))
        sent[next(numbers)] = text
        return pieces(text), "stop"

    engine.answer = answer

    def ask(number: int) -> bool:
        words = [{"role": "user", "content": "a " * number}]
        with _client(endpoint.url) as client:
            if number % 2:
                reply = client.chat.completions.create(model="m", messages=words)  # type: ignore[arg-type]
                return bool(reply.choices[0].message.content == str(reply.usage.prompt_tokens if reply.usage else -1))
            options: Any = {"stream": True, "stream_options": {"include_usage": True}}
            chunks = list(client.chat.completions.create(model="m", messages=words, **options))
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            return bool(text == str(chunks[-1].usage.prompt_tokens))

    with serving(pulled, engine) as endpoint, ThreadPoolExecutor(CLIENTS) as pool:
        assert list(pool.map(ask, range(1, 2 * CLIENTS + 1))) == [True] * 2 * CLIENTS
    assert len(sent) == 2 * CLIENTS


@pytest.fixture
def booking() -> tuple[Message, ...]:
    """A conversation of the sample task in which a table is booked."""
    return sample_conversations(2)[1].messages


def test_an_unmodified_agent_books_a_table(
    pulled: PulledModels, engine: ReplayEngine, booking: tuple[Message, ...]
) -> None:
    """Its prompts are those of the evaluation, turn by turn, although it writes the conversation in its own way."""
    assert pulled.test_set
    pairs = [pair for pair in expand_pairs(sample_conversations(3)) if pair.conversation == "sample-0001"]
    turns = iter(pairs)
    engine.answer = lambda _: (pieces(parsing.canonical(next(turns).reference)), "stop")
    box = Toolbox(sample_task().tools)
    heard, returned = _people(booking, box)
    messages: list[Any] = [{"role": "user", "content": next(heard)}]
    called: list[str] = []
    with serving(pulled, engine) as endpoint, _client(endpoint.url) as client:
        for _ in pairs:
            said = client.chat.completions.create(model="any", messages=messages, tools=list(sample_task().tools))
            message = said.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls or ():
                called.append(call.function.name)
                messages.append({"role": "tool", "tool_call_id": call.id, "content": next(returned)})
            if not message.tool_calls and (words := next(heard, None)):
                messages.append({"role": "user", "content": words})
    assert "ReserveRestaurant" in called
    assert len(pairs) >= 8
    evaluated = EvaluatedCheckpoint(pulled.base, pulled.test_set, EvaluateConfig())
    evaluated.make_prompts()
    assert [request["prompt"] for request in engine.requests] == [
        list(evaluated.asked[pair.id].token_ids) for pair in pairs
    ]


def _people(messages: tuple[Message, ...], box: Toolbox) -> tuple[Iterator[str], Iterator[str]]:
    """Return what the user says, and what the tools return."""
    said, returned = [], []
    for before, message in zip((None, *messages), messages, strict=False):
        if message.role == "assistant":
            continue
        result = before is not None and before.tool_calls and before.tool_calls[0].name != box.reply.tool
        (returned if result else said).append(message.content or "")
    return iter(said), iter(returned)


def test_a_server_leaves_the_logging_of_its_process_alone() -> None:
    """Handlers of other libraries stay open: absl's closes the stream that it was made with."""

    class Watched(logging.Handler):
        closed = False

        def close(self) -> None:
            self.closed = True
            super().close()

    handler = Watched()

    async def app(*_: Any) -> None: ...

    bounded_server(app, lambda: None)
    assert not handler.closed
    handler.close()
