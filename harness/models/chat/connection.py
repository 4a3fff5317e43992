"""One try of a chat request: how it is written for the endpoint at hand, and what comes back."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from harness.data.records import Usage
from harness.errors import UsageError
from harness.models.chat.budget import estimated_prompt
from harness.models.chat.completions import parse_reply, read_reply
from harness.models.chat.failures import (
    ChatReply,
    Failure,
    failure_of,
    is_about_format,
    is_about_length_name,
    late,
)
from harness.models.chat.records import Format
from harness.models.chat.secrets import Secrets, public_address
from harness.models.chat.spending import Spending

if TYPE_CHECKING:
    from harness.models.chat.records import ChatEndpoint, ChatRequest


_PLAINER: dict[Format, Format] = {"json_schema": "json_object", "json_object": "none"}
_CONNECT_TIMEOUT = 10.0
_LOCAL = ("http://127.", "http://localhost", "http://[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """What endpoints differ in: the ways to ask for JSON that they know, and the name of the limit of tokens."""

    format: Format = "json_schema"
    length_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


class Connection:
    """An endpoint, the form of requests it has turned out to take, and counts of what was sent and used."""

    def __init__(self, endpoint: ChatEndpoint, spending: Spending) -> None:
        """Raises UsageError where there is no key and the endpoint is not local, or where the key cannot be sent."""
        from openai import AsyncOpenAI, Timeout

        key = _key(endpoint.base_url, endpoint.key_variable)
        self._secrets = Secrets(key, endpoint.base_url)
        self._endpoint = endpoint
        self._spending = spending
        self._client = AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=key or "none",
            max_retries=0,  # the limiter must see every refusal
            timeout=Timeout(endpoint.timeout, connect=min(_CONNECT_TIMEOUT, endpoint.timeout)),
        )
        self._form = _Form()
        self._form_works = False
        self._had_schema = False
        self._tokens: Counter[str] = Counter()
        self.sent = 0

    @property
    def format(self) -> Format | None:
        """How schemas are sent; None where no request had one."""
        return self._form.format if self._had_schema else None

    @property
    def usage(self) -> Usage:
        """Tokens of all replies so far."""
        tokens = self._tokens
        return Usage(prompt=tokens["prompt"], completion=tokens["completion"], cached=tokens["cached"])

    async def ask(self, request: ChatRequest, max_tokens: int) -> ChatReply | Failure:
        """Return the endpoint's reply. A form of request that it does not know is given up for the whole run.

        Raises BudgetSpent where nothing may be sent any more.
        """
        self._had_schema = self._had_schema or request.schema is not None
        while True:
            form, rates = self._form, self._endpoint.rates
            place = await rates.admit(estimated_prompt(request.texts()) + max_tokens) if rates else None
            entry = self._spending.begin(request)  # after the waiting, in which others have spent
            self.sent += 1
            outcome, usage = await self._try(request, max_tokens, form)
            if place and usage:
                place.tokens = usage.prompt + usage.completion
            self._spending.end(entry, request, usage, outcome)
            if usage is not None:
                self._tokens.update(prompt=usage.prompt, completion=usage.completion, cached=usage.cached or 0)
            if isinstance(outcome, ChatReply):
                self._form_works = self._form_works or request.schema is not None
                return replace(outcome, entry=entry)
            outcome = replace(outcome, reason=self._secrets.clean(outcome.reason))
            if not self._has_other_form(form, outcome, request):
                return outcome

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _try(
        self, request: ChatRequest, max_tokens: int, form: _Form
    ) -> tuple[ChatReply | Failure, Usage | None]:
        try:
            # The client's own limit is on every single read, which an endpoint that trickles never exceeds.
            async with asyncio.timeout(self._endpoint.timeout):
                reply = await self._client.chat.completions.with_raw_response.create(
                    model=self._endpoint.model,
                    messages=_sendable(request.messages),
                    temperature=request.temperature,
                    extra_body={form.length_name: max_tokens, **_wanted(request, form.format)},
                )
            return read_reply(parse_reply(reply.content), whole=request.tools is not None)
        except TimeoutError:
            return late(self._endpoint.timeout), None
        except Exception as error:
            return failure_of(error, self._endpoint.timeout), None

    def _has_other_form(self, sent: _Form, failure: Failure, request: ChatRequest) -> bool:
        """Whether the endpoint refused the form, which another one may mend; then that one is taken from now on."""
        about_length = is_about_length_name(failure) and sent.length_name == "max_tokens"
        about_format = is_about_format(failure) and request.schema is not None and sent.format in _PLAINER
        if not about_length and not about_format:
            return False
        if sent == self._form and about_length:
            self._form = replace(sent, length_name="max_completion_tokens")
        elif sent == self._form:
            if self._form_works:  # it has answered others in this form: something is wrong with this request
                return False
            self._form = replace(sent, format=_PLAINER[sent.format])
        return True  # changed now, or by another request in the meantime


def _key(base_url: str, variable: str) -> str:
    """Return an endpoint's key, "" for a local one without; UsageError where it is missing or cannot be sent."""
    key = os.environ.get(variable, "").strip()
    if not key and not base_url.startswith(_LOCAL):
        raise UsageError(f"no key for {public_address(base_url)}: set the environment variable {variable}")
    if not all("!" <= character <= "~" for character in key):
        raise UsageError(f"the key in {variable} holds characters that no key has; set it again")
    return key


def _sendable(value: Any) -> Any:
    """Return a JSON value as it can be sent: half a surrogate pair has no place in UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_sendable(item) for item in value]
    return {key: _sendable(item) for key, item in value.items()} if isinstance(value, dict) else value


def _wanted(request: ChatRequest, form: Format) -> dict[str, Any]:
    """Return the fields that say what may be called, or ask for an answer of the schema."""
    fields: dict[str, Any] = {}
    if request.tools is not None:
        fields = {"tools": list(request.tools), "tool_choice": request.tool_choice}
    if request.schema is None or form == "none":
        return fields
    if form == "json_object":
        return {**fields, "response_format": {"type": "json_object"}}
    wanted = {"name": "answer", "schema": request.schema, "strict": True}
    return {**fields, "response_format": {"type": "json_schema", "json_schema": wanted}}
