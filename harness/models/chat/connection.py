"""One try of a chat request: written as the endpoint takes it, and its reply, without keys and passwords."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from harness.data.formats.json_texts import encodable
from harness.data.records import Usage
from harness.errors import UsageError
from harness.hub.address import is_loopback, keep_from_proxies, proxy_problem, public_address
from harness.models.chat.ask_again import with_more
from harness.models.chat.bounded_http import bounded_client
from harness.models.chat.budget import estimated_prompt
from harness.models.chat.cache import Spending
from harness.models.chat.completions import parse_reply, read_reply
from harness.models.chat.failures import (
    ChatReply,
    Failure,
    failure_of,
    timed_out,
)
from harness.models.chat.parameters import Learner, body, first_form, with_roles
from harness.models.chat.records import Format
from harness.secrets import MASK, known, learn, learn_variable
from harness.terminal import one_line

if TYPE_CHECKING:
    from harness.models.chat.records import ChatEndpoint, ChatRequest

_CONNECT_TIMEOUT = 10.0


class Connection:
    """An endpoint, the form of requests it has turned out to take, and counts of what was sent and used."""

    def __init__(self, endpoint: ChatEndpoint, spending: Spending, changes: frozenset[str] = frozenset()) -> None:
        """`changes`: what earlier runs have found out that it does not take, see `parameters.Change`.

        Raises UsageError where there is no key and the endpoint is not local, or where the key cannot be sent."""
        from openai import AsyncOpenAI, Timeout

        direct = keep_from_proxies(endpoint.base_url)
        problem = proxy_problem()
        if problem and not direct:
            raise UsageError(f"{public_address(endpoint.base_url)} cannot be asked: {problem}")
        key = endpoint.key or _key(endpoint.base_url, endpoint.key_variable)
        learn(key, "the key of an endpoint")
        self._secrets = EndpointSecrets(key, endpoint.base_url)
        self._endpoint = endpoint
        self._spending = spending
        self._client = AsyncOpenAI(
            base_url=endpoint.base_url,
            api_key=key or "none",
            max_retries=0,  # the limiter must see every refusal
            timeout=Timeout(endpoint.timeout, connect=min(_CONNECT_TIMEOUT, endpoint.timeout)),
            http_client=bounded_client(trust_env=not problem),
        )
        self._learner = Learner(form=first_form(endpoint.parameters, changes), parameters=endpoint.parameters)
        self._had_schema = False
        self._tokens: Counter[str] = Counter()
        self.sent = 0
        self.uncounted = 0
        """Replies that came without a count of their tokens, or with one that cannot be."""

    @property
    def format(self) -> Format | None:
        """How schemas are sent; None where no request had one."""
        return self._learner.form.format if self._had_schema else None

    @property
    def changes(self) -> frozenset[str]:
        """What is sent differently from the request, because the endpoint refuses it."""
        return self._learner.form.changes

    @property
    def usage(self) -> Usage:
        """Tokens of all replies so far."""
        tokens = self._tokens
        return Usage(prompt=tokens["prompt"], completion=tokens["completion"], cached=tokens["cached"])

    async def ask(self, request: ChatRequest, max_tokens: int, more: str = "") -> ChatReply | Failure:
        """Return the endpoint's reply. A form of request that it does not know is given up for the whole run.

        `more` follows the last message's words: why it is asked again.
        Raises BudgetSpent where nothing may be sent any more.
        """
        self._had_schema = self._had_schema or request.schema is not None
        while True:
            form, rates = self._learner.form, self._endpoint.rates
            messages = with_more(with_roles(request.messages, form), more)
            fields = body(request, max_tokens, form, self._endpoint.parameters)
            place = await rates.admit(estimated_prompt(request.texts()) + max_tokens) if rates else None
            entry = self._spending.begin(request)  # after the waiting, in which others have spent
            self.sent += 1
            outcome, usage = await self._try(messages, fields)
            if place and usage:
                place.tokens = usage.prompt + usage.completion
            self._spending.end(entry, request, usage, outcome)
            self.uncounted += usage is None and (isinstance(outcome, ChatReply) or outcome.served)
            if usage is not None:
                self._tokens.update(prompt=usage.prompt, completion=usage.completion, cached=usage.cached or 0)
            if isinstance(outcome, ChatReply) or outcome.served:
                self._learner.answered(form, fields)
            if isinstance(outcome, ChatReply):
                return replace(outcome, entry=entry, changes=form.changes)
            if not self._learner.refused(form, fields, outcome, request):
                return replace(outcome, reason=self._secrets.clean(outcome.reason))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _try(
        self, messages: list[dict[str, Any]], fields: dict[str, Any]
    ) -> tuple[ChatReply | Failure, Usage | None]:
        try:
            # The client's own limit is on every single read, which an endpoint that trickles never exceeds.
            async with asyncio.timeout(self._endpoint.timeout):
                reply = await self._client.chat.completions.with_raw_response.create(
                    model=self._endpoint.model,
                    messages=_sendable(messages),
                    extra_body=fields,
                )
            secrets = known()
            said = parse_reply(reply.content)  # nothing that an endpoint quotes gets any further
            said = secrets.mask_value(said) if secrets.find(reply.content) else said
            return read_reply(said, whole="tools" in fields)
        except TimeoutError:
            return timed_out(self._endpoint.timeout), None
        except Exception as error:
            return failure_of(error, self._endpoint.timeout), None


def _key(base_url: str, variable: str) -> str:
    """Return an endpoint's key, "" for a local one without; UsageError where it is missing or cannot be sent."""
    learn_variable(variable)
    key = os.environ.get(variable, "").strip()
    if not key and not is_loopback(base_url):
        raise UsageError(f"no key for {public_address(base_url)}: set the environment variable {variable}")
    if not all("!" <= character <= "~" for character in key):
        raise UsageError(f"the key in {variable} holds characters that no key has; set it again")
    return key


def _sendable(value: Any) -> Any:
    """Return a JSON value as it can be sent: a lone surrogate cannot be encoded in UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_sendable(item) for item in value]
    return {key: _sendable(item) for key, item in value.items()} if isinstance(value, dict) else value


_LONGEST_REASON = 400
_SHORTEST_SECRET = 4
"""Characters; what is shorter is a placeholder, and would be found inside ordinary words."""


class EndpointSecrets:
    """What must not be repeated of one endpoint: its key, and what its address says beside the host and the path.

    Here also keys that are too short to be looked for in every text, see `harness.secrets`.
    """

    def __init__(self, key: str, address: str) -> None:
        self._address, self._public = address, public_address(address)
        parts = urlsplit(address)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        pair = f"{user}:{password}"
        spelled = [key, password, pair, parts.query] if user or password else [key, parts.query]
        if user or password:  # sent as basic authentication, which an endpoint may quote
            spelled.append(base64.b64encode(pair.encode()).decode())
        forms = {form for one in spelled for form in (one, quote(one, safe=""), json.dumps(one)[1:-1])}
        self._forms = sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return an endpoint's words as one short line that can be shown, without secrets; some quote the key."""
        line = one_line(" ".join(known().mask(encodable(text)).split())).replace(self._address, self._public)
        for form in self._forms:
            line = line.replace(form, MASK)
        return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} [...]"
