"""An endpoint that can go wrong, and requests to it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.models.chat.cache import AnswerCache
from harness.models.chat.client import ask_all
from harness.models.chat.records import ChatAnswer, ChatEndpoint, ChatRequest
from support import chat_endpoint

SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"enum": ["good", "bad"]}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}


def check(text: str) -> None:
    """Take one JSON object with a verdict and nothing else."""
    answer = json.loads(text)
    if not isinstance(answer, dict) or answer.get("verdict") not in ("good", "bad"):
        raise ValueError("no verdict in the answer")


@pytest.fixture
def serving() -> Callable[[], Any]:
    """Serve an endpoint for a block."""
    return chat_endpoint.serving


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An endpoint in a thread (`support/chat_endpoint.py`), and its key in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", chat_endpoint.KEY)
    with chat_endpoint.serving() as state:
        yield state


@pytest.fixture(scope="session")
def right_text() -> Callable[[Any], str]:
    """The endpoint's answer to messages, when nothing goes wrong."""
    return chat_endpoint.right_text


@pytest.fixture(scope="session")
def useless() -> tuple[str, ...]:
    """Faults in which the endpoint did its part."""
    return chat_endpoint.USELESS


@pytest.fixture(scope="session")
def key() -> str:
    return chat_endpoint.KEY


@pytest.fixture(scope="session")
def question_hash() -> Callable[[Any], str]:
    """The hash by which the endpoint knows a question."""
    return chat_endpoint.question_hash


@pytest.fixture(scope="session")
def make_requests() -> Callable[..., list[ChatRequest]]:
    def make(count: int, *, schema: Any = SCHEMA, **settings: Any) -> list[ChatRequest]:
        return [
            ChatRequest(
                id=f"case-{number}",
                messages=(
                    {"role": "system", "content": "Judge the answer."},
                    {"role": "user", "content": f"Case {number}: ça, 東京."},
                ),
                schema=schema,
                **settings,
            )
            for number in range(count)
        ]

    return make


@pytest.fixture
def ask(endpoint: Any, tmp_path: Path) -> Callable[..., Any]:
    """Ask the endpoint for everything, with pauses that suit a test; returns answers by id, in order, and the stats."""

    fresh = itertools.count()

    def ask(requests: Sequence[ChatRequest], cache: AnswerCache | None = None, **settings: Any) -> Any:
        answers: dict[str, ChatAnswer] = {}

        def keep(answer: ChatAnswer) -> None:
            assert answer.id not in answers
            answers[answer.id] = answer

        checked, budget = settings.pop("check", check), settings.pop("budget", None)
        where = ChatEndpoint(
            **{"model": "verdict-model", "base_url": endpoint.url, "identity": "test", "first_pause": 0.01, **settings}
        )
        asked = [replace(request, check=checked) for request in requests]
        with nullcontext(cache) if cache else closing(AnswerCache.open(tmp_path / f"fresh-{next(fresh)}")) as kept:
            stats = asyncio.run(ask_all(where, asked, cache=kept, on_answer=keep, budget=budget))
        assert set(answers) == {request.id for request in requests}
        return SimpleNamespace(answers=answers, stats=stats, texts={name: one.text for name, one in answers.items()})

    return ask


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    opened = AnswerCache.open(tmp_path / "answers")
    yield opened
    opened.close()
