"""Whether trained models gain enough over what needs no training: PROCEED, STOP or ITERATE (pure)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.statistics.estimates import smallest_detectable, standard_error
from harness.statistics.intervals import difference_interval, quantile

Decision = Literal["PROCEED", "STOP", "ITERATE"]
Column = Sequence[float | None]
POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """One trained model against the best of several baselines."""

    decision: Decision
    over: str
    """The baseline with the highest mean."""
    value: float
    """Mean difference over that baseline, on the pairs that both have."""
    low: float | None
    """Below this the gain over the best baseline is not; None with fewer than two conversations."""
    high: float | None
    """Above this it is not."""
    conversations: int
    missing: int
    """Pairs without a value of the model or of a baseline: for `low` they count against the model, for `high` for it.
    """
    needed: int | None = None
    """Conversations that would tell, were the measured difference the true one; None where it is decided, or where no
    number would tell."""


def decide(gains: Sequence[Gain], arms: int) -> Decision:
    """Return the decision on several trained models, of which `arms` were meant to be measured.

    PROCEED where any of them gains enough, STOP where none of all does, else ITERATE.
    """
    found = {one.decision for one in gains}
    if "PROCEED" in found:
        return "PROCEED"
    return "STOP" if found == {"STOP"} and len(gains) == arms else "ITERATE"


def gain(
    arm: Column,
    baselines: Mapping[str, Column],
    clusters: Sequence[Hashable],
    *,
    minimum_effect: float,
    level: float,
    arms: int = 1,
) -> Gain:
    """Return what `arm` gains over the best of `baselines`, pair by pair; scores are from 0 to 1.

    The gain over the best baseline is the least of the gains over each. So `low` is the least of the lower bounds,
    each as it is (to beat the best one is to beat all: an intersection-union test, Berger 1982), and `high` the least
    of the upper bounds, which are for as many baselines as there are (Bonferroni), since any of them may be too low by
    chance. `low` is also for `arms` models (Bonferroni), the best of which is chosen. The bounds are those of
    `difference_interval` at the two-sided `level`: where no model gains more than `minimum_effect`, some model PROCEEDs
    in at most about half of `level` of all cases, and where one gains more, all STOP as rarely.
    Raises ValueError without a baseline.
    """
    paired = {name: _paired(arm, column, clusters) for name, column in baselines.items()}
    means = {name: _mean([y for y in column if y is not None]) for name, column in baselines.items()}
    over = max(baselines, key=lambda name: (means[name], name))
    found = paired[over].plain
    value, conversations = _mean([one for group in found for one in group]), len(found)
    missing = max(one.missing for one in paired.values())
    below, above = level / arms, level / len(baselines)
    bounds = [(_bounds(one.worst, below)[0], _bounds(one.best, above)[1]) for one in paired.values()]
    if conversations < 2:
        low = high = None
    else:
        low, high = min(low for low, _ in bounds), min(high for _, high in bounds)
    decision: Decision = "ITERATE"
    if low is not None and high is not None and conversations >= fewest_clusters(below):
        decision = "PROCEED" if low > minimum_effect else "STOP" if high < minimum_effect else "ITERATE"
    needed = None
    if decision == "ITERATE" and conversations > 1:
        needed = _needed(found, value - minimum_effect, below if value > minimum_effect else above)
    return Gain(
        decision=decision,
        over=over,
        value=value,
        low=low,
        high=high,
        conversations=conversations,
        missing=missing,
        needed=needed,
    )


def fewest_clusters(alpha: float) -> int:
    """Return the number of clusters from which a two-sided sign-flip test can go below alpha: 2 / 2^n < alpha."""
    return math.floor(1 - math.log2(alpha)) + 1


_Groups = list[list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paired:
    """Differences by conversation, where pairs without a value are left out, and where they count as -1 and as 1."""

    plain: _Groups
    worst: _Groups
    best: _Groups
    missing: int


def _paired(arm: Column, baseline: Column, clusters: Sequence[Hashable]) -> _Paired:
    made: list[dict[Hashable, list[float]]] = [defaultdict(list) for _ in range(3)]
    missing = 0
    for y, x, cluster in zip(arm, baseline, clusters, strict=True):
        known = y is not None and x is not None
        missing += not known
        if y is not None and x is not None:
            made[0][cluster].append(y - x)
        made[1][cluster].append((0.0 if y is None else y) - (1.0 if x is None else x))
        made[2][cluster].append((1.0 if y is None else y) - (0.0 if x is None else x))
    plain, worst, best = ([*groups.values()] for groups in made)
    return _Paired(plain=plain, worst=worst, best=best, missing=missing)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _error(groups: _Groups) -> float:
    """Return the clustered standard error of the mean of at least two groups."""
    n = sum(map(len, groups))
    mean = sum(map(sum, groups)) / n
    return standard_error([sum(value - mean for value in group) / n for group in groups]) or 0.0


def _bounds(groups: _Groups, alpha: float) -> tuple[float, float]:
    if len(groups) < 2:
        return -1.0, 1.0
    low, high = difference_interval(groups, _error(groups), 1 - alpha)
    return max(-1.0, low), min(1.0, high)


def _needed(groups: _Groups, distance: float, alpha: float) -> int | None:
    """Return how many conversations find a difference `distance` away from the minimum effect with 80 % power.

    The detectable difference, (t_{1-alpha/2} + t_{power}) standard errors (Bloom 1995), falls with the square root of
    the number of conversations; where hardly any conversation differs from the others, so that the interval is about
    those not seen, with the number.
    """
    if not distance:
        return None
    plain, degrees = _error(groups), len(groups) - 1
    low, high = difference_interval(groups, plain, 1 - alpha)
    error = max(plain, (high - low) / 2 / quantile(degrees, 1 - alpha))
    seen = smallest_detectable(error, degrees, alpha=alpha, power=POWER)
    return max(len(groups) + 1, math.ceil(len(groups) * (seen / abs(distance)) ** (1 if error > plain else 2)))
