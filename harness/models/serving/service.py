"""A served model's answers to chat requests: prompt, engine, reading; whole, or as a stream of chunks."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from harness.data.records import Message
from harness.data.tools import Toolbox
from harness.errors import ModelError
from harness.hub.artifact import Artifact
from harness.models.backends._vllm_client import greedy_completion
from harness.models.prompts import system_message
from harness.models.serving.answers import Notation, StreamedAnswer, read_answer
from harness.models.serving.engine import KeptEngine
from harness.models.serving.rendering import PromptRenderer, ServedTask
from harness.models.serving.requests import AskedTurn, refused, unavailable
from harness.terminal import one_line, say

_NAMED = 80
"""Characters of a foreign name in a header or a line."""
_SENTENCE = 300
"""Characters of a warning that lists foreign names."""
_LINES = 1000
"""Different lines of the log that are remembered, so that each is said once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model that can be asked by name."""

    artifact: Artifact
    adapter: str | None
    """Its name in the engine; None for the model that the engine was started on."""
    renderer: PromptRenderer

    @property
    def names(self) -> tuple[str, ...]:
        """What a request may call it."""
        return (self.artifact.repo_id, str(self.artifact))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKnown:
    """The task that the models were trained on, and what it says of requests."""

    served: ServedTask
    system: str
    results_as_user: bool
    """Its conversations have what tools return in messages of the user."""

    @classmethod
    def of(cls, served: ServedTask) -> TaskKnown:
        """Return what follows from a task and its test set."""
        messages = [message for pair in served.pairs for message in pair.prefix]
        by_tool = any(message.role == "tool" for message in messages)
        return cls(
            served=served,
            system=system_message(served.task),
            results_as_user=bool(messages) and not by_tool,
        )

    def worded_otherwise(self, tools: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """Return which of a request's tools the task describes in other words; None where calls are not the same.

        Agents bring the tools that they run: without the one that speaks to the user, which the endpoint turns into
        text, and in what their library makes of a schema. Calls are the same where the names of all others and of
        their parameters are.
        """
        own, asked = Toolbox(self.served.task.tools), Toolbox(tools)
        if {*asked.names} | {own.reply.tool} != {*own.names} | {own.reply.tool}:
            return None
        if any({*own.parameters(name)} != {*asked.parameters(name)} for name in asked.names):
            return None
        return [
            name
            for name in asked.names
            if own.description(name) != asked.description(name) or own.parameters(name) != asked.parameters(name)
        ]


@dataclass(slots=True)
class PreparedTurn:
    """A request that can be sent to the engine."""

    turn: AskedTurn
    model: ServedModel
    body: dict[str, Any]
    notation: Notation
    warnings: list[str]
    """What the client should know, in words."""
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def frame(self, kind: str) -> dict[str, Any]:
        """Return what every reply and chunk has."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model.artifact.repo_id}

    @property
    def token_ids_wanted(self) -> bool:
        """Whether the reply has the token ids of prompt and answers."""
        return bool(self.turn.body.return_token_ids)


