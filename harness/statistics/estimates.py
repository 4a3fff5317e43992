"""Means, differences and leaderboards with intervals clustered by conversation: its turns are not independent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.statistics.intervals import CONFIDENCE, difference_interval, moved, quantile, share_interval
from harness.statistics.records import Estimate

FLIPS = 10_000
"""Sign flips of a permutation test; with 13 clusters or fewer all of them are enumerated instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """B minus A on the same pairs."""

    a: Estimate
    b: Estimate
    """Both over the pairs that are scored in both; the others count as unscored."""
    difference: Estimate
    """Mean of b - a over the common pairs."""
    p: float | None
    """Two-sided, by sign flips of whole conversations; None with fewer than two of them."""
    smallest_detectable: float | None
    """The true difference that this comparison would have found with 80 % power."""
    few_differ: bool
    """Whether the interval is mostly about what these conversations did not show: few of them differ from the mean."""
    better: int
    """Pairs where b is above a."""
    worse: int
    equal: int


def estimate(values: Sequence[float | None], clusters: Sequence[Hashable], errors: int = 0) -> Estimate:
    """Return the mean of the scored values with its cluster-robust 95 % interval.

    `values[i]` belongs to cluster `clusters[i]`; None means unscored and is left out of the mean. The
    variance is the sandwich estimator of a mean, G/(G-1) * sum_g(sum_i(y_gi - mean))^2 / n^2, with the
    t distribution on G-1 degrees of freedom (Cameron and Miller 2015, sections II.B and VI.D). The interval
    of scores from 0 to 1 is `share_interval`, of any others mean +- t * error. With fewer than two clusters
    there is none. `errors` is passed through.
    """
    groups = _scored(values, clusters)
    one = _mean(groups, len(values), errors)
    if one.value is None or any(value is not None and not 0 <= value <= 1 for value in values):
        return one
    error = standard_error(_influences(groups))
    if error is None:
        return one
    low, high = share_interval(one.value, error, one.clusters - 1, one.n, moved(groups.values()))
    return replace(one, low=low, high=high)


def clustered_error(values: Sequence[float | None], clusters: Sequence[Hashable]) -> float | None:
    """Return the cluster-robust standard error of the mean of `estimate`; None with fewer than two clusters."""
    return standard_error(_influences(_scored(values, clusters)))


def standard_error(influences: Sequence[float]) -> float | None:
    """Return the sandwich standard error of an estimate from the summed influence of each of its clusters.

    The influences are on the scale of the estimate (of a mean: residuals / n) and sum to 0 over the G
    clusters; the small-sample factor is G/(G-1). None with fewer than two clusters.
    """
    groups = len(influences)
    if groups < 2:
        return None
    return float((groups / (groups - 1) * sum(one**2 for one in influences)) ** 0.5)


def half_width(influences: Sequence[float]) -> float | None:
    """Return half the 95 % interval: the standard error of `influences` times the quantile of t(G-1)."""
    error = standard_error(influences)
    return None if error is None else error * quantile(len(influences) - 1)


def _mean(groups: Mapping[Hashable, Sequence[float]], total: int, errors: int = 0) -> Estimate:
    """Return the mean of the scored ones of `total` values with the symmetric interval."""
    n = sum(map(len, groups.values()))
    mean = sum(map(sum, groups.values())) / n if n else None
    half = half_width(_influences(groups))
    return Estimate(
        value=mean,
        low=None if mean is None or half is None else mean - half,
        high=None if mean is None or half is None else mean + half,
        n=n,
        clusters=len(groups),
        errors=errors,
        unscored=total - n,
    )


def _influences(groups: Mapping[Hashable, Sequence[float]]) -> list[float]:
    n = sum(map(len, groups.values()))
    mean = sum(map(sum, groups.values())) / n if n else 0.0
    return [sum(value - mean for value in group) / n for group in groups.values()]


def paired(
    a: Sequence[float | None],
    b: Sequence[float | None],
    clusters: Sequence[Hashable],
    *,
    seed: int = 0,
    alpha: float = 0.05,
) -> Paired:
    """Return what b is over a, pair by pair: `a[i]` and `b[i]` answer the same question, of `clusters[i]`.

    Only pairs scored in both count. The interval is `difference_interval` where all scores are from 0 to 1, else
    mean +- t(G-1) * clustered error; p is that of `sign_flip`, and the smallest detectable difference, from the
    width of the interval, at level `alpha` with 80 % power.
    """
    both = [x is not None and y is not None for x, y in zip(a, b, strict=True)]
    differences = [y - x if x is not None and y is not None else None for x, y in zip(a, b, strict=True)]
    known = [one for one in differences if one is not None]
    by_cluster = _scored(differences, clusters)
    groups = list(by_cluster.values())
    plain = standard_error(_influences(by_cluster))
    difference, error = _mean(by_cluster, len(differences)), plain
    if plain is not None and all(one is None or 0 <= one <= 1 for one in (*a, *b)):
        low, high = difference_interval(groups, plain)
        difference = replace(difference, low=low, high=high)
        error = max(plain, (high - low) / 2 / quantile(len(groups) - 1))
    return Paired(
        a=estimate([x if common else None for x, common in zip(a, both, strict=True)], clusters),
        b=estimate([y if common else None for y, common in zip(b, both, strict=True)], clusters),
        difference=difference,
        p=sign_flip([sum(group) for group in groups], [len(group) for group in groups], seed=seed),
        smallest_detectable=None if error is None else smallest_detectable(error, len(groups) - 1, alpha=alpha),
        few_differ=plain is not None and error is not None and error > plain,
        better=sum(one > 0 for one in known),
        worse=sum(one < 0 for one in known),
        equal=sum(one == 0 for one in known),
    )


