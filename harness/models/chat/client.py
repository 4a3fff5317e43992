"""Chat requests to an OpenAI-compatible endpoint, one checked answer each, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from harness.data.records import Usage
from harness.errors import EngineError, UsageError
from harness.models.chat.budget import Budget, BudgetSpent, exceeds_context
from harness.models.chat.cache import AnswerCache, CachedAnswer
from harness.models.chat.connection import Connection
from harness.models.chat.failures import ChatReply, Failure, is_about_content
from harness.models.chat.limiter import LONGEST_WAIT, Limiter
from harness.models.chat.records import ChatAnswer, ChatEndpoint, ChatRequest, ChatStats, Check, Format
from harness.models.chat.secrets import public_address
from harness.models.chat.spending import Spending

_SAME_REFUSALS = 3
"""Requests refused before any was answered, after which the fault is taken to be in what they share."""
_NOTHING_USED = Usage(prompt=0, completion=0, cached=0)


async def ask_all(
    endpoint: ChatEndpoint,
    requests: Sequence[ChatRequest],
    *,
    check: Check,
    cache: AnswerCache | None,
    on_answer: Callable[[ChatAnswer], None],
    budget: Budget | None = None,
) -> ChatStats:
    """Call `on_answer` once for every request, as answers come; equal requests are asked once, cached ones never.

    What may pass (load, lost connections, unusable answers) is asked again, with the same messages. Raises UsageError
    where the endpoint refuses what all requests share (key, model), EngineError where it is not there or has gone,
    BudgetSpent where the budget is: then nothing more is sent, and what was under way is still answered.
    Then, and when cancelled, whatever was answered is in the cache.
    """
    run = _Run(endpoint, check, cache, budget)
    alike: dict[str, list[ChatRequest]] = {}
    for request in requests:
        alike.setdefault(request.sha256(), []).append(request)

    def tell(sha: str, answer: ChatAnswer) -> None:
        run.count(answer, len(alike[sha]))
        for request in alike[sha]:
            on_answer(replace(answer, id=request.id))

    async def work(sha: str, connection: Connection) -> None:
        try:
            tell(sha, await run.answer(sha, alike[sha][0], connection))
        except BudgetSpent:  # the others are under way: they are paid for, and their answers are kept
            unpaid.append(sha)

    missing: list[str] = []
    unpaid: list[str] = []
    for sha, (first, *_) in alike.items():
        known = run.remembered(first)
        if known is None:
            missing.append(sha)
        else:
            tell(sha, known)
    if not missing:
        return run.stats(None, None)
    connection = Connection(endpoint, run.spending)
    try:
        async with asyncio.TaskGroup() as group:
            for sha in missing:
                group.create_task(work(sha, connection))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        run.limiter.close()
        await connection.close()
    if unpaid and budget is not None:
        raise budget.error(sum(len(alike[sha]) for sha in unpaid), len(requests))
    return run.stats(connection, connection.format if any(alike[sha][0].schema for sha in missing) else None)


class _Run:
    """One call of `ask_all`: what is tried again, what is given up, and the counts."""

    def __init__(self, endpoint: ChatEndpoint, check: Check, cache: AnswerCache | None, budget: Budget | None) -> None:
        self._endpoint = endpoint
        self._address = public_address(endpoint.base_url)
        self._check = check
        self._cache = cache
        self.spending = Spending(budget, endpoint.price, cache, endpoint.identity)
        self.limiter = Limiter(endpoint.concurrency, first_pause=endpoint.first_pause)
        self._found = False
        """Something has listened at the address."""
        self._served = False
        """A model has answered, whatever it said."""
        self._refused = 0
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def remembered(self, request: ChatRequest) -> ChatAnswer | None:
        """Return the cached answer, unless the check has become stricter since."""
        kept = self._cache.get(self._endpoint.identity, request) if self._cache else None
        if kept is not None and self._problem(request, kept.text) is not None:
            kept = None
        self.spending.count_earlier(request, request.messages, kept)
        if kept is None:
            return None
        return ChatAnswer(id=request.id, text=kept.text, attempts=0, cached=True, usage=kept.usage)

    async def answer(self, sha: str, request: ChatRequest, connection: Connection) -> ChatAnswer:
        """Ask until there is a usable answer, or no sense in going on."""
        tries, max_tokens = 0, request.max_tokens
        if exceeds_context(request.messages, max_tokens, self._endpoint.context):
            reason = f"prompt and answer are longer than the model's context of {self._endpoint.context} tokens"
            return ChatAnswer(id=request.id, text=None, error=reason, attempts=0)
        while True:
            async with self.limiter.turn() as round_:
                if self.limiter.gave_up:
                    return ChatAnswer(id=request.id, text=None, error=self.limiter.gave_up, attempts=tries)
                tries += 1
                outcome = self._checked(request, await connection.ask(request, max_tokens))
                self._learn(outcome, round_)
            if isinstance(outcome, ChatReply):
                self._keep(request, outcome)
                return ChatAnswer(id=request.id, text=outcome.text, attempts=tries, usage=outcome.usage)
            if outcome.ends == "request" or tries >= self._endpoint.attempts:
                if outcome.unreachable:
                    raise self._unreachable(outcome, "has gone")
                return ChatAnswer(id=request.id, text=None, error=outcome.reason, attempts=tries)
            if outcome.kind == "length":
                max_tokens = min(2 * request.max_tokens, self._endpoint.most_tokens or 2 * request.max_tokens)
            if not self.limiter.gave_up and not outcome.served:  # nothing is wrong with the endpoint
                await asyncio.sleep(self._pause(sha, tries, outcome))

    def _keep(self, request: ChatRequest, reply: ChatReply) -> None:
        if self._cache:
            self._cache.put(self._endpoint.identity, request, CachedAnswer(text=reply.text, usage=reply.usage))
        self.spending.keep(request, reply.entry)

    def _pause(self, sha: str, tries: int, failure: Failure) -> float:
        """Return the seconds before the next try: doubling, jittered by the request itself, no less than asked for."""
        jitter = Random(f"{sha}:{tries}").uniform(0.5, 1.0)  # noqa: S311 -- no secret
        return max(self._endpoint.first_pause * 2.0 ** (tries - 1) * jitter, min(failure.wait or 0.0, LONGEST_WAIT))

    def _problem(self, request: ChatRequest, text: str) -> str | None:
        try:
            self._check(text)
            if request.check:
                request.check(text)
        except (ValueError, RecursionError) as error:  # JSON can be nested deeper than Python reads
            return str(error)
        return None

    def _checked(self, request: ChatRequest, outcome: ChatReply | Failure) -> ChatReply | Failure:
        problem = self._problem(request, outcome.text) if isinstance(outcome, ChatReply) else None
        if problem is None:
            return outcome
        return Failure(kind="unusable", reason=problem, served=True)

    def _learn(self, outcome: ChatReply | Failure, round_: int) -> None:
        """Adjust to how a try went; raises what ends the run."""
        if isinstance(outcome, ChatReply) or outcome.served:
            self._served = self._found = True
            self.limiter.answered(round_)
        if isinstance(outcome, ChatReply):
            return
        self._failures[outcome.kind] += 1
        if outcome.unreachable and not self._found:
            raise self._unreachable(outcome, "is not there")
        self._found = self._found or not outcome.unreachable
        if outcome.load:
            late = outcome.kind == "time-out"  # then time enough has passed already
            self.limiter.overloaded(round_, outcome.reason, wait=outcome.wait, pause=not late)
        elif outcome.ends == "try" and not outcome.served and not outcome.unreachable:
            self.limiter.failed(round_, outcome.reason)
        if outcome.own and not is_about_content(outcome):
            self._refused += 1
        if outcome.ends == "run" or (self._refused >= _SAME_REFUSALS and not self._served):
            raise UsageError(
                f"{self._address} refused the request: {outcome.reason}; check the model's name "
                f"({self._endpoint.model}), the address, and the key in {self._endpoint.key_variable}"
            )

    def _unreachable(self, failure: Failure, state: str) -> EngineError:
        return EngineError(
            f"the endpoint {self._address} {state}: {failure.reason}; check the address and that it runs, "
            "then run the same command again: what was answered is not asked again"
        )

    def count(self, answer: ChatAnswer, requests: int) -> None:
        """Count the answer to so many equal requests."""
        self._counts["cached"] += requests if answer.cached else 0
        self._counts["unanswered"] += requests if answer.text is None else 0
        self._counts["retried"] += max(0, answer.attempts - 1)

    def stats(self, connection: Connection | None, response_format: Format | None) -> ChatStats:
        """Return the counts."""
        return ChatStats(
            asked=connection.sent if connection else 0,
            cached=self._counts["cached"],
            retried=self._counts["retried"],
            unanswered=self._counts["unanswered"],
            failures=dict(self._failures),
            concurrency=self.limiter.limit,
            lowest_concurrency=self.limiter.lowest,
            response_format=response_format,
            usage=connection.usage if connection else _NOTHING_USED,
        )
