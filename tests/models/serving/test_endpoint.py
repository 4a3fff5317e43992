"""The endpoint with the unmodified client: what it sends to the engine, and what it makes of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import ToolCall
from harness.data.sample import sample_task
from harness.data.tools import Toolbox
from harness.models import parsing
from harness.models.backends._base import EvaluateConfig
from harness.models.backends.openai import read_message
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.serving.answers import Notation, read_answer
from harness.models.serving.parity import chat_messages, compare_with_evaluation
from harness.models.serving.serve import Endpoint, PulledModels
from support.replay_engine import ReplayEngine

HELLO: Any = [{"role": "user", "content": "A table for two, please."}]
CALL = ToolCall(name="FindRestaurants", arguments={"city": "Tarn Ferris", "cuisine": "thaï"})
REPLY_TEXT = 'Two "tables" — at 7\n\\ok? 😀'


def ask(client: OpenAI, messages: Any = HELLO, **settings: Any) -> Any:
    return client.chat.completions.create(model="ada/student", messages=messages, **settings)


def streamed(client: OpenAI, messages: Any = HELLO, **settings: Any) -> list[Any]:
    return list(ask(client, messages, stream=True, **settings))


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_reply_is_text_and_usage_is_that_of_the_engine(client: OpenAI, engine: ReplayEngine) -> None:
    reply = ask(client)
    choice = reply.choices[0]
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == (REPLY_TEXT, None, "stop")
    assert reply.usage.prompt_tokens == len(engine.requests[-1]["prompt"])
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_other_calls_are_tool_calls(client: OpenAI, answers: Callable[..., None]) -> None:
    answers(parsing.canonical(CALL))
    choice = ask(client).choices[0]
    [call] = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (CALL.name, CALL.arguments)
    assert (choice.message.content, choice.finish_reason) == (None, "tool_calls")


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("kind", ["reply", "call", "words", "cut", "plain json"])
def test_a_stream_says_what_the_whole_answer_says(
    client: OpenAI, answers: Callable[..., None], kind: str, size: int
) -> None:
    reply = ToolCall(name="respond_to_user", arguments={"message": REPLY_TEXT})
    text = {
        "reply": parsing.canonical(reply),
        "call": parsing.canonical(CALL),
        "words": "I do not call anything.",
        "cut": parsing.canonical(reply)[:-30],
        "plain json": json.dumps({"name": "respond_to_user", "parameters": reply.arguments}),
    }[kind]
    answers(text, "length" if kind == "cut" else "stop", size)
    whole, chunks = ask(client).choices[0], streamed(client)
    assert text_of(chunks) == (whole.message.content or "")
    calls = [one for chunk in chunks for one in chunk.choices[0].delta.tool_calls or ()]
    assert [(one.function.name, one.function.arguments) for one in calls] == [
        (one.function.name, one.function.arguments) for one in whole.message.tool_calls or ()
    ]
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason
    assert whole.finish_reason == {"cut": "length", "call": "tool_calls"}.get(kind, "stop")


def test_the_words_of_a_reply_come_while_they_are_generated(
    client: OpenAI, engine: ReplayEngine, answers: Callable[..., None]
) -> None:
    text = "word " * 40
    answers(parsing.canonical(ToolCall(name="respond_to_user", arguments={"message": text})))
    chunks = streamed(client, stream_options={"include_usage": True})
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 20
    assert text_of(chunks) == text
    assert "return_token_ids" not in engine.requests[-1], "prompts need not come back"
    with_ids = streamed(client, extra_body={"return_token_ids": True})
    assert with_ids[0].prompt_token_ids == engine.requests[-1]["prompt"]
    assert len(with_ids[-1].choices[0].token_ids) == chunks[-1].usage.completion_tokens
    assert chunks[-1].choices == []
    assert chunks[-1].usage == ask(client).usage


def test_prompts_are_those_of_the_evaluation(
    client: OpenAI, engine: ReplayEngine, pulled: PulledModels, endpoint: Endpoint
) -> None:
    """Whether replies are sent as calls, as test sets have them, or as the texts that the endpoint made of them."""
    assert pulled.test_set
    evaluated = EvaluatedCheckpoint(pulled.base, pulled.test_set, EvaluateConfig())
    evaluated.make_prompts()
    reply = Toolbox(pulled.test_set.task.tools).reply
    for pair in pulled.test_set.pairs[::4]:
        messages = chat_messages(pair, pulled.test_set)
        as_text = [_as_text(message, reply.tool, reply.argument) for message in messages]
        for sent in (messages, as_text, messages[1:]):
            found = ask(client, sent, extra_body={"return_token_ids": True})
            assert found.prompt_token_ids == list(evaluated.asked[pair.id].token_ids)
    settings = {name: engine.requests[-1][name] for name in ("temperature", "top_p", "top_k", "max_tokens")}
    assert settings == {"temperature": 0, "top_p": 1, "top_k": 0, "max_tokens": 256}
    assert compare_with_evaluation(endpoint, 5).equal


def _as_text(message: dict[str, Any], tool: str, argument: str) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not calls or calls[0]["function"]["name"] != tool:
        return message
    return {"role": "assistant", "content": json.loads(calls[0]["function"]["arguments"])[argument]}


def _recorded() -> list[tuple[str, str]]:
    folder = Path(__file__).parents[1] / "parsing" / "examples"
    return [(path.stem, row["text"]) for path in sorted(folder.glob("*.jsonl")) for _, row in read_jsonl(path)]


def test_what_an_evaluation_scores_of_an_answer_is_the_same_through_the_endpoint() -> None:
    """In every notation: `tft evaluate openai:` asks for calls, and reads what comes back as a call."""
    checked = 0
    for family, text in _recorded()[::3]:
        expected = parsing.read(text, family=family, tools=sample_task().tools).call
        notation = Notation.of(family, sample_task().tools, required=True)
        message = read_answer(text, "stop", notation).message()
        sent = read_message(json.dumps({**message, "finish_reason": "stop"})).raw
        found = parsing.read(sent or "", tools=sample_task().tools).call
        assert found == expected, (family, text)
        checked += expected is not None
    assert checked > 80
