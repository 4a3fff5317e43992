"""Means with intervals that know that turns of one conversation are not independent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from harness.records import Estimate

CONFIDENCE = 0.95


def estimate(values: Sequence[float | None], clusters: Sequence[Hashable], errors: int = 0) -> Estimate:
    """Return the mean of the scored values with its cluster-robust 95 % interval.

    `values[i]` belongs to cluster `clusters[i]`; None means unscored and is left out of the mean. The
    variance is the sandwich estimator of a mean, G/(G-1) * sum_g(sum_i(y_gi - mean))^2 / n^2, with the
    t distribution on G-1 degrees of freedom (Cameron and Miller 2015, sections II.B and VI.D). With
    fewer than two clusters there is no interval. `errors` is passed through.
    """
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        if value is not None:
            groups[cluster].append(value)
    n = sum(map(len, groups.values()))
    unscored = len(values) - n
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0, clusters=0, errors=errors, unscored=unscored)
    mean = sum(map(sum, groups.values())) / n
    half = _half_width([sum(value - mean for value in group) for group in groups.values()], n)
    return Estimate(
        value=mean,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        n=n,
        clusters=len(groups),
        errors=errors,
        unscored=unscored,
    )


def _half_width(residual_sums: Sequence[float], n: int) -> float | None:
    from scipy import stats

    groups = len(residual_sums)
    if groups < 2:
        return None
    variance = groups / (groups - 1) * sum(total**2 for total in residual_sums) / n**2
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, groups - 1))
    return quantile * float(variance**0.5)
