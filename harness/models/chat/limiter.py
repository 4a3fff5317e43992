"""How many requests are in flight at once (fewer under overload, more again later), and how many leave per minute."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_STEPS = 8
"""Rounds of successes from one request at a time to the bound."""
_PATIENCE = 10
"""Rounds in a row that end in overload or failures, without a single answer, before nothing more is asked."""
_LONGEST_PAUSE = 64
"""In first pauses: with 0.5 s, ten rounds are two minutes, longer than limits by the minute last."""
LONGEST_WAIT = 300.0
"""Seconds; an endpoint that asks for more has closed for long rather than for a moment."""


class Limiter:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), first come first served.

    The first request goes alone, so that a wrong key or address costs one request; its answer opens the rest.
    Overload halves the limit once per round: requests sent before the last cut say nothing about the new limit. It also
    holds back all that have not been sent, for as long as the endpoint asks, or for pauses that double from
    `first_pause` seconds.
    """

    def __init__(self, bound: int, *, first_pause: float) -> None:
        self.bound = max(1, bound)
        self.lowest = self.bound
        """The lowest limit so far, the first request's aside."""
        self.gave_up: str | None = None
        """Why nothing more is to be asked, once there was no answer for too long."""
        self._first_pause = first_pause
        self._limit = 1.0
        self._opened = False
        self._round = 0
        self._bad_rounds = 0
        self._failures = 0
        self._under_way = 0
        self._resume_at = 0.0
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """Requests that may be under way now, at least 1 and at most the bound."""
        return int(self._limit)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """Wait for a free place and hold it; yields the round, to be given back with the outcome."""
        place: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            round_ = await place
        except asyncio.CancelledError:
            if not place.cancelled():  # admitted and cancelled at the same moment
                self._leave()
            raise
        try:
            yield round_
        finally:
            self._leave()

    def answered(self, round_: int) -> None:
        """The endpoint has answered a request of the round, usefully or not: it can take a little more."""
        self._bad_rounds = self._failures = 0
        if not self._opened:
            self._open()
        elif round_ == self._round:
            step = max(1.0, self.bound / _STEPS)
            self._limit = min(self.bound, self._limit + step / self._limit)
        self._admit()

    def failed(self, round_: int, problem: str) -> None:
        """A request of the round failed, though not for load. Many in a row without an answer are taken for load."""
        self._failures += 1
        if not self._opened:
            self._open()
            self._admit()
        elif self._failures >= self.limit:
            self.overloaded(round_, problem)

    def overloaded(self, round_: int, problem: str, *, wait: float | None = None, pause: bool = True) -> None:
        """The endpoint has refused a request of the round for load, or let it wait too long.

        `wait`: the seconds that it asks for. `pause`: whether to hold back where it asks for none.
        """
        if wait is not None and wait > LONGEST_WAIT:
            self._give_up(f"the endpoint asks to wait {wait:.0f} s ({problem})")
        if round_ == self._round:
            self._round += 1
            self._bad_rounds += 1
            self._failures = 0
            if self._opened:
                self._limit = max(1.0, self._limit / 2)
                self.lowest = min(self.lowest, self.limit)
            if self._bad_rounds >= _PATIENCE:
                self._give_up(f"the endpoint gave no answer in {_PATIENCE} rounds of tries ({problem})")
            if pause and wait is None:
                wait = self._first_pause * min(_LONGEST_PAUSE, 2 ** (self._bad_rounds - 1))
        if wait:
            self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + wait)

    def close(self) -> None:
        """Forget the timer, the only thing that could outlive the requests."""
        if self._timer is not None:
            self._timer.cancel()

    def _open(self) -> None:
        self._opened = True
        self._limit = self.bound

    def _give_up(self, reason: str) -> None:
        self.gave_up = self.gave_up or reason
        self._admit()

    def _leave(self) -> None:
        self._under_way -= 1
        self._admit()

    def _admit(self) -> None:
        """Admit those that may start now; after giving up all of them, to be told so."""
        self.close()
        loop = asyncio.get_running_loop()
        held = loop.time() < self._resume_at
        while self._waiting and (self.gave_up or (not held and self._under_way < self.limit)):
            place = self._waiting.popleft()
            if not place.cancelled():
                self._under_way += 1
                place.set_result(self._round)
        if self._waiting and held:
            self._timer = loop.call_at(self._resume_at, self._admit)


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
        """Return when a request of about this many tokens may be sent."""
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
