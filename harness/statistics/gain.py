"""Whether trained models gain enough over what needs no training: PROCEED, STOP or ITERATE (pure)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.statistics.estimates import standard_error
from harness.statistics.intervals import difference_interval, quantile

Decision = Literal["PROCEED", "STOP", "ITERATE"]
Column = Sequence[float | None]
POWER = 0.8
_MOST = 1_000_000
"""The largest number of conversations that is looked at."""


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
    effective: float
    """Conversations of one length that would say as much: few where some conversations have most of the turns."""
    missing: int
    """Pairs without a value of the model or of a baseline: for `low` they count against the model, for `high` for it.
    """
    needed: int | None = None
    """Conversations that would tell, were the measured differences the true ones; None where it is decided, or where no
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
    in at most about half of `level` of all cases, and where one gains more, all STOP as rarely. Clustered errors are
    too small where few conversations have most of the turns; so nothing is decided unless the conversations count for
    enough by their effective number, n^2 / sum n_g^2 for n_g of n turns (Kish 1965).
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
    effective, fewest = _effective(found), fewest_clusters(below)
    if low is not None and high is not None and effective >= fewest:
        decision = "PROCEED" if low > minimum_effect else "STOP" if high < minimum_effect else "ITERATE"
    needed = None
    if decision == "ITERATE" and conversations > 1:
        gains = value > minimum_effect  # then the bounds over all baselines have to rise, else one has to fall
        told = _needed([one.plain for one in paired.values()], minimum_effect, below) if gains else None
        told = told if gains else _needed([found], minimum_effect, above)
        needed = told and max(told, conversations + 1, math.ceil(fewest * conversations / effective))
    return Gain(
        decision=decision,
        over=over,
        value=value,
        low=low,
        high=high,
        conversations=conversations,
        effective=effective,
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


def _effective(groups: _Groups) -> float:
    sizes = [len(group) for group in groups]
    return sum(sizes) ** 2 / sum(size**2 for size in sizes) if sizes else 0.0


def _needed(samples: Sequence[_Groups], minimum_effect: float, alpha: float) -> int | None:
    """Return how many conversations show of every sample, with 80 % power, that its mean is not the minimum effect.

    One is found where it is (t_{1-alpha/2} + t_{power}) standard errors away (Bloom 1995); that several are is at least
    as likely as that none is missed, the chances of a miss added up. A standard error falls with the square root of the
    number of conversations; where hardly any conversation differs from the others, so that the interval is about those
    not seen, with the number.
    """
    import numpy as np
    from scipy import stats

    tests = []
    for groups in samples:
        if len(groups) < 2:
            return None
        plain, degrees = _error(groups), len(groups) - 1
        low, high = difference_interval(groups, plain, 1 - alpha)
        error = max(plain, (high - low) / 2 / quantile(degrees, 1 - alpha))
        distance = _mean([one for group in groups for one in group]) - minimum_effect
        tests.append((distance / error, degrees, 1.0 if error > plain else 0.5, len(groups)))
    away, freedom, power, seen = map(np.array, zip(*tests, strict=True))
    if not ((away > 0).all() or (away < 0).all()):
        return None
    least = stats.t.ppf(1 - alpha / 2, freedom)

    def tells(conversations: int) -> bool:
        return bool(stats.t.cdf(least - abs(away) * (conversations / seen) ** power, freedom).sum() <= 1 - POWER)

    return bisect_left(range(_MOST), True, lo=1, key=tells)
