"""How much each source of a value counts: a conditional logit over candidates, fitted to calls that are trusted."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from harness.rules.labeler.wording import Mention

SOURCES = {
    "row": 4.0,
    "rows": 3.0,
    "question": 1.5,
    "user": 1.5,
    "agent": 1.0,
    "last": 1.0,
    "past": 0.7,
    "later": 0.7,
    "usual": 0.3,
}
"""Where a value can come from, with its weight as long as nothing is known: the rows returned, and that there are
several of them (one may be another than was asked for, several are what a search was for), the agent's question just
before, the user's and the agent's last words about it, the last words of either, the result before, the result after,
and what most calls have."""

Candidates = dict[str, dict[str, float]]
"""The values that sources give, each with how far each source speaks for it."""
Example = tuple[Candidates, str]
"""The candidates, and which one is right."""

_SECOND = 0.5
"""How far a source speaks for the second meaning of an expression, where it speaks for the first by 1."""
_EPOCHS, _STEP, _PULL = 12, 0.2, 0.02


def candidates(sources: Mapping[str, Mention]) -> Candidates:
    """Return what the sources speak for."""
    found: Candidates = defaultdict(dict)
    for source, mention in sources.items():
        for number, value in enumerate(mention):
            found[value][source] = 1.0 if number == 0 else _SECOND
    return dict(found)


def best(found: Candidates, weights: Mapping[str, float]) -> str:
    """Return the candidate that the sources speak for most; `found` must not be empty."""
    return max(found, key=lambda value: (_score(found[value], weights), value))


def fit(examples: Sequence[Example], start: Mapping[str, float]) -> dict[str, float]:
    """Return weights under which the right candidates score highest, drawn towards `start`.

    Stochastic gradient descent on the log-likelihood of McFadden's conditional logit, in the order of the examples.
    """
    weights = dict(start)
    for _ in range(_EPOCHS):
        for found, right in examples:
            for value, share in _shares(found, weights).items():
                for source, speaks in found[value].items():
                    weights[source] += _STEP * ((value == right) - share) * speaks
            for source, weight in weights.items():
                weights[source] = weight - _STEP * _PULL * (weight - start[source])
    return weights


def _shares(found: Candidates, weights: Mapping[str, float]) -> dict[str, float]:
    scores = {value: _score(speaks, weights) for value, speaks in found.items()}
    top = max(scores.values())
    raised = {value: math.exp(score - top) for value, score in scores.items()}
    total = sum(raised.values())
    return {value: one / total for value, one in raised.items()}


def _score(speaks: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(share * weights[source] for source, share in speaks.items())