def sign_flip(sums: Sequence[float], sizes: Sequence[int], *, seed: int = 0) -> float | None:
    """Return the two-sided p value of no difference, from each cluster's sum of differences and its size.

    Under the null hypothesis the two models may be swapped in any whole conversation, so the sign of each
    sum is a coin (Canay, Romano and Shaikh 2017). The statistic is the clustered t of the mean (as in
    `estimate`), not the mean itself: whole-numbered totals tie so often that a test on them rejects in 3 to
    4 % of cases where it should in 5. Up to `FLIPS` patterns are enumerated; of more, `FLIPS` are drawn with
    `seed`, and the observed one is counted among them (Phipson and Smyth 2010). Clusters that sum to 0 have
    no sign, but count in the error of the mean. None with fewer than two clusters.
    """
    import numpy as np

    if len(sums) < 2:
        return None
    moved = [(total, size) for total, size in zip(sums, sizes, strict=True) if total != 0]
    if not moved:
        return 1.0
    totals, weights = (np.array(column, dtype=float) for column in zip(*moved, strict=True))
    count = len(moved)
    exact = 2**count <= FLIPS
    if exact:
        flipped: Any = np.indices((2,) * count).reshape(count, -1).T
    else:
        flipped = np.random.default_rng(seed).integers(0, 2, size=(FLIPS, count), dtype=np.int8)
    signs = np.vstack([np.ones(count), 1.0 - 2 * flipped])
    total = signs @ totals
    mean = total / sum(sizes)
    squares = (totals**2).sum() - 2 * mean * (signs @ (totals * weights)) + mean**2 * sum(one**2 for one in sizes)
    # t^2 / (1 + t^2), up to constants: rises with |t| and stays finite where all residuals are 0.
    statistic = total**2 / (total**2 + np.maximum(squares, 0.0))
    as_extreme = statistic >= statistic[0] * (1 - 1e-9)  # equal statistics differ by rounding
    return float(as_extreme[1:].mean() if exact else as_extreme.mean())


def bootstrap(
    values: Sequence[float | None], clusters: Sequence[Hashable], *, seed: int = 0, draws: int = 2000
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of the mean when whole clusters are drawn with replacement.

    A check of `estimate`, which assumes less: no normal distribution, no symmetry. It is somewhat too
    narrow with few clusters (Cameron, Gelbach and Miller 2008, section III). None with fewer than two.
    """
    import numpy as np

    groups = _scored(values, clusters)
    if len(groups) < 2:
        return None
    totals, sizes = (np.array([measure(group) for group in groups.values()], dtype=float) for measure in (sum, len))
    drawn = np.random.default_rng(seed).integers(0, len(groups), size=(draws, len(groups)))
    means = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def smallest_detectable(standard_error: float, degrees: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the true effect that a two-sided t test at level `alpha` finds with probability `power`.

    (t_{1-alpha/2} + t_{power}) standard errors (Bloom 1995), in the unit of `standard_error`. At 5 % and 80 % the
    noncentral t distribution gives the same within 0.1 % from 10 degrees of freedom on.
    """
    from scipy import stats

    return standard_error * float(stats.t.ppf(1 - alpha / 2, degrees) + stats.t.ppf(power, degrees))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the p values adjusted for all of them being looked at, in their order (Holm 1979).

    None stays None and is not counted as a test.
    """
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p, place) in enumerate(order):
        running = max(running, min(1.0, p * (len(order) - rank)))
        adjusted[place] = running
    return adjusted


def tie_groups(
    columns: Mapping[str, Sequence[float | None]],
    clusters: Sequence[Hashable],
    *,
    alpha: float = 0.05,
    seed: int = 0,
) -> dict[str, int]:
    """Return the group of each model, best first: 1 is the leader and all that are not shown to be worse.

    `columns` has the scores of each model on the same pairs. The model with the highest mean leads; it is
    compared with each of the others (`paired`, Holm over these comparisons), and those with an adjusted p
    below `alpha` are left for the next group, which is formed in the same way.

    A group says that the data do not separate its members from its leader. It does not say that they are
    equally good, nor that its members cannot be told from one another or from the next group; and because
    tests are paired, a model may share the leader's group while one with a higher mean does not. Models
    without a score are in no group.
    """
    means = {name: estimate(values, clusters).value for name, values in columns.items()}
    left = sorted((name for name in columns if means[name] is not None), key=lambda name: (-(means[name] or 0.0), name))
    groups: dict[str, int] = {}
    number = 0
    while left:
        number += 1
        leader, *others = left
        tests = [paired(columns[other], columns[leader], clusters, seed=seed, alpha=alpha) for other in others]
        adjusted = holm([test.p for test in tests])
        worse = {
            other
            for other, test, p in zip(others, tests, adjusted, strict=True)
            if p is not None and p < alpha and (test.difference.value or 0.0) > 0
        }
        groups.update(dict.fromkeys((name for name in left if name not in worse), number))
        left = [name for name in left if name in worse]
    return groups


def _scored(values: Sequence[float | None], clusters: Sequence[Hashable]) -> dict[Hashable, list[float]]:
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        if value is not None:
            groups[cluster].append(value)
    return groups
