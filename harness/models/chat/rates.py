"""Requests and tokens a minute: how long a request has to wait so that an endpoint's limits hold."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

_WINDOW = 61.0
"""Seconds: a minute and a little, since requests do not arrive in the rhythm in which they were sent."""


@dataclass(slots=True, kw_only=True)
class Sent:
    """A request that counts against the limits until the window has passed."""

    at: float
    """Seconds (monotonic)."""
    tokens: int


class Rates:
    """A record of the last minute: in no window do more requests or tokens leave than the limits say.

    One request that is larger than the limit of tokens goes alone. Bound to no event loop, so that several calls of
    `ask_all` can share the limits of an endpoint.
    """

    def __init__(self, requests: int | None, tokens: int | None, *, window: float = _WINDOW) -> None:
        """`requests` and `tokens` (of prompts and answers) in each window of `window` seconds; None for no limit."""
        self._requests = requests
        self._tokens = tokens
        self._window = window
        self._sent: deque[Sent] = deque()

    async def admit(self, tokens: int) -> Sent:
        """Return when a request of about so many tokens may be sent."""
        while (wait := self._wait(tokens)) > 0:
            await asyncio.sleep(wait)
        sent = Sent(at=time.monotonic(), tokens=tokens)
        if self._requests is not None or self._tokens is not None:
            self._sent.append(sent)
        return sent

    def _wait(self, tokens: int) -> float:
        """Return the seconds until a request fits."""
        now = time.monotonic()
        while self._sent and self._sent[0].at <= now - self._window:
            self._sent.popleft()
        requests, used, wait = len(self._sent), sum(sent.tokens for sent in self._sent), 0.0
        for sent in self._sent:
            few = self._requests is None or requests < self._requests
            if few and (self._tokens is None or used + tokens <= self._tokens):
                break
            requests, used, wait = requests - 1, used - sent.tokens, sent.at + self._window - now
        return wait
