"""What one call of `ask_all` spends: each try is noted before it is sent, so that a kill does not make it forgotten."""

from __future__ import annotations

from harness.data.records import Usage
from harness.models.chat.budget import FREE, Budget, BudgetSpent, Price, estimated_prompt, estimated_tokens
from harness.models.chat.cache import AnswerCache, CachedAnswer, answer_key
from harness.models.chat.failures import ChatReply, Failure
from harness.models.chat.records import ChatRequest


class Spending:
    """A budget (or none), the price, and the ledger of tries beside the kept answers.

    Without a price nothing is counted. The ledger is kept without a budget too: a later run may have one.
    """

    def __init__(self, budget: Budget | None, price: Price | None, cache: AnswerCache | None, identity: str) -> None:
        self._budget = budget
        self._price = None if price == FREE else price
        self._cache = cache
        self._identity = identity

    def count_earlier(self, request: ChatRequest, kept: CachedAnswer | None) -> None:
        """Count what earlier runs paid for a request: for its answer, and for tries that gave none or were cut off."""
        if self._budget is None or self._price is None:
            return
        key = self._key(request)
        usages = self._cache.tries(key) if self._cache else []
        if kept is not None:
            usages.append(_used(kept.usage, request, kept.text))
        self._budget.count_earlier(key, sum(self._price.cost(usage) for usage in usages))

    def begin(self, request: ChatRequest) -> int | None:
        """Note a try that is about to be sent, with its estimated prompt; BudgetSpent where it may not be."""
        if self._price is None:
            return None
        if self._budget is not None and self._budget.is_spent:
            raise BudgetSpent("the budget is spent")
        return self._cache.begin_try(self._key(request), _used(None, request, "")) if self._cache else None

    def end(self, entry: int | None, request: ChatRequest, usage: Usage | None, outcome: ChatReply | Failure) -> None:
        """Count a try: what it used, or where that is not known what was sent and received; nothing if refused."""
        if self._price is None:
            return
        refused = isinstance(outcome, Failure) and outcome.refused
        answer = outcome.text if isinstance(outcome, ChatReply) else ""
        used = Usage(prompt=0, completion=0) if refused else _used(usage, request, answer)
        if self._budget is not None:
            self._budget.pay(self._price.cost(used))
        if self._cache and entry is not None:
            self._cache.end_try(entry, None if refused else used)

    def keep(self, request: ChatRequest, entry: int | None) -> None:
        """Note that the last try's answer is kept, which tells what it took."""
        if self._cache and entry is not None:
            self._cache.end_try(entry, None)
        if self._budget is not None:
            self._budget.know(self._key(request))

    def _key(self, request: ChatRequest) -> str:
        return self._cache.key(self._identity, request) if self._cache else answer_key(self._identity, request)


def _used(usage: Usage | None, request: ChatRequest, answer: str) -> Usage:
    return usage or Usage(prompt=estimated_prompt(request.texts()), completion=estimated_tokens(answer))
