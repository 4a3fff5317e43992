"""What asking costs: prices, the estimate before a run, and the budget that a run neither exceeds nor spends twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, NonNegativeFloat

from harness.data.records import Usage
from harness.errors import HarnessError, UsageError

CHARACTERS_PER_TOKEN = 4
"""A usual figure for English text and JSON. Other scripts take more tokens, up to one or two per character."""
_MOST_CHARACTERS_PER_TOKEN = 8
"""No tokenizer makes fewer tokens of conversations than one per this many characters."""
_MILLION = 1_000_000
_LEAST_SHOWN = 0.0001
_ROUNDING = 1e-9
"""Of sums of many small amounts, relative."""


class BudgetSpent(HarnessError):
    """The budget of a run is spent; what was answered is kept."""


class Price(BaseModel):
    """USD per million tokens. Cheaper rates for cached prompts are not counted, so that costs are upper bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    input: NonNegativeFloat
    output: NonNegativeFloat

    def cost(self, usage: Usage) -> float:
        """Return the cost in USD; negative counts of an endpoint are taken for 0."""
        return (max(0, usage.prompt) * self.input + max(0, usage.completion) * self.output) / _MILLION


FREE = Price(input=0.0, output=0.0)
"""The price of models that run on this machine."""


class Budget:
    """A limit in USD shared by all questions and models of a run; for one thread.

    What is spent never exceeds the limit by more than the requests that were under way when it was reached. What
    earlier runs paid for the same questions counts too, once each, so that a run that was interrupted and is repeated
    does not pay the limit twice; but answers that are there are never held back.
    """

    def __init__(self, limit: float) -> None:
        """`limit` in USD; UsageError for an impossible one."""
        if not math.isfinite(limit) or limit < 0:
            raise UsageError(f"a budget of {limit} cannot be kept; give an amount in USD, 0 or more")
        self.limit = limit
        self.paid = 0.0
        """USD for tries of this run."""
        self.earlier = 0.0
        """USD that earlier runs paid for the questions of this one."""
        self._counted: set[str] = set()

    @property
    def spent(self) -> float:
        """USD in all."""
        return self.paid + self.earlier

    @property
    def is_spent(self) -> bool:
        """Whether nothing more that costs something may be sent."""
        return self.spent >= self.limit * (1 - _ROUNDING)

    def charge(self, cost: float) -> None:
        """Count a try of this run."""
        self.paid += cost

    def mark_counted(self, key: str) -> None:
        """Note that what is there under this key was paid for by this run."""
        self._counted.add(key)

    def add_previous(self, key: str, cost: float) -> None:
        """Count what earlier runs paid under a key, unless it has been counted before."""
        if key not in self._counted:
            self._counted.add(key)
            self.earlier += cost

    def error(self, unanswered: int, requests: int) -> BudgetSpent:
        """Return the error for a run that leaves `unanswered` of its requests without an answer."""
        earlier = f", {dollars(self.earlier)} of it by earlier runs" if self.earlier else ""
        return BudgetSpent(
            f"the budget of {dollars(self.limit)} is spent ({dollars(self.spent)}{earlier}) and {unanswered} of "
            f"{requests} questions are not answered; run the same command again with a higher --budget (an evaluation "
            "with --resume): what was answered is kept, and is not paid for again"
        )


def dollars(amount: float) -> str:
    """Return an amount in words."""
    if 0 < amount < _LEAST_SHOWN:
        return f"less than ${_LEAST_SHOWN}"
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has: its characters by four, rounded up."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def estimated_prompt(texts: Sequence[str]) -> int:
    """Return about how many tokens a prompt of these texts has."""
    return sum(map(estimated_tokens, texts))


def exceeds_context(texts: Sequence[str], max_tokens: int, context: int | None) -> bool:
    """Whether a prompt and the answer's room are too long for a context for sure; in doubt the model is asked."""
    characters = sum(map(len, texts))
    return context is not None and characters // _MOST_CHARACTERS_PER_TOKEN + max_tokens > context


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What a run would ask and cost, before it does. Tries that have to be repeated are not foreseen."""

    model: str
    requests: int
    known: int
    """Requests whose answer is there already; the figures below are about the others."""
    prompt_tokens: int
    """By characters, see `CHARACTERS_PER_TOKEN`."""
    answer_tokens: int
    """As many as such answers usually have."""
    most_answer_tokens: int
    """As many as they may have."""
    cost: float | None
    """USD with the usual answers; None where the model has no price."""
    most_cost: float | None

    def __str__(self) -> str:
        asked = f"{self.model}: {self.requests} questions, {self.known} answers known already"
        tokens = (
            f"about {self.prompt_tokens:,} prompt tokens ({CHARACTERS_PER_TOKEN} characters each) and "
            f"{self.answer_tokens:,} answer tokens ({self.most_answer_tokens:,} at most)"
        )
        if self.cost is None or self.most_cost is None:
            return f"{asked}; {tokens}; no price is known"
        return f"{asked}; {tokens}; about {dollars(self.cost)}, {dollars(self.most_cost)} at most without repeats"
