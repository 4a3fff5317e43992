"""Answers from any OpenAI-compatible chat endpoint: messages and tools in, a call out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.data.formats.message_reader import parse_arguments
from harness.data.formats.messages import dump_arguments, template_message, without_system
from harness.data.records import Prediction, ToolCall, TurnPair
from harness.data.tasks import TestSet
from harness.hub.client import Hub
from harness.models import parsing
from harness.models.backends.backend import Backend, OnAnswer
from harness.models.backends.subject import EvaluateConfig, Subject, replaced_systems
from harness.models.chat.chat_models import ChatModel, EndpointModel
from harness.models.chat.records import ChatAnswer, ChatRequest
from harness.models.names import ModelName
from harness.models.prompts import system_message, system_template

_TIMEOUT = 300.0
"""Seconds; what an endpoint may take for an answer, where nothing else is said."""


class EndpointBackend:
    """Asks a chat model, and takes whatever it says as its answer."""

    def __init__(self, model: ChatModel, hashes: Mapping[str, str]) -> None:
        """`hashes`: pair id -> SHA-256 of its messages."""
        self._model = model
        self._hashes = hashes

    def ask(self, requests: Sequence[ChatRequest], on_answer: OnAnswer) -> None:
        """Ask what is not in the cache of answers; see `Backend.ask` and `ChatModel.ask`."""
        self._model.ask(requests, lambda answer: on_answer(self._prediction(answer)))

    def _prediction(self, answer: ChatAnswer) -> Prediction:
        raw, finish_reason = read_message(answer.text) if answer.text is not None else (None, None)
        return Prediction(
            pair_id=answer.id,
            raw=raw,
            finish_reason=finish_reason,
            error=answer.error,
            prompt_sha256=self._hashes[answer.id],
            usage=answer.usage,
            kept=answer.cached,
        )


def read_message(text: str) -> tuple[str, str | None]:
    """Return the raw text of a message (the first call, else what is said) and why it ended.

    `text` is a message as `failures.read_reply` writes it; ValueError where a call in it is none.
    """
    message = json.loads(text)
    raw: str = message.get("content") or ""
    try:
        for called in message.get("tool_calls", ()):
            if called.get("type") == "function":
                raw = _raw_call(called["function"]["name"], called["function"]["arguments"])
                break
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("the reply is no chat completion (a call without a name or arguments)") from error
    return raw, message["finish_reason"]


def _raw_call(name: str, arguments: Any) -> str:
    """Return the endpoint's call in the published notation; arguments that are no JSON object stay as they came."""
    try:
        return parsing.canonical(ToolCall(name=name, arguments=parse_arguments(arguments, name)))
    except ValueError:
        return f"<tool_call>\n{json.dumps(name)[:-1]}: {arguments}\n</tool_call>"


def _check(text: str) -> None:
    read_message(text)


def subject(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> Subject:
    """Make the requests; see `harness.models.backends.prepare.prepare`."""
    del hub
    return EndpointSubject(name, test_set, config)


class EndpointSubject(Subject):
    """A model behind an endpoint, and the chat requests that it is sent."""

    def __init__(self, name: ModelName, test_set: TestSet, config: EvaluateConfig) -> None:
        self._model = EndpointModel(name, replace(config.asking, usual_timeout=_TIMEOUT))
        self._config = config
        self._tools = tuple(test_set.task.tools)
        self._max_tokens = self._model.room(config.max_tokens)
        system = {"role": "system", "content": system_message(test_set.task)}
        self._requests = [self._request(pair, system) for pair in test_set.pairs]
        self._model.count_earlier(self._requests)  # those that a run has answers of already are not asked again
        self.prompt_hashes = [_sha256(request.messages) for request in self._requests]
        self.details = {}
        self.settings = {
            "backend": "openai",
            "base_url": self._model.settings["base_url"],
            "tool_choice": config.tool_choice,
            "max_tokens": self._max_tokens,
            "temperature": 0,
            "system_template": system_template(test_set.task),
            **replaced_systems(test_set),
        }
        if self._model.settings["model"] != name.id:  # the endpoints file has another name for it
            self.settings["model"] = self._model.settings["model"]

    def _request(self, pair: TurnPair, system: dict[str, Any]) -> ChatRequest:
        """Return the request of a pair: the task's system message, then the conversation with arguments as strings."""
        messages = [system]
        for message in without_system(pair.prefix):
            plain = template_message(message)
            for call in plain.get("tool_calls", ()):
                call["function"]["arguments"] = dump_arguments(call["function"]["arguments"])
            messages.append(plain)
        return ChatRequest(
            id=pair.id,
            messages=tuple(messages),
            tools=self._tools,
            tool_choice=self._config.tool_choice,
            max_tokens=self._max_tokens,
            check=_check,
        )

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        """Return the requests of these pairs."""
        wanted = set(pair_ids)
        return [request for request in self._requests if request.id in wanted]

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        """Return what asks the endpoint; the first question finds out whether it is there."""
        del log
        hashes = dict(zip((request.id for request in self._requests), self.prompt_hashes, strict=True))
        yield EndpointBackend(self._model, hashes)


def _sha256(messages: Sequence[dict[str, Any]]) -> str:
    """Return the SHA-256 of the messages' canonical JSON."""
    text = json.dumps(messages, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
