"""The whole pipeline with a language model behind an endpoint that fails in a fifth of its tries, as `tft` is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.data.events import events
from harness.data.records import Conversation
from harness.data.sample import sample_conversations, sample_task
from harness.data.tools import Toolbox
from support import chat_endpoint

TOOLBOX = Toolbox(sample_task().tools)
PRICE = "{input: 100, output: 100}"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, clean: Sequence[Conversation]) -> Iterator[Any]:
    """An endpoint that knows the clean conversations, and fails in a fifth of its tries."""
    monkeypatch.setenv("OPENAI_API_KEY", chat_endpoint.KEY)
    with chat_endpoint.serving() as server:
        server.answer = lambda request: _answer(request, clean)
        server.kinds = ("429", "500", "cut body", "cut text", "fenced", "empty", "dropped", "refusal")
        server.faults = lambda question, before: (
            Random(f"{question}:{before}").choice(server.kinds)
            if Random(f"{question}{before}").random() < 0.2
            else None
        )
        yield server


def _fault(kinds: Sequence[str], rng: Random) -> str | None:
    return rng.choice(kinds) if rng.random() < 0.2 else None


def _answer(request: dict[str, Any], clean: Sequence[Conversation]) -> str:
    """Answer as a perfect model would in the role that the question's schema is of."""
    prompt = request["messages"][-1]["content"]
    asked = request["response_format"]["json_schema"]["schema"]["properties"].keys()
    if "relevance" in asked:
        found: dict[str, Any] = {"relevance": 5, "coherence": 4, "relevance_reason": "fits", "coherence_reason": "fits"}
    elif "turns" in asked:
        turns = [event for event in events(_meant(prompt, clean).messages, TOOLBOX) if event.is_turn]
        found = {"turns": {str(turn.position + 1): _call(turn.action) for turn in turns}}
    else:
        new = sample_conversations(1, seed=int(chat_endpoint.question_hash(request["messages"])[:6], 16))[0]
        found = {"plan": {"goal": "a table", "values": {}, "results": []}, "messages": list(_steps(new))}
    return json.dumps(found)


def _meant(prompt: str, clean: Sequence[Conversation]) -> Conversation:
    """Return the conversation that a prompt shows: what users and tools said is as it was."""

    def shared(one: Conversation) -> int:
        said = [message.content for message in one.messages if message.role == "user"]
        return sum(f'"{text}"' in prompt for text in said if text) - sum(f'"{text}"' not in prompt for text in said)

    return max(clean, key=shared)


def _call(call: Any) -> dict[str, Any]:
    return {"name": call.name, "parameters": call.arguments}


def _steps(conversation: Conversation) -> Iterator[dict[str, Any]]:
    for event in events(conversation.messages, TOOLBOX):
        if event.is_turn:
            yield {"call": _call(event.action)}
        else:
            yield {"user": event.text} if event.kind == "user" else {"result": event.value}


@pytest.fixture
def words(endpoint: Any, tmp_path: Path) -> tuple[str, ...]:
    """The options that name the endpoint, with a price."""
    file = tmp_path / "endpoints.yaml"
    file.write_text(
        f"teacher: {{base_url: '{endpoint.url}', model: {chat_endpoint.MODEL}, price: {PRICE}}}\n", encoding="utf-8"
    )
    return ("--endpoints", str(file), "--cache", str(tmp_path / "answers"), "--timeout", "5")


def test_damaged_traces_become_clean_ones_and_new_ones_and_nothing_is_paid_for_twice(
    tft: Callable[..., Any], endpoint: Any, words: tuple[str, ...], clean, tmp_path: Path, noisy, write_job, rows
) -> None:
    job = tmp_path / "job"
    write_job(job, noisy(clean[:12]))
    model, new = "openai:teacher", ("--out", tmp_path / "synthetic")
    chain = (
        ("filter", "--job", job, "--teacher", model, "--out", tmp_path / "filtered"),
        ("relabel", tmp_path / "filtered", "--job", job, "--committee", model, "--out", tmp_path / "relabelled"),
        ("synthesize", tmp_path / "relabelled", "--job", job, "--teacher", model, "--target", "8", *new),
    )
    for command in chain:
        done = tft(*command, *words)
        assert done.exit_code == 0, done.output
    relabelled = rows(tmp_path / "relabelled")
    assert all(row["kept"] for row in relabelled)
    for row, truth in zip(relabelled, clean, strict=False):
        names = [message["tool_calls"][0]["function"]["name"] for message in row["messages"] if "tool_calls" in message]
        assert names == [message.tool_calls[0].name for message in truth.messages if message.tool_calls]
    assert len(rows(tmp_path / "synthetic")) == 8
    assert max(endpoint.answered.values()) == 1
    before = sum(endpoint.asked.values())
    for command in chain:
        assert tft(*command, *words).exit_code == 0
    assert sum(endpoint.asked.values()) == before


def test_a_budget_ends_the_run_and_a_higher_one_goes_on(
    tft: Callable[..., Any], endpoint: Any, words: tuple[str, ...], clean, tmp_path: Path, write_job, rows
) -> None:
    write_job(tmp_path / "job", clean[:12])
    command = ("filter", "--job", tmp_path / "job", "--teacher", "openai:teacher", "--out", tmp_path / "out", *words)
    # A try is 110 tokens at 100 USD a million: 0.011 USD.
    done = tft(*command, "--budget", "0.05", "--concurrency", "1")
    assert done.exit_code != 0
    assert "budget" in str(done.exception).lower()
    assert not (tmp_path / "out").exists()
    assert 0.05 <= 0.011 * sum(endpoint.asked.values()) <= 0.05 + 2 * 0.011
    answered = set(endpoint.answered)
    done = tft(*command, "--budget", "5")
    assert done.exit_code == 0, done.output
    assert all(endpoint.answered[question] == 1 for question in answered)
    assert sum(row["kept"] for row in rows(tmp_path / "out")) == 12
    estimate = tft(*command[:-6], *words, "--dry-run").stdout
    assert "12" in estimate
