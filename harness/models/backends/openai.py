"""Answers from any OpenAI-compatible chat endpoint: messages and tools in, a call out."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data.formats.calls import parse_arguments
from harness.data.formats.json_texts import encodable
from harness.data.formats.messages import dump_arguments, template_message, without_system
from harness.data.records import AnswerKey, Prediction, ToolCall, TurnPair
from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.hub.client import Hub
from harness.models import parsing
from harness.models.backends._base import EvaluateConfig, EvaluatedModel, OnAnswer, Sampling, replaced_systems
from harness.models.backends._replicas import Replicas, homes
from harness.models.chat.chat_models import EndpointModel
from harness.models.chat.completions import SentCall, finish_reason_of, parts_of
from harness.models.chat.parameters import in_words
from harness.models.chat.records import ChatAnswer, ChatRequest
from harness.models.names import ModelName
from harness.models.prompts import system_message, system_template
from harness.terminal import say

_SHOWN = 5
_TIMEOUT = 300.0
"""Seconds; what an endpoint may take for an answer, where nothing else is said."""


_FENCED = re.compile(r"\s*```\w*\s*(.*?)\s*```\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAnswer:
    """A message as it is scored: a raw text, or the reason why there is none."""

    raw: str | None
    finish_reason: str | None = None
    problem: str | None = None
    left_out: tuple[str, ...] = ()
    """What it also holds, and is neither text nor a call."""


def read_message(text: str, *, parallel: bool = False) -> EndpointAnswer:
    """Return the first call of a message (`parallel`: all), else what it says, as one raw text, and why it ended.

    `text` is a message as `completions.read_reply` writes it, of this version or an earlier one. Words of refusal are
    an answer; one that was held back, that was cut before it said anything, or that says nothing which is text, is
    none. ValueError where the text is no such message.
    """
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("the answer is no message")
    words, finish_reason = parts_of(message), finish_reason_of(message.get("finish_reason"))
    raw, problem = words.text if words.text.strip() else words.refusal or words.text, None
    if finish_reason == "content_filter":
        problem = "the answer was held back by a content filter"
    elif words.calls:
        raw = "\n".join(map(_raw_call, words.calls if parallel else words.calls[:1]))
    elif not raw.strip() and finish_reason == "length":
        where = "inside its thinking" if words.thought else "before it said anything"
        problem = f"the answer was cut at the limit of tokens {where}; give it more room with --max-tokens"
    elif not raw.strip() and words.others:
        problem = f"the answer is no text: it has {', '.join(dict.fromkeys(words.others))}"
    if problem:
        return EndpointAnswer(raw=None, finish_reason=finish_reason, problem=problem)
    return EndpointAnswer(raw=raw, finish_reason=finish_reason, left_out=tuple(dict.fromkeys(words.others)))


def _raw_call(call: SentCall) -> str:
    """Return the endpoint's call in the published notation; arguments that are no JSON object stay as they came.

    Those are for the readings to repair or refuse, like what a model writes itself.
    """
    try:
        return encodable(
            parsing.canonical(ToolCall(name=call.name, arguments=parse_arguments(call.arguments, call.name)))
        )
    except (ValueError, RecursionError):
        sent = call.arguments
        written = sent if isinstance(sent, str) else json.dumps(sent, ensure_ascii=False)
        if fenced := _FENCED.fullmatch(written):  # in a text of its own the fence would stand around the whole call
            written = fenced[1]
        name = json.dumps(call.name, ensure_ascii=False)
        return encodable(f'<tool_call>\n{{"name": {name}, "arguments": {written}}}\n</tool_call>')


def _check(text: str) -> None:
    read_message(text)


def prepare(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> EvaluatedModel:
    """Make the requests; see `harness.models.backends._prepare.prepare`."""
    del hub
    return EvaluatedEndpoint(name, test_set, config)


class EvaluatedEndpoint(EvaluatedModel):
    """A model behind an endpoint, and the chat requests that it is sent."""

    def __init__(self, name: ModelName, test_set: TestSet, config: EvaluateConfig) -> None:
        asking = replace(config.asking, usual_timeout=_TIMEOUT)
        self._model = EndpointModel(name, asking)
        others = (replace(asking, endpoints=replace(asking.endpoints, base_url=url)) for url in config.replica_urls)
        self._models = [self._model, *(EndpointModel(name, one) for one in others)]
        self._config = config
        self._tools = tuple(test_set.task.tools)
        self._parallel = test_set.task.parallel_tool_calls
        self._max_tokens = self._model.room(config.max_tokens)
        system = {"role": "system", "content": system_message(test_set.task)}
        self._sampling = config.sampling
        _check_parameters(name, self._model.settings.get("parameters", {}), config.sampling)
        self.asked = {pair.id: self._request(pair, system) for pair in test_set.pairs}
        keys = [(pair_id, sample) for pair_id in self.asked for sample in range(config.samples)]
        self._keys = {_request_id(key): key for key in keys}
        lengths = {pair_id: sum(map(len, request.texts())) for pair_id, request in self.asked.items()}
        self._homes = homes(test_set.pairs, lengths, len(self._models))
        for number, model in enumerate(self._models):  # those that a run has answers of already are not asked again
            model.add_previous([one for one in self.items(keys) if self._home(one) == number])
        self._hashes = {pair_id: _sha256(request.messages) for pair_id, request in self.asked.items()}
        self.prompt_hashes = list(self._hashes.values())
        self._left_out: Counter[str] = Counter()
        self.details = {}
        self.settings = {
            "backend": "openai",
            "base_url": self._model.settings["base_url"],
            "tool_choice": config.tool_choice,
            "max_tokens": self._max_tokens,
            **config.decoding,
            "system_template": system_template(test_set.task),
            **replaced_systems(test_set),
        }
        if len(self._models) > 1:
            self.settings["replica_urls"] = [model.settings["base_url"] for model in self._models[1:]]
        if parameters := self._model.settings.get("parameters"):
            self.settings |= {key: parameters[key] for key in ("temperature", "tool_choice") if key in parameters}
            self.settings["parameters"] = parameters
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
            **self._drawn((pair.id, 0)),
        )

    def _drawn(self, key: AnswerKey) -> dict[str, Any]:
        """Return the fields of a request that make its answer a sample; none for the greedy answer."""
        sampling = self._sampling
        return {"temperature": sampling.temperature, "seed": sampling.seed_of(key)} if sampling else {}

    def sampled(self, item: ChatRequest, sample: int) -> ChatRequest:
        """See `EvaluatedModel.sampled`."""
        key = item.id, sample
        return replace(item, id=_request_id(key), **self._drawn(key))

    def make_prompts(self) -> None:
        """The requests are made; where nothing is left to ask, an earlier run has found out what the endpoint takes."""
        self._note_changes()

    def _note_changes(self) -> None:
        changes = frozenset().union(*(model.changes() for model in self._models))
        changes -= set() if self._sampling else {"seed"}
        if changes:
            self.details["sent_otherwise"] = in_words(changes)
        if "temperature" in changes:
            self.details["temperature"] = None
        if "tool_choice" in changes or "tool_choice=auto" in changes:
            self.details["tool_choice"] = "auto" if "tool_choice=auto" in changes else None

    def ask(self, requests: Sequence[ChatRequest], on_answer: OnAnswer, /) -> None:
        """Ask what is not in the cache; any message is an answer. See `Backend.ask` and `ChatModel.ask`."""
        if len(self._models) == 1:
            self._model.ask(requests, lambda answer: on_answer(self._prediction(answer)))
        else:
            Replicas([_Endpoint(model, self._prediction) for model in self._models], self._home).ask(
                requests, on_answer
            )
        for what, count in self._left_out.most_common(_SHOWN):
            say(f"{count} answers also had {what}, which is left out")
        self._note_changes()

    def _home(self, request: ChatRequest) -> int:
        return self._homes[self._keys[request.id][0]]

    def _prediction(self, answer: ChatAnswer) -> Prediction:
        said = EndpointAnswer(raw=None, problem=answer.error)
        if answer.text is not None:
            said = read_message(answer.text, parallel=self._parallel)
        self._left_out.update(said.left_out)
        pair_id, sample = self._keys[answer.id]
        return Prediction(
            pair_id=pair_id,
            sample=sample,
            raw=said.raw,
            finish_reason=said.finish_reason,
            error=said.problem,
            prompt_sha256=self._hashes[pair_id],
            usage=answer.usage,
            kept=answer.cached,
        )


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One of several endpoints of a model."""

    model: EndpointModel
    read: Callable[[ChatAnswer], Prediction]

    async def asking(self, requests: Sequence[ChatRequest], on_answer: OnAnswer, /) -> None:
        """See `Replica`."""
        await self.model.asking(requests, lambda answer: on_answer(self.read(answer)))

    async def answer(self, request: ChatRequest, /) -> Prediction:
        """See `Replica`."""
        found: list[Prediction] = []
        await self.asking([request], found.append)
        return found[0]


def _request_id(key: AnswerKey) -> str:
    pair_id, sample = key
    return f"{pair_id} sample {sample}" if sample else pair_id


def _check_parameters(name: ModelName, parameters: Mapping[str, Any], sampling: Sampling | None) -> None:
    """Raise UsageError where the endpoints file would take the place of what makes samples differ."""
    if sampling is None:
        return
    own = parameters.get("temperature")
    if own is not None and own != sampling.temperature:
        raise UsageError(
            f"the endpoints file asks {name} at temperature {own}, --temperature says {sampling.temperature:g}; "
            "leave the temperature out of its parameters, or give the same"
        )
    if parameters.get("seed") is not None:
        raise UsageError(
            f"the endpoints file asks {name} with one seed for all answers, which makes all samples the same; leave "
            "the seed out of its parameters, and give --seed"
        )


def _sha256(messages: Sequence[dict[str, Any]]) -> str:
    """Return the SHA-256 of the messages' canonical JSON."""
    text = json.dumps(messages, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
