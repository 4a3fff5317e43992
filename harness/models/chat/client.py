"""Chat requests to an OpenAI-compatible endpoint, one checked answer each, with retries."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from harness.data.records import Usage
from harness.errors import EngineError, UsageError
from harness.hub.address import public_address
from harness.models.chat.ask_again import asked_again
from harness.models.chat.budget import Budget, BudgetSpent, exceeds_context
from harness.models.chat.cache import AnswerCache, CachedAnswer, Spending
from harness.models.chat.connection import Connection
from harness.models.chat.failures import (
    TOO_LONG,
    ChatReply,
    Failure,
    advice_on,
    is_about_content,
    is_about_length,
    unusable,
)
from harness.models.chat.limiter import LONGEST_WAIT, Limiter
from harness.models.chat.parameters import in_words, relevant
from harness.models.chat.records import ChatAnswer, ChatEndpoint, ChatRequest, ChatStats

_SAME_REFUSALS = 3
"""Requests refused before any was answered, after which the fault is taken to be in what they share."""
_USELESS = 2
"""Answers to one question that cannot be used, after which there is none: the second question says what was wrong."""
_NOTHING_USED = Usage(prompt=0, completion=0, cached=0)


async def ask_all(
    endpoint: ChatEndpoint,
    requests: Sequence[ChatRequest],
    *,
    cache: AnswerCache,
    on_answer: Callable[[ChatAnswer], None],
    budget: Budget | None = None,
) -> ChatStats:
    """Call `on_answer` once for every request, as answers come; equal requests are asked once, cached ones never.

    What may pass (load, lost connections) is asked again, with the same messages; what cannot be used once more, with
    words that say why. Raises UsageError
    where the endpoint refuses what all requests share (key, model), EngineError where it is not there or has gone,
    BudgetSpent where the budget is: then nothing more is sent, and what was under way is still answered.
    Then, and when cancelled, all answers so far are in the cache.
    """
    run = _Run(endpoint, requests, Spending(budget, endpoint.price, cache, endpoint.identity), cache, on_answer)
    missing = run.tell_known()
    if not missing:
        return run.stats(None)
    connection = Connection(endpoint, run.spending, run.changes)
    try:
        async with asyncio.TaskGroup() as group:
            for sha in missing:
                group.create_task(run.answer(sha, connection))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        run.limiter.close()
        await connection.close()
    if run.unpaid and budget is not None:
        raise budget.error(run.unpaid, len(requests))
    return run.stats(connection)


class _Run:
    """One call of `ask_all`: what is tried again, what is given up, and the counts."""

    def __init__(
        self,
        endpoint: ChatEndpoint,
        requests: Sequence[ChatRequest],
        spending: Spending,
        cache: AnswerCache,
        on_answer: Callable[[ChatAnswer], None],
    ) -> None:
        self._endpoint = endpoint
        self._address = public_address(endpoint.base_url)
        self._alike: dict[str, list[ChatRequest]] = {}
        for request in requests:
            self._alike.setdefault(request.sha256(), []).append(request)
        self._cache = cache
        self._on_answer = on_answer
        self.spending = spending
        self.limiter = Limiter(endpoint.concurrency, first_pause=endpoint.first_pause)
        self.unpaid = 0
        """Requests that were not sent because the budget is spent."""
        self.changes = cache.changes(endpoint.identity)
        """What the endpoint is known not to take."""
        self._found = False
        """Something has listened at the address."""
        self._served = False
        """A model has answered, usefully or not."""
        self._refused = 0
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def tell_known(self) -> list[str]:
        """Report the answers in the cache that still pass their check; return the hashes of the other requests."""
        missing = []
        for sha, (request, *_) in self._alike.items():
            kept = self._cache.get(self._endpoint.identity, request)
            if kept is not None and request.problem_of(kept.text) is not None:
                kept = None
            self.spending.add_previous(request, kept)
            if kept is None:
                missing.append(sha)
            else:
                known = ChatAnswer(id=request.id, text=kept.text, attempts=0, cached=True, usage=kept.usage)
                self._tell(sha, known)
        return missing

    async def answer(self, sha: str, connection: Connection) -> None:
        """Ask until there is a usable answer or no point in retrying, and report it."""
        request, tries, useless, more, failed = self._alike[sha][0], 0, 0, "", None
        most_tokens = self._endpoint.most_tokens or 2 * request.max_tokens
        max_tokens = min(request.max_tokens, most_tokens)
        if exceeds_context(request.texts(), max_tokens, self._endpoint.context):
            reason = f"prompt and answer are longer than the model's context of {self._endpoint.context} tokens"
            return self._tell(sha, ChatAnswer(id=request.id, text=None, error=reason, kind=TOO_LONG, attempts=0))
        while True:
            async with self.limiter.turn() as round_:
                if self.limiter.gave_up:
                    reason = f"{failed.reason}; {self.limiter.gave_up}" if failed else self.limiter.gave_up
                    given_up = ChatAnswer(id=request.id, text=None, error=reason, kind="given up", attempts=tries)
                    return self._tell(sha, given_up)
                tries += 1
                try:
                    outcome = _checked(request, await connection.ask(request, max_tokens, more))
                    self.changes = connection.changes
                except BudgetSpent:  # the others are under way: they are paid for, and their answers are kept
                    self.unpaid += len(self._alike[sha])
                    return None
                self._learn(request, outcome, round_)
            if isinstance(outcome, ChatReply):
                self._keep(request, outcome)
                answer = ChatAnswer(id=request.id, text=outcome.text, attempts=tries, usage=outcome.usage)
                return self._tell(sha, answer)
            failed = outcome
            useless += outcome.served
            longer = min(2 * request.max_tokens, most_tokens) if outcome.kind == "length" else max_tokens
            # At temperature 0 the same question with the same room is cut off at the same place.
            same = outcome.kind == "length" and longer == max_tokens and not request.temperature
            if outcome.ends == "request" or same or tries >= self._endpoint.attempts or useless >= _USELESS:
                if outcome.unreachable:
                    raise self._unreachable(outcome, "has gone")
                kind = TOO_LONG if is_about_length(outcome) else outcome.kind
                answer = ChatAnswer(id=request.id, text=None, error=outcome.reason, kind=kind, attempts=tries)
                return self._tell(sha, answer)
            more = asked_again(request, outcome) or more
            max_tokens = longer
            if not self.limiter.gave_up and not outcome.served:  # nothing is wrong with the endpoint
                await asyncio.sleep(self._pause(sha, tries, outcome))

    def _tell(self, sha: str, answer: ChatAnswer) -> None:
        requests = self._alike[sha]
        self._counts["cached"] += len(requests) if answer.cached else 0
        self._counts["unanswered"] += len(requests) if answer.text is None else 0
        self._counts["retried"] += max(0, answer.attempts - 1)
        for request in requests:
            self._on_answer(replace(answer, id=request.id))

    def _keep(self, request: ChatRequest, reply: ChatReply) -> None:
        if reply.changes == self.changes:  # else it was sent in a form that has been given up since
            self._cache.learn(self._endpoint.identity, self.changes)
            self._cache.put(self._endpoint.identity, request, CachedAnswer(text=reply.text, usage=reply.usage))
        self.spending.keep(request, reply.entry)

    def _pause(self, sha: str, tries: int, failure: Failure) -> float:
        """Return the seconds before the next try: doubling, jittered by the request itself, no less than asked for."""
        jitter = Random(f"{sha}:{tries}").uniform(0.5, 1.0)  # noqa: S311 -- no secret
        return max(self._endpoint.first_pause * 2.0 ** (tries - 1) * jitter, min(failure.wait or 0.0, LONGEST_WAIT))

    def _learn(self, request: ChatRequest, outcome: ChatReply | Failure, round_: int) -> None:
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
            advice = advice_on(outcome, self._endpoint, asks_for_calls=request.tools is not None)
            raise UsageError(f"{self._address} refused the request: {outcome.reason}; {advice}")

    def _unreachable(self, failure: Failure, state: str) -> EngineError:
        return EngineError(
            f"the endpoint {self._address} {state}: {failure.reason}; check the address and that it runs, "
            "then run the same command again (an evaluation with --resume): what was answered is not asked again"
        )

    def stats(self, connection: Connection | None) -> ChatStats:
        """Return the counts."""
        changes = {change for request, *_ in self._alike.values() for change in relevant(self.changes, request)}
        return ChatStats(
            asked=connection.sent if connection else 0,
            cached=self._counts["cached"],
            retried=self._counts["retried"],
            unanswered=self._counts["unanswered"],
            failures=dict(self._failures),
            concurrency=self.limiter.limit,
            lowest_concurrency=self.limiter.lowest,
            response_format=connection.format if connection else None,
            changes=tuple(sorted(changes)),
            usage=connection.usage if connection else _NOTHING_USED,
            uncounted=connection.uncounted if connection else 0,
        )


def _checked(request: ChatRequest, outcome: ChatReply | Failure) -> ChatReply | Failure:
    problem = request.problem_of(outcome.text) if isinstance(outcome, ChatReply) else None
    return unusable(problem.kind, str(problem)) if problem is not None else outcome


def usage_line(name: str, stats: ChatStats) -> str:
    """Return what a model took, in a line."""
    parts = [f"{name}: {stats.asked} questions sent, {stats.cached} answers known already"]
    if stats.failures:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(stats.failures.items()))
        parts.append(f"{sum(stats.failures.values())} tries failed ({kinds})")
    if stats.unanswered:
        parts.append(f"{stats.unanswered} stay without an answer")
    if stats.changes:
        parts.append(f"asked {', '.join(in_words(stats.changes))}, which is all that the endpoint takes")
    parts.append(f"{stats.usage.prompt:,} prompt and {stats.usage.completion:,} answer tokens")
    if stats.uncounted:
        parts.append(f"those of {stats.uncounted} replies are not known")
    return "; ".join(parts)
