"""How reliable each voter is, from the votes alone: Dawid and Skene's model by expectation maximisation. No effects"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 100
_CONVERGED = 1e-6
_SMOOTHING = 0.01
"""Added to every cell of a confusion matrix, so that a name that a voter never gave stays possible."""


def reliability(votes: Mapping[str, Sequence[str | None]]) -> dict[str, float | None]:
    """Return, voter by voter, the expected share of its votes that are right; None for one that never votes.

    `votes[voter][i]` is what the voter says of item i, None for nothing. The truth of an item and the voters' confusion
    matrices are estimated together, beginning with the majority (Dawid and Skene 1979). With two voters that differ it
    cannot be told who is right: give the raw labels as a third one.
    """
    labels = sorted({label for column in votes.values() for label in column if label is not None})
    codes = {label: code for code, label in enumerate(labels)}
    voters = list(votes)
    items = max((len(column) for column in votes.values()), default=0)
    if not labels:
        return dict.fromkeys(voters)
    said = np.zeros((len(voters), items, len(labels)))
    for voter, column in enumerate(votes.values()):
        for item, label in enumerate(column):
            if label is not None:
                said[voter, item, codes[label]] = 1.0
    truth = _fit(said[:, said.any(axis=(0, 2))])
    shown = said[:, said.any(axis=(0, 2))]
    right = (shown * truth).sum(axis=(1, 2))
    cast = shown.sum(axis=(1, 2))
    return {name: float(right[voter] / cast[voter]) if cast[voter] else None for voter, name in enumerate(voters)}


def _fit(said: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each label (items x labels) from what was said (voters x items x labels, 0 or 1)."""
    truth: NDArray[np.float64] = said.sum(axis=0)
    truth /= truth.sum(axis=1, keepdims=True)
    for _ in range(_ROUNDS):
        prior = truth.mean(axis=0) + 1e-12
        confusion = np.einsum("il,vik->vlk", truth, said) + _SMOOTHING
        confusion /= confusion.sum(axis=2, keepdims=True)
        score = np.log(prior) + np.einsum("vik,vlk->il", said, np.log(confusion))
        new: NDArray[np.float64] = np.exp(score - score.max(axis=1, keepdims=True))
        new /= new.sum(axis=1, keepdims=True)
        if np.abs(new - truth).max() < _CONVERGED:
            return new
        truth = new
    return truth
