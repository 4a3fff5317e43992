"""What asking would cost, before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.data.records import Usage
from harness.models.chat.budget import CHARACTERS_PER_TOKEN, Price, dollars, estimated_prompt

if TYPE_CHECKING:
    from harness.models.chat.records import ChatRequest


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


def estimate(
    model: str, price: Price | None, missing: Sequence[ChatRequest], *, known: int, copies: int = 0
) -> CostEstimate:
    """Return what asking the `missing` requests takes, one of each kind; `copies` of them are answered along."""
    prompt = sum(estimated_prompt(request.texts()) for request in missing)
    usual = sum(min(request.max_tokens, request.usual_tokens or request.max_tokens) for request in missing)
    most = sum(request.max_tokens for request in missing)
    return CostEstimate(
        model=model,
        requests=len(missing) + known + copies,
        known=known,
        prompt_tokens=prompt,
        answer_tokens=usual,
        most_answer_tokens=most,
        cost=price.cost(Usage(prompt=prompt, completion=usual)) if price else None,
        most_cost=price.cost(Usage(prompt=prompt, completion=most)) if price else None,
    )
