"""Confidence intervals of scores from 0 to 1 and of their differences, also where a sample shows little or no error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from statistics import median

CONFIDENCE = 0.95
_ROUNDING = 1e-12
"""A standard error below this is 0."""
_NOTICED = 0.05
"""See `moved`."""


@cache
def quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of t(`degrees`), by default that of 95 % intervals."""
    from scipy import stats

    return float(stats.t.ppf((1 + confidence) / 2, degrees))


def moved(groups: Iterable[Sequence[float]]) -> float:
    """Return how many conversations show that values vary: those with one away from the median of all.

    From `_NOTICED` on a conversation counts in full, below in proportion: tiny deviations say nothing about large ones.
    """
    found = list(groups)
    centre = median(value for group in found for value in group)
    return sum(min(1.0, max(abs(value - centre) for value in group) / _NOTICED) for group in found)


def share_interval(share: float, error: float, degrees: int, n: int, shown: float = math.inf) -> tuple[float, float]:
    """Return the 95 % interval of a mean of scores from 0 to 1 with a clustered standard error.

    Wilson's score interval (1927) with the effective sample size share * (1 - share) / error^2 and the
    quantile of t(`degrees`) (Korn and Graubard 1998 for the effective size; Franco, Little, Louis and Slud
    2019 compare). Near 1 the error of a mean goes with the mean, so mean +- t * error covers too little
    above and spills over 1: `tests/benchmarks/coverage.py` has the figures of both. Where the sample shows no
    error, as at a mean of 0 or 1, the interval is that of `n` independent answers, right or wrong; where only `shown`
    conversations show one (see `moved`), it is at least that of (1 + shown)^2 times as many.
    """
    inside, t = share * (1 - share), quantile(degrees)
    if inside > 0 and error > _ROUNDING:
        ratio = max((t * error) ** 2 / inside, quantile(n - 1) ** 2 / n / (1 + shown) ** 2)
    else:
        ratio = t**2 / n
    centre, half = share + ratio / 2, (max(0.0, ratio * inside) + ratio**2 / 4) ** 0.5
    low, high = (centre - half) / (1 + ratio), (centre + half) / (1 + ratio)
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def difference_interval(
    groups: Sequence[Sequence[float]], error: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval, by default of 95 %, of the mean of differences from -1 to 1, grouped by conversation.

    It is mean +- t(G-1) * `error`, the clustered one, and reaches at least as far as what no conversation showed may
    pull. If all G of them agree, `1 - 0.05^(1/G)` of all conversations, about 3 / G, may still differ from them
    (Hanley and Lippman-Hand 1983), and by as much as scores can. The more conversations show how far differences go
    (`moved`), the more the error knows itself: that share is divided by (1 + moved)^2. The square is chosen: with it
    ordinary intervals stay as they are, there is no jump between none that differs and some, and where a conversation
    differs wholly or not at all, coverage stays above 87 % for a nominal 95 (`tests/benchmarks/coverage.py`), where
    that of the error alone goes down to 0.
    """
    values = [value for group in groups for value in group]
    mean, half = sum(values) / len(values), quantile(len(groups) - 1, confidence) * error
    unseen = (1 - (1 - confidence) ** (1 / len(groups))) / (1 + moved(groups)) ** 2
    return min(mean - half, mean - unseen * (1 + mean)), max(mean + half, mean + unseen * (1 - mean))
