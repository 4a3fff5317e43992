"""Evaluation through an OpenAI-compatible endpoint: what is sent, what is repeated, and what is an error."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import dump_arguments
from harness.data.records import TurnPair
from harness.errors import EngineError
from harness.evaluation.report_json import read_report
from harness.models.backends.openai import ChatPrompt, OpenAIBackend
from harness.models.backends.openai import Endpoint as Address


@pytest.fixture
def ask(terminal: Any, endpoint: Any) -> Any:
    """Evaluate the endpoint's model."""

    def evaluate(*arguments: str, model: str = "counting-model", **environment: str) -> Any:
        return terminal.evaluate(f"openai:{model}", "--base-url", endpoint.url, *arguments, **environment)

    return evaluate


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(folder / "run" / "data" / "test.jsonl")]


def test_every_pair_is_asked_once_with_its_conversation_and_the_tools(
    undisturbed: Any, test_set: list[TurnPair]
) -> None:
    endpoint = undisturbed.endpoint
    assert set(endpoint.asked.values()) == {1}
    assert len(endpoint.asked) == len(endpoint.requests) == len(test_set)
    assert 1 < endpoint.most_at_once <= 3
    sent = max(endpoint.requests, key=lambda request: len(request["messages"]))
    longest = max(test_set, key=lambda pair: len(pair.prefix))
    assert [message["role"] for message in sent["messages"]] == ["system", *(m.role for m in longest.prefix)]
    calls = [call for message in sent["messages"] for call in message.get("tool_calls", ())]
    references = [call for message in longest.prefix for call in message.tool_calls]
    assert [call["function"]["arguments"] for call in calls] == [dump_arguments(call.arguments) for call in references]
    assert {tool["function"]["name"] for tool in sent["tools"]} == {pair.reference.name for pair in test_set}
    assert (sent["temperature"], sent["max_tokens"], sent["tool_choice"]) == (0, 64, "required")


def test_each_row_has_the_hash_of_its_prompt_and_the_report_that_of_all(undisturbed: Any) -> None:
    sent = [row["prompt_sha256"] for _, row in read_jsonl(undisturbed.run / "data" / "test.jsonl")]
    assert len(set(sent)) == len(sent)
    whole = hashlib.sha256("".join(sent).encode()).hexdigest()
    assert read_report(undisturbed.run / "report.json").run.prompt_sha256 == whole


def test_the_report_counts_what_the_endpoint_counted_and_the_key_is_written_nowhere(
    undisturbed: Any, test_set: list[TurnPair]
) -> None:
    report = read_report(undisturbed.run / "report.json")
    assert report.tokens == {"prompt": 100 * len(test_set), "completion": 10 * len(test_set)}
    assert f"n = {len(test_set)} pairs" in undisturbed.done.out
    written = [path.read_bytes() for path in undisturbed.run.rglob("*") if path.is_file()]
    assert len(written) == 4 + len(report.plots)
    assert not any(b"key-of-the-endpoint" in text for text in (*written, undisturbed.done.err.encode()))


def test_what_may_pass_is_asked_again_and_what_stays_is_an_error_of_its_pair(
    ask: Any, endpoint: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    """Refusals for load and lost connections are repeated; what is no answer at all is an error, seen in the table."""
    fault = endpoint.fault
    passing = [fault(status=429), fault(status=500), fault(drop=True), fault(body='{"id": "cut off"}', cut=True)]
    lasting = [
        fault(kind="text/html", body="<html>A gateway</html>"),
        fault(body='{"id": "0", "object": "chat.comp'),
        fault(body='{"choices": []}'),
        fault(body="[]"),
        fault(status=429, body='{"error": {"message": "quota used up"}}'),
        fault(status=400, body='{"error": {"message": "the content was filtered"}}'),
    ]
    faults = [*passing, *lasting]
    places: dict[str, int] = {}

    def fault_of(question: str, before: int) -> Any:
        place = places.setdefault(question, len(places))
        if place >= len(faults) or (place < len(passing) and before >= 2):
            return None
        return faults[place]

    endpoint.faults = fault_of
    done = ask("--concurrency", "1", "--limit", "20").worked()
    rows = _rows(tmp_path)
    assert [row["error"] is None for row in rows] == [True] * 4 + [False] * 6 + [True] * 10
    assert all(row["raw"] is None and row["staged_tool_call"] is None for row in rows if row["error"])
    assert "n = 14 pairs" in done.out
    assert "6 errors, 6 unscored" in done.out
    reasons = [row["reason"] for row in rows[4:10]]
    words = ["no chat completion", "no chat completion", "no choice", "no chat completion", "quota used up", "filtered"]
    assert all(word in reason for word, reason in zip(words, reasons, strict=True)), reasons


def test_an_endpoint_that_is_not_there_or_refuses_every_question_stops_the_run(terminal: Any, endpoint: Any) -> None:
    """With what it said, and without asking everything first."""
    bad = endpoint.fault(status=400, body='{"error": {"message": "unknown parameter tool_choice"}}')
    endpoint.faults = lambda question, before: bad
    terminal.environment["WRONG_KEY"] = "wrong"
    evaluate = ["evaluate", "--dataset", "ada/sample", "--no-push", "--out", "run"]
    here = ["--base-url", endpoint.url]
    unnamed, closed, keyless, other, wrong, refusing = terminal.run_all(
        [*evaluate, *arguments]
        for arguments in (
            ["openai:counting-model"],
            ["openai:counting-model", "--base-url", "http://127.0.0.1:9/v1"],
            ["openai:counting-model", "--base-url", "https://far.invalid/v1"],
            ["openai:other", *here],
            ["openai:counting-model", *here, "--key-variable", "WRONG_KEY"],
            ["openai:counting-model", *here],
        )
    )
    unnamed.refused("openai:counting-model", "add --base-url")
    closed.refused("http://127.0.0.1:9/v1 cannot be reached", "Connection refused", "check --base-url")
    keyless.refused("https://far.invalid/v1", "OPENAI_API_KEY")
    other.refused("refused the request", endpoint.url, "'other' does not exist", "model's name")
    wrong.refused("refused the request", "Incorrect API key", "WRONG_KEY")
    refusing.refused("unknown parameter tool_choice", "--tool-choice auto")
    assert len(endpoint.requests) <= 32


def test_an_endpoint_that_has_gone_stops_the_run_instead_of_failing_every_pair() -> None:
    """Nothing listens on the discard port; the client's own tries are over after seconds."""

    async def ask() -> None:
        backend = OpenAIBackend(Address(model="m", base_url="http://127.0.0.1:9/v1"), ())
        backend._client.max_retries = 0
        try:
            await backend.answer(ChatPrompt(pair_id="p", messages=({"role": "user", "content": "Hello"},)))
        finally:
            await backend.close()

    with pytest.raises(EngineError, match="cannot be reached"):
        asyncio.run(ask())
