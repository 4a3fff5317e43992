"""Whether the endpoint sends and answers what `tft evaluate` does, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.data.formats.messages import dump_arguments, template_message
from harness.data.records import TurnPair
from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.hub.address import keep_from_proxies
from harness.models.backends._adapters import EvaluatedAdapter
from harness.models.backends._vllm_client import greedy_completion
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.engine.server import SharedEngine
from harness.models.prompts import system_message
from harness.models.serving.serve import Endpoint
from harness.terminal import progress

PAIRS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What a comparison of an endpoint with the evaluation has found."""

    pairs: int
    prompts: tuple[str, ...]
    """Model and pair of each prompt whose token ids differ."""
    answers: tuple[str, ...]
    """The same of answers, to prompts that are equal."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.prompts and not self.answers


def compare_with_evaluation(endpoint: Endpoint, pairs: int = PAIRS) -> Parity:
    """Ask a running endpoint for turns of its test set with the client `openai`, and its engine as an evaluation does.

    Raises UsageError where the endpoint has no test set, or no prompt of it fits into the model's context.
    """
    test_set = endpoint.pulled.test_set
    if test_set is None:
        raise UsageError("--check compares on a test set; name one with --task owner/name")
    keep_from_proxies(endpoint.url)
    other_prompts: list[str] = []
    other_answers: list[str] = []
    asked = 0
    for model in endpoint.models:
        evaluated = _evaluated(endpoint, model.adapter, test_set)
        with progress(f"making the evaluation's prompts of {model.artifact.repo_id}"):
            evaluated.make_prompts()
        impossible = {one.pair_id for one in evaluated.unaskable()}
        chosen = _spread([pair for pair in test_set.pairs if pair.id not in impossible], pairs)
        with progress(f"comparing {model.artifact.repo_id}", total=len(chosen)) as advance:
            for pair in chosen:
                prompt = list(evaluated.asked[pair.id].token_ids)
                served = _served(endpoint, model.names[0], pair, test_set)
                name = f"{model.artifact.repo_id} {pair.id}"
                if served[0] != prompt:
                    other_prompts.append(name)
                elif served[1] != _answered(endpoint, model.adapter, prompt):
                    other_answers.append(name)
                asked += 1
                advance()
    if not asked:
        raise UsageError("no prompt of the test set fits into the model's context; lower --max-tokens")
    return Parity(pairs=asked, prompts=tuple(other_prompts), answers=tuple(other_answers))


def _spread(pairs: Sequence[TurnPair], count: int) -> list[TurnPair]:
    """Return so many pairs from all over the test set."""
    count = min(count, len(pairs))
    return [pairs[place * len(pairs) // count] for place in range(count)]


def _evaluated(endpoint: Endpoint, adapter: str | None, test_set: TestSet) -> EvaluatedCheckpoint:
    """Return the model as an evaluation makes its prompts."""
    base, config = endpoint.pulled.base, endpoint.options.config
    if adapter is None:
        return EvaluatedCheckpoint(base, test_set, config)
    found = next(one for one in endpoint.pulled.adapters if str(one.artifact) == adapter)
    from harness.models.backends.vllm import engine_options

    return EvaluatedAdapter(found, base, SharedEngine(engine_options(config)), test_set, config)


def _served(endpoint: Endpoint, model: str, pair: TurnPair, test_set: TestSet) -> tuple[list[int], list[int]]:
    """Return the token ids of a prompt and its answer, as an unmodified client gets them from the endpoint."""
    reply = _client(endpoint.url, endpoint.options.key or "none").chat.completions.create(
        model=model,
        messages=chat_messages(pair, test_set),
        tools=list(test_set.task.tools),
        extra_body={"return_token_ids": True},
    )
    return list(reply.prompt_token_ids), list(reply.choices[0].token_ids)


def chat_messages(pair: TurnPair, test_set: TestSet) -> list[dict[str, Any]]:
    """Return the conversation of a pair as a client sends it: system message first, arguments as text."""
    messages = [{"role": "system", "content": system_message(test_set.task)}]
    for message in pair.prefix:
        plain = template_message(message)
        for call in plain.get("tool_calls", ()):
            call["function"]["arguments"] = dump_arguments(call["function"]["arguments"])
        messages.append(plain)
    return messages


def _answered(endpoint: Endpoint, adapter: str | None, prompt: list[int]) -> list[int]:
    """Return the token ids that the engine answers to the evaluation's own request."""
    server = endpoint.engine.asked_server()
    body = greedy_completion(adapter, prompt, endpoint.options.config.max_tokens) | {"return_token_ids": True}
    reply = _client(server.url, server.key).completions.create(
        model=body.pop("model"), prompt=body.pop("prompt"), extra_body=body
    )
    return list(reply.choices[0].token_ids)


def _client(url: str, key: str) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=url, api_key=key, max_retries=0, timeout=600)
