"""Answers from any OpenAI-compatible chat endpoint: messages and tools in, a call out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import parsing
from harness.errors import UsageError
from harness.prompts import system_message
from harness.records import Prediction, Task, ToolCall, TurnPair, Usage
from harness.wire.messages import dump_arguments, parse_arguments, template_message

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

_TIMEOUT = 300.0
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
        """Raises UsageError where the key variable is empty and the endpoint is not local."""
        from openai import AsyncOpenAI

        key = os.environ.get(endpoint.key_variable)
        if not key and not endpoint.base_url.startswith(("http://127.", "http://localhost", "http://[::1]")):
            raise UsageError(f"no key for {endpoint.base_url}: set the environment variable {endpoint.key_variable}")
        self._endpoint = endpoint
        self._tools: Any = list(tools)
        self._client = AsyncOpenAI(
            base_url=endpoint.base_url, api_key=key or "none", max_retries=_RETRIES, timeout=_TIMEOUT
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def answer(self, prompt: ChatPrompt) -> Prediction:
        """Return the endpoint's answer.

        Raises UsageError where the endpoint refuses the request itself (key, model, parameters): every
        other pair would be refused as well.
        """
        from openai import APIError, APIStatusError, AuthenticationError, BadRequestError, NotFoundError

        sent = prompt.sha256()
        messages: Any = list(prompt.messages)
        choice: Any = self._endpoint.tool_choice
        try:
            reply = await self._client.chat.completions.create(
                model=self._endpoint.model,
                messages=messages,
                tools=self._tools,
                tool_choice=choice,
                temperature=0,
                max_tokens=self._endpoint.max_tokens,
            )
        except (AuthenticationError, NotFoundError) as error:
            raise UsageError(f"{self._endpoint.base_url} refused the request: {error.message}") from error
        except BadRequestError as error:
            if "context" not in error.message.lower():
                hint = "if it does not know tool_choice, try --tool-choice auto"
                raise UsageError(f"{self._endpoint.base_url} refused the request: {error.message}; {hint}") from error
            return Prediction(pair_id=prompt.pair_id, raw=None, error=error.message, prompt_sha256=sent)
        except APIError as error:
            status = f"{error.status_code} " if isinstance(error, APIStatusError) else ""
            return Prediction(pair_id=prompt.pair_id, raw=None, error=f"{status}{error.message}", prompt_sha256=sent)
        return _prediction(prompt.pair_id, sent, reply)


def _prediction(pair_id: str, sent: str, reply: ChatCompletion) -> Prediction:
    if not reply.choices:
        return Prediction(pair_id=pair_id, raw=None, error="the endpoint sent no choice", prompt_sha256=sent)
    choice, usage = reply.choices[0], reply.usage
    raw = choice.message.content or ""
    for called in choice.message.tool_calls or ():
        if called.type == "function":
            raw = _raw_call(called.function.name, called.function.arguments)
            break
    details = usage.prompt_tokens_details if usage else None
    return Prediction(
        pair_id=pair_id,
        raw=raw,
        finish_reason=choice.finish_reason,
        prompt_sha256=sent,
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
        return parsing.canonical(ToolCall(name=name, arguments=parse_arguments(arguments)))
    except ValueError:
        return f"<tool_call>\n{json.dumps(name)[:-1]}: {arguments}\n</tool_call>"
