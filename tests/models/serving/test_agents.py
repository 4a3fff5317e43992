"""An agent's own loop with the unmodified client books a table: each prompt is the evaluation's, each call arrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from openai import OpenAI

from harness.data.records import ToolCall, TurnPair
from harness.data.tasks import TestSet
from harness.models import parsing
from harness.models.backends._base import EvaluateConfig
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.serving.serve import Endpoint, PulledModels
from support.replay_engine import ReplayEngine, pieces

Complete = Callable[..., dict[str, Any]]


@dataclass(slots=True)
class Restaurant:
    """The other side of one test conversation: what its user says, and what its tools return, in their turn."""

    pairs: list[TurnPair]
    said: list[str] = field(default_factory=list)
    called: list[ToolCall] = field(default_factory=list)

    def opening(self) -> str:
        return str(self.pairs[0].prefix[-1].content)

    def hears(self, text: str) -> str | None:
        """Take what the assistant says, and return the answer; None when the talk has ended."""
        self.said.append(text)
        return self._next()

    def runs(self, name: str, arguments: str) -> str:
        """Run a tool, and return its result as JSON."""
        self.called.append(ToolCall(name=name, arguments=json.loads(arguments)))
        return str(self._next())

    def _next(self) -> str | None:
        turn = len(self.said) + len(self.called)
        return self.pairs[turn].prefix[-1].content if turn < len(self.pairs) else None


def talk(complete: Complete, other: Restaurant) -> None:
    """Talk to a user until there is no more to say, as loops around a chat API do."""
    messages: list[Any] = [{"role": "user", "content": other.opening()}]
    while True:
        message = complete(messages=messages)
        messages.append(message)
        for call in message.get("tool_calls") or ():
            result = other.runs(call["function"]["name"], call["function"]["arguments"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        if not message.get("tool_calls"):
            answer = other.hears(message["content"])
            if answer is None:
                return
            messages.append({"role": "user", "content": answer})


def whole(client: OpenAI, **request: Any) -> dict[str, Any]:
    reply = client.chat.completions.create(model="gpt-4.1", **request)
    message: dict[str, Any] = reply.choices[0].message.model_dump(exclude_none=True)
    return message


def streamed(client: OpenAI, **request: Any) -> dict[str, Any]:
    content, calls = "", dict[int, Any]()
    for chunk in client.chat.completions.create(model="gpt-4.1", stream=True, **request):
        delta = chunk.choices[0].delta
        content += delta.content or ""
        for one in delta.tool_calls or ():
            call = calls.setdefault(one.index, {"id": one.id, "type": "function", "function": {"arguments": ""}})
            if one.function.name:
                call["function"]["name"] = one.function.name
            call["function"]["arguments"] += one.function.arguments or ""
    return {"role": "assistant", "content": content or None, "tool_calls": [*calls.values()] or None}


@pytest.fixture(scope="module")
def longest(pulled: PulledModels) -> list[TurnPair]:
    """The pairs of the test conversation with the most turns."""
    talks: dict[str, list[TurnPair]] = {}
    for pair in asked_set(pulled).pairs:
        talks.setdefault(pair.conversation, []).append(pair)
    return max(talks.values(), key=len)


@pytest.fixture(scope="module")
def known_answers(pulled: PulledModels) -> dict[tuple[int, ...], str]:
    """The test set's calls by the evaluation's prompts."""
    evaluated = EvaluatedCheckpoint(pulled.base, asked_set(pulled), EvaluateConfig())
    evaluated.make_prompts()
    return {evaluated.asked[one.id].token_ids: parsing.canonical(one.reference) for one in asked_set(pulled).pairs}


@pytest.fixture
def oracle(engine: ReplayEngine, known_answers: dict[tuple[int, ...], str]) -> Iterator[ReplayEngine]:
    """The engine answers the evaluation's prompts, token for token, and no others."""
    before = engine.answer
    engine.answer = lambda request: (pieces(known_answers[tuple(request["prompt"])]), "stop")
    engine.requests.clear()
    yield engine
    engine.answer = before


def asked_set(pulled: PulledModels) -> TestSet:
    assert pulled.test_set
    return pulled.test_set


def as_libraries_send(tools: list[Any]) -> list[Any]:
    """Return the tools that an agent runs itself, in another order and with what libraries add to a schema."""
    functions = [tool["function"] for tool in tools if tool["function"]["name"] != "respond_to_user"]
    strict = {"additionalProperties": False, "title": "Arguments"}
    return [
        {"type": "function", "function": {**one, "strict": False, "parameters": {**one["parameters"], **strict}}}
        for one in reversed(functions)
    ]


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize("brings", ["the task's tools", "a library's form of them", "none"])
def test_an_agent_books_a_table(
    ask: Any, brings: str, oracle: ReplayEngine, endpoint: Endpoint, longest: list[TurnPair]
) -> None:
    """Whether it brings the task's tools, those of them that it runs, or leaves them to the endpoint."""
    other = Restaurant(longest)
    tools: list[Any] = list(asked_set(endpoint.pulled).task.tools)
    sent = {"the task's tools": {"tools": tools}, "none": {}}.get(brings, {"tools": as_libraries_send(tools)})
    with OpenAI(base_url=endpoint.url, api_key="none", max_retries=0) as client:
        talk(partial(ask, client, **sent), other)
    assert len(oracle.requests) == len(longest) >= 11
    wanted = [pair.reference for pair in longest]
    assert other.called == [call for call in wanted if call.name != "respond_to_user"]
    assert other.said == [call.arguments["message"] for call in wanted if call.name == "respond_to_user"]
    assert other.called[-1].name == "ReserveRestaurant"


def test_what_a_request_says_otherwise_of_the_tasks_tools_is_said(client: OpenAI, endpoint: Endpoint) -> None:
    """In other words they are still the task's, as long as a call of one is a call of the other."""
    [reserve, find] = as_libraries_send(list(asked_set(endpoint.pulled).task.tools))

    def warned(*tools: Any, **settings: Any) -> str:
        messages: Any = [{"role": "user", "content": "Hello"}]
        found = client.chat.completions.with_raw_response.create(
            model="ada/student", messages=messages, tools=[*tools], **settings
        )
        return str(found.headers.get("X-TFT-Warning"))

    same = "the model is shown the tools as the task has them, as in training"
    assert warned(reserve, find) == same
    worded = {**find, "function": {**find["function"], "description": "Search."}}
    assert warned(reserve, worded) == f"{same}; the request words FindRestaurants otherwise"
    renamed = json.loads(json.dumps(find).replace('"city"', '"town"'))
    for tools, settings in (([find], {}), ([reserve, renamed], {}), ([reserve, find], {"tool_choice": "required"})):
        assert "other tools than those of the task" in warned(*tools, **settings)