class ChatService:
    """Answers chat requests with the models of one engine."""

    def __init__(
        self, models: Sequence[ServedModel], engine: KeptEngine, task: TaskKnown | None, *, max_tokens: int
    ) -> None:
        """`task` is that of `--task`; `max_tokens` the longest answer where a request names none."""
        self.models = models
        self.engine = engine
        self._task = task
        self._max_tokens = max_tokens
        self._by_name = {name: model for model in models for name in model.names}
        self._said: set[str] = set()

    def note(self, line: str) -> None:
        """Write a line to the log, each once."""
        if line not in self._said and len(self._said) < _LINES:
            self._said.add(line)
            say(line)

    async def prepare(self, turn: AskedTurn) -> PreparedTurn:
        """Return what to send for a request; raises Refused where it cannot be answered."""
        self.engine.asked_server()
        warnings: list[str] = [*turn.notes]
        model = self._model(turn, warnings)
        task = self._served_task(turn, warnings)
        messages = self._as_trained(turn.messages, Toolbox(task.task.tools))
        try:
            prompt = await model.renderer.render(task, turn.system, messages)
        except ModelError as error:
            raise refused(str(error), "messages") from error
        notation = Notation.of(
            prompt.family,
            task.task.tools,
            required=turn.required,
            stops=turn.body.stops,
            written=prompt.written,
        )
        if turn.ignored:
            names = ", ".join(sorted(turn.ignored))[:_NAMED]
            self.note(f"parameters that are not known were ignored: {names}")
        for warning in warnings:
            self.note(warning)
        body = greedy_completion(model.adapter, prompt.token_ids, self._room(turn, len(prompt.token_ids)))
        body |= turn.body.sampling
        if turn.body.return_token_ids:
            body["return_token_ids"] = True
        if not task.task.tools:
            body["skip_special_tokens"] = True
        return PreparedTurn(turn=turn, model=model, body=body, notation=notation, warnings=warnings)

    def _model(self, turn: AskedTurn, warnings: list[str]) -> ServedModel:
        named = turn.body.model or self.models[0].names[0]
        if named in self._by_name:
            return self._by_name[named]
        shown = one_line(named[:_NAMED])
        if len(self.models) > 1:
            known = ", ".join(model.names[0] for model in self.models)
            raise refused(f"there is no model {shown}; there are {known}", "model", status=404, code="model_not_found")
        warnings.append(f"{self.models[0].names[0]} answers for the model {shown}")
        return self.models[0]

    def _served_task(self, turn: AskedTurn, warnings: list[str]) -> ServedTask:
        """Return the task of a request: that of `--task`, with the request's own tools where it brings others."""
        if self._task is None:
            return ServedTask.of_tools(turn.tools)
        known = self._task
        if turn.system is not None and turn.system.strip() != known.system.strip():
            warnings.append("the system message of a request was replaced by that of the task, as in the evaluation")
        if not turn.tools or turn.tools == known.served.task.tools:
            return known.served
        if not turn.required and (other := known.worded_otherwise(turn.tools)) is not None:
            differs = f"; the request words {', '.join(other)} otherwise" if other else ""
            warnings.append(f"the model is shown the tools as the task has them, as in training{differs}"[:_SENTENCE])
            return known.served
        warnings.append("a request brought other tools than those of the task: the model may not know how to call them")
        return ServedTask.of(replace(known.served.task, tools=turn.tools), own_system=True)

    def _as_trained(self, messages: tuple[Message, ...], box: Toolbox) -> tuple[Message, ...]:
        """Return a conversation as those of training are: each text of the assistant is a call of the reply tool."""
        made = []
        for message in messages:
            call = box.call_of(message) if message.role == "assistant" and not message.tool_calls else None
            if message.role == "tool" and self._task is not None and self._task.results_as_user:
                made.append(Message(role="user", content=message.content))
            else:
                made.append(box.message_of(call) if call else message)
        return tuple(made)

    def _room(self, turn: AskedTurn, prompt: int) -> int:
        """Return the longest answer in tokens; raises Refused where it does not fit behind the prompt."""
        longest, context = turn.longest or self._max_tokens, self.engine.context
        if context is not None and prompt + longest > context:
            raise refused(
                f"the prompt has {prompt} tokens and the answer may have {longest}, but the model's context is "
                f"{context}; send a shorter conversation, or a smaller max_tokens",
                "messages",
                code="context_length_exceeded",
            )
        return longest

    async def answer(self, prepared: PreparedTurn) -> dict[str, Any]:
        """Return the reply to a request; raises Refused where the engine gives none."""
        reply = await self.engine.complete(prepared.body)
        choices = []
        for choice in reply["choices"]:
            read = read_answer(choice["text"], choice.get("finish_reason") or "stop", prepared.notation)
            if read.problem:
                prepared.warnings.append(read.problem)
                say(f"{prepared.id}: {read.problem}")
            made = {"index": choice["index"], "message": read.message(), "finish_reason": read.finish_reason}
            ids = {"token_ids": choice.get("token_ids")} if prepared.token_ids_wanted else {}
            choices.append({**made, "logprobs": None, **ids})
        prompt = {"prompt_token_ids": prepared.body["prompt"]} if prepared.token_ids_wanted else {}
        return {**prepared.frame("chat.completion"), "choices": choices, "usage": reply.get("usage"), **prompt}

    async def chunks(self, prepared: PreparedTurn) -> AsyncGenerator[dict[str, Any]]:
        """Yield the chunks of a streamed reply: the words for the user as they come, calls at their end."""
        frame, usage = prepared.frame("chat.completion.chunk"), None
        answers: dict[int, StreamedAnswer] = {}
        ended: set[int] = set()
        wants_usage = prepared.turn.body.stream_options is not None and prepared.turn.body.stream_options.include_usage

        def chunk(index: int, delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            return {**frame, "choices": [choice], **({"usage": None} if wants_usage else {})}

        count = prepared.body.get("n", 1)
        for index in range(count):
            answers[index] = StreamedAnswer(prepared.notation)
            first = chunk(index, {"role": "assistant", "content": ""})
            yield first | ({"prompt_token_ids": prepared.body["prompt"]} if prepared.token_ids_wanted else {})
        async with aclosing(self.engine.stream(prepared.body)) as events:
            async for event in events:
                usage = event.get("usage") or usage
                for choice in event["choices"]:
                    index, answer = choice["index"], answers[choice["index"]]
                    if text := answer.add(choice):
                        yield chunk(index, {"content": text})
                    over = choice.get("finish_reason") or (count == 1 and answer.stopped)
                    if not over or index in ended:
                        continue
                    ended.add(index)
                    for delta, reason in self._last(prepared, answer):
                        last = reason is not None and prepared.token_ids_wanted
                        yield _with_ids(chunk(index, delta, reason), answer.token_ids if last else None)
                if count == 1 and answers[0].stopped:
                    break  # which ends the answer in the engine, too
        if len(ended) < count:
            raise unavailable("the engine went away before its answer was whole; ask again")
        if wants_usage:
            yield {**frame, "choices": [], "usage": usage}

    def _last(self, prepared: PreparedTurn, answer: StreamedAnswer) -> list[tuple[dict[str, Any], str | None]]:
        """Return the deltas that end an answer, the last with why it ended."""
        read, text = answer.end()
        if read.problem:
            say(f"{prepared.id}: {read.problem}")
        deltas: list[tuple[dict[str, Any], str | None]] = [({"content": text}, None)] if text else []
        deltas += [({"tool_calls": [{"index": 0, **call}]}, None) for call in read.tool_calls()]
        return [*deltas, ({}, read.finish_reason)]


def _with_ids(chunk: dict[str, Any], token_ids: list[int] | None) -> dict[str, Any]:
    """Return a chunk, with all token ids of its answer where they are given."""
    if token_ids is not None:
        chunk["choices"][0]["token_ids"] = token_ids
    return chunk
