"""Answers from any OpenAI-compatible chat endpoint: messages and tools in, a call out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.formats.message_reader import parse_arguments
from harness.data.formats.messages import dump_arguments, template_message
from harness.data.records import Prediction, Task, ToolCall, TurnPair, Usage
from harness.data.tasks import TestSet
from harness.errors import EngineError, UsageError
from harness.hub.address import check_address
from harness.hub.client import Hub
from harness.models import parsing
from harness.models.backends.backend import Backend
from harness.models.backends.subject import EvaluateConfig, Subject
from harness.models.chat.connection import find_key
from harness.models.chat.secrets import Secrets, public_address
from harness.models.names import ModelName
from harness.models.prompts import system_message, system_template

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

_TIMEOUT = 300.0
_PROBE_TIMEOUT = 10.0
_RETRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an endpoint is and how it is asked. The key comes from the environment and is never written."""

    model: str
    base_url: str
    key_variable: str = "OPENAI_API_KEY"
    tool_choice: str = "required"
    max_tokens: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPrompt:
    """The messages of one pair, as sent."""

    pair_id: str
    messages: tuple[dict[str, Any], ...]

    def sha256(self) -> str:
        """Return the SHA-256 of the messages' canonical JSON."""
        text = json.dumps(self.messages, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def chat_prompts(pairs: Sequence[TurnPair], task: Task) -> list[ChatPrompt]:
    """Return the chat request of each pair: system message, then the conversation with arguments as strings."""
    system = {"role": "system", "content": system_message(task)}
    prompts = []
    for pair in pairs:
        messages = [system]
        for message in pair.prefix:
            plain = template_message(message)
            for call in plain.get("tool_calls", ()):
                call["function"]["arguments"] = dump_arguments(call["function"]["arguments"])
            messages.append(plain)
        prompts.append(ChatPrompt(pair_id=pair.id, messages=tuple(messages)))
    return prompts


class OpenAIBackend:
    """Answers chat prompts; retries with growing pauses what may pass (429, 5xx, no connection)."""

    def __init__(self, endpoint: Endpoint, tools: Sequence[dict[str, Any]]) -> None:
        """Raises UsageError where there is no key and the endpoint is not local, or where the key cannot be sent."""
        from openai import AsyncOpenAI

        key = find_key(endpoint.base_url, endpoint.key_variable)
        self._secrets = Secrets(key, endpoint.base_url)
        self._address = public_address(endpoint.base_url)
        self._endpoint = endpoint
        self._tools: Any = list(tools)
        self._answered = False
        self._client = AsyncOpenAI(
            base_url=endpoint.base_url, api_key=key or "none", max_retries=_RETRIES, timeout=_TIMEOUT
        )

    def check_reachable(self) -> None:
        """Raise EngineError where nothing answers at the address: before the first question, and without patience."""
        from openai import APIConnectionError, APIError, OpenAI

        with OpenAI(
            base_url=self._client.base_url, api_key=self._client.api_key, max_retries=1, timeout=_PROBE_TIMEOUT
        ) as client:
            try:
                client.models.list()
            except APIConnectionError as error:
                raise self._unreachable(error) from error
            except APIError:
                return  # any answer will do: not every endpoint lists its models

    def _unreachable(self, error: Exception) -> EngineError:
        cause = self._secrets.clean(str(error.__cause__ or error))
        return EngineError(
            f"the endpoint {self._address} cannot be reached ({cause}); check --base-url and the network, "
            "then go on with --resume"
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def answer(self, prompt: ChatPrompt) -> Prediction:
        """Return the endpoint's answer.

        Raises UsageError where the endpoint refuses the request itself (key, model, parameters), as it would
        refuse every other, and EngineError where it has gone.
        """
        from openai import (
            APIConnectionError,
            APIError,
            APITimeoutError,
            AuthenticationError,
            BadRequestError,
            NotFoundError,
        )

        try:
            answer = self._prediction(prompt, await self._ask(prompt))
        except (AuthenticationError, NotFoundError) as error:
            raise UsageError(
                f"{self._address} refused the request: {self._secrets.clean(error.message)}; "
                f"check the model's name, --base-url and the key in {self._endpoint.key_variable}"
            ) from error
        except APITimeoutError:
            return self._failed(prompt, f"no answer within {_TIMEOUT:.0f} s")
        except APIConnectionError as error:
            # By name: which HTTP library the client stands on depends on its version.
            if type(error.__cause__).__name__ == "ConnectError":
                raise self._unreachable(error) from error
            return self._failed(prompt, f"the connection broke ({error.__cause__ or error})")
        except BadRequestError as error:
            # After a first answer the parameters are known to be right: this prompt is too long, or filtered.
            if not self._answered and "context" not in error.message.lower():
                hint = "if it does not know tool_choice, try --tool-choice auto"
                raise UsageError(
                    f"{self._address} refused the request: {self._secrets.clean(error.message)}; {hint}"
                ) from error
            return self._failed(prompt, error.message)
        except APIError as error:
            return self._failed(prompt, error.message)
        except (ValueError, TypeError, AttributeError) as error:  # the client does not check what it reads
            return self._failed(prompt, f"the reply is no chat completion ({error})")
        self._answered = self._answered or answer.error is None
        return answer

    async def _ask(self, prompt: ChatPrompt) -> ChatCompletion:
        messages: Any = list(prompt.messages)
        choice: Any = self._endpoint.tool_choice
        reply: ChatCompletion = await self._client.chat.completions.create(
            model=self._endpoint.model,
            messages=messages,
            tools=self._tools,
            tool_choice=choice,
            temperature=0,
            max_tokens=self._endpoint.max_tokens,
        )
        return reply

    def _failed(self, prompt: ChatPrompt, error: str) -> Prediction:
        return Prediction(
            pair_id=prompt.pair_id, raw=None, error=self._secrets.clean(error), prompt_sha256=prompt.sha256()
        )

    def _prediction(self, prompt: ChatPrompt, reply: ChatCompletion) -> Prediction:
        if not reply.choices:
            return self._failed(prompt, "the endpoint sent no choice")
        choice, usage = reply.choices[0], reply.usage
        raw = choice.message.content or ""
        for called in choice.message.tool_calls or ():
            if called.type == "function":
                raw = _raw_call(called.function.name, called.function.arguments)
                break
        details = usage.prompt_tokens_details if usage else None
        return Prediction(
            pair_id=prompt.pair_id,
            raw=raw,
            finish_reason=choice.finish_reason,
            prompt_sha256=prompt.sha256(),
            usage=Usage(
                prompt=usage.prompt_tokens,
                completion=usage.completion_tokens,
                cached=details.cached_tokens if details else None,
            )
            if usage
            else None,
        )


def _raw_call(name: str, arguments: str) -> str:
    """Return the endpoint's call in the published notation; arguments that are no JSON object stay as they came."""
    try:
        return parsing.canonical(ToolCall(name=name, arguments=parse_arguments(arguments, name)))
    except ValueError:
        return f"<tool_call>\n{json.dumps(name)[:-1]}: {arguments}\n</tool_call>"


def subject(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> Subject:
    """Make the requests; see `harness.models.backends.prepare.prepare`."""
    del hub
    return EndpointSubject(name, test_set, config)


class EndpointSubject(Subject):
    """A model behind an endpoint, and the chat requests that it is sent."""

    def __init__(self, name: ModelName, test_set: TestSet, config: EvaluateConfig) -> None:
        if not config.base_url:
            raise UsageError(f"{name} needs the address of its endpoint: add --base-url, for example http://host/v1")
        check_address(config.base_url, "--base-url")
        self._endpoint = Endpoint(
            model=name.id,
            base_url=config.base_url,
            key_variable=config.key_variable,
            tool_choice=config.tool_choice,
            max_tokens=config.max_tokens,
        )
        self._tools = test_set.task.tools
        self._prompts = chat_prompts(test_set.pairs, test_set.task)
        self.prompt_hashes = [prompt.sha256() for prompt in self._prompts]
        self.details = {}
        self.settings = {
            "backend": "openai",
            "base_url": public_address(config.base_url),
            "tool_choice": config.tool_choice,
            "max_tokens": config.max_tokens,
            "temperature": 0,
            "system_template": system_template(test_set.task),
        }

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        """Return the requests of these pairs."""
        wanted = set(pair_ids)
        return [prompt for prompt in self._prompts if prompt.pair_id in wanted]

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        """Check that the endpoint is there, and return it."""
        del log
        backend = OpenAIBackend(self._endpoint, self._tools)
        backend.check_reachable()
        yield backend
