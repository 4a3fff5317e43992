"""Means and their intervals, against a regression on a constant with cluster-robust errors written out in matrices."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from harness.records import Estimate
from harness.statistics import estimate

T_975 = {1: 12.7062047362, 2: 4.3026527297, 4: 2.7764451052, 9: 2.2621571628, 33: 2.0345152974}
"""97.5 % quantiles of Student's t, from a printed table, by degrees of freedom."""


def _interval_by_regression(values: list[float], clusters: list[int]) -> tuple[float, float, float]:
    """Ordinary least squares of a constant; sandwich variance with the corrections G/(G-1) and (n-1)/(n-k)."""
    y, x = np.array(values), np.ones((len(values), 1))
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    residuals = y - x @ beta
    labels = np.array(clusters)
    meat = sum(
        (score := x[labels == one].T @ residuals[labels == one]).reshape(-1, 1) @ score.reshape(1, -1)
        for one in sorted(set(clusters))
    )
    n, k, groups = len(values), 1, len(set(clusters))
    variance = groups / (groups - 1) * (n - 1) / (n - k) * (bread @ meat @ bread)[0, 0]
    half = T_975[groups - 1] * math.sqrt(variance)
    return float(beta[0]), float(beta[0] - half), float(beta[0] + half)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("groups", [2, 3, 5, 10, 34])
def test_the_interval_is_that_of_a_clustered_regression_on_a_constant(groups: int, seed: int) -> None:
    """Clusters of unequal sizes whose members are alike, in any order."""
    random = Random(seed)
    rows = []
    for group in range(groups):
        level = random.random()
        rows += [(min(1.0, max(0.0, random.gauss(level, 0.2))), group) for _ in range(random.randint(1, 12))]
    random.shuffle(rows)
    values, clusters = [value for value, _ in rows], [group for _, group in rows]
    found = estimate(values, clusters)
    expected = _interval_by_regression(values, clusters)
    assert (found.value, found.low, found.high) == pytest.approx(expected, abs=1e-9)
    assert (found.n, found.clusters, found.errors, found.unscored) == (len(values), groups, 0, 0)


def test_unscored_values_leave_the_mean_and_the_clusters_and_are_counted() -> None:
    values: list[float | None] = [1.0, None, 0.0, 1.0, None, None]
    clusters = ["a", "a", "b", "b", "c", "c"]
    found = estimate(values, clusters, errors=2)
    assert (found.value, found.low, found.high) == (
        (only := estimate([1.0, 0.0, 1.0], ["a", "b", "b"])).value,
        only.low,
        only.high,
    )
    assert (found.n, found.clusters, found.errors, found.unscored) == (3, 2, 2, 3)


def test_turns_of_one_conversation_count_less_than_independent_ones() -> None:
    values = [1.0] * 10 + [0.0] * 10
    together = estimate(values, [0] * 10 + [1] * 10)
    apart = estimate(values, range(20))
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_one_cluster_has_a_mean_and_no_interval() -> None:
    found = estimate([1.0, 0.0, 0.5], ["only"] * 3)
    assert found == Estimate(value=0.5, low=None, high=None, n=3, clusters=1)


def test_nothing_scored_has_neither_mean_nor_interval() -> None:
    found = estimate([None, None], ["a", "b"], errors=1)
    assert found == Estimate(value=None, low=None, high=None, n=0, clusters=0, errors=1, unscored=2)
    assert estimate([], []) == Estimate(value=None, low=None, high=None, n=0, clusters=0)


def test_equal_values_have_an_interval_without_width() -> None:
    found = estimate([1.0] * 6, [0, 0, 1, 1, 2, 2])
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_values_and_clusters_must_belong_together() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        estimate([1.0, 0.0], ["a"])
