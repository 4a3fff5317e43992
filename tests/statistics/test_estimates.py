"""Means, comparisons and leaderboards against scipy, statsmodels, enumeration and simulation."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from benchmarks import coverage as simulations
from harness.statistics.estimates import (
    bootstrap,
    estimate,
    half_width,
    holm,
    paired,
    sign_flip,
    smallest_detectable,
    standard_error,
    tie_groups,
)
from harness.statistics.intervals import share_interval
from harness.statistics.records import Estimate

SIZES = [6, 7, 7, 8, 9, 9, 10, 10, 11, 12, 13, 15, 16, 21] * 2
"""Turn pairs of made-up conversations, about as unequal as real ones."""


def _rows(groups: int, seed: int) -> tuple[list[float], list[int]]:
    """Scores from 0 to 1 in clusters of unequal sizes whose members are alike, in any order."""
    random = Random(seed)
    rows = []
    for group in range(groups):
        level = random.random()
        rows += [(min(1.0, max(0.0, random.gauss(level, 0.2))), group) for _ in range(random.randint(1, 12))]
    random.shuffle(rows)
    return [value for value, _ in rows], [group for _, group in rows]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("groups", [2, 3, 10, 34])
def test_error_and_difference_are_those_of_a_clustered_regression_on_a_constant(groups: int, seed: int) -> None:
    """statsmodels' factor is G/(G-1) * (n-1)/(n-k), and with a constant alone k is 1."""
    values, clusters = _rows(groups, seed)
    model = sm.OLS(np.array(values), np.ones(len(values)))
    fit = model.fit(cov_type="cluster", cov_kwds={"groups": np.array(clusters)}, use_t=True)
    found = paired([0.0] * len(values), values, clusters)
    low, high = fit.conf_int()[0]
    difference = found.difference
    assert (difference.value, difference.low, difference.high) == pytest.approx((fit.params[0], low, high), abs=1e-9)
    assert found.smallest_detectable == pytest.approx(smallest_detectable(fit.bse[0], groups - 1))
    mine = estimate(values, clusters)
    assert (mine.low, mine.high) == pytest.approx(share_interval(fit.params[0], fit.bse[0], groups - 1, len(values)))
    assert (mine.value, mine.n, mine.clusters) == (difference.value, len(values), groups)


@pytest.mark.parametrize(("right", "n"), [(17, 20), (1, 30), (300, 359)])
def test_without_clusters_the_interval_is_wilsons(right: int, n: int) -> None:
    """With many degrees of freedom, the error of independent answers, and statsmodels as the reference."""
    share = right / n
    found = share_interval(share, math.sqrt(share * (1 - share) / n), 10**9, n)
    assert found == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 4)), min_size=1, max_size=40))
def test_an_interval_lies_within_0_and_1_and_holds_its_mean(rows: list[tuple[float, int]]) -> None:
    found = estimate([value for value, _ in rows], [cluster for _, cluster in rows])
    assert (found.low is None) == (found.clusters < 2)
    if found.low is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high


def test_values_beyond_0_and_1_have_the_symmetric_interval() -> None:
    found = estimate([3.0, 5.0, 10.0, 2.0], [0, 0, 1, 2])
    half = half_width([(8 - 10) / 4, (10 - 5) / 4, (2 - 5) / 4])
    assert (found.low, found.high) == pytest.approx((5 - half, 5 + half))


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
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_one_cluster_has_a_mean_and_no_interval() -> None:
    found = estimate([1.0, 0.0, 0.5], ["only"] * 3)
    assert found == Estimate(value=0.5, low=None, high=None, n=3, clusters=1)


def test_nothing_scored_has_neither_mean_nor_interval() -> None:
    found = estimate([None, None], ["a", "b"], errors=1)
    assert found == Estimate(value=None, low=None, high=None, n=0, clusters=0, errors=1, unscored=2)
    assert estimate([], []) == Estimate(value=None, low=None, high=None, n=0, clusters=0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_right_or_all_wrong_has_the_interval_of_independent_answers(value: float) -> None:
    """A sample without an error says nothing about the error; Wilson's interval with t(2)."""
    found = estimate([value] * 6, [0, 0, 1, 1, 2, 2])
    edge = 6 / (6 + stats.t.ppf(0.975, 2) ** 2)
    expected = (edge, 1.0) if value else (0.0, 1 - edge)
    assert found.value == value
    assert (found.low, found.high) == pytest.approx(expected)


def test_values_and_clusters_must_belong_together() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        estimate([1.0, 0.0], ["a"])


@pytest.mark.parametrize("simulate", [simulations.beta_binomial, simulations.latent_gaussian])
@pytest.mark.parametrize("icc", [0.0, 0.2])
def test_simulated_outcomes_have_the_mean_and_the_correlation_asked_for(simulate, icc: float) -> None:
    generator, sizes = np.random.default_rng(7), [10] * 20_000
    values = simulate(sizes, 0.85, icc, generator).reshape(-1, 10)
    between = values.mean(axis=1).var() / (0.85 * 0.15)  # (1 + 9 * icc) / 10 for conversations of ten
    assert values.mean() == pytest.approx(0.85, abs=0.005)
    assert (10 * between - 1) / 9 == pytest.approx(icc, abs=0.01)


@pytest.mark.parametrize("simulate", [simulations.beta_binomial, simulations.latent_gaussian])
def test_intervals_cover_where_those_that_ignore_conversations_do_not(simulate) -> None:
    """At the hardest setting of the benchmark; three standard errors of the simulation around its limits."""
    rates = simulations.interval_coverage(SIZES, 0.85, 0.2, simulate, draws=1500)
    assert 0.935 - 0.018 <= rates["estimate"] <= 0.965 + 0.018
    assert rates["estimate"] > rates["symmetric"]
    assert rates["unclustered"] < 0.8


def test_equal_models_are_told_apart_in_one_of_twenty_comparisons() -> None:
    rates = simulations.paired_rates(SIZES, 0.85, 0.1, draws=500)
    assert 0.04 - 0.028 <= rates["rejected"] <= 0.06 + 0.028
    assert 0.92 <= rates["interval"] <= 0.98


def test_conversation_sizes_are_those_of_the_test_set(sources: Path) -> None:
    sizes = simulations.conversation_sizes(sources / "tft-benchmark" / "test.jsonl")
    assert (len(sizes), sum(sizes), min(sizes), max(sizes)) == (34, 359, 6, 21)


def test_a_comparison_counts_only_pairs_scored_in_both() -> None:
    a = [1.0, 0.0, None, 1.0, 0.5, 1.0]
    b = [0.0, 1.0, 1.0, None, 1.0, 1.0]
    found = paired(a, b, ["x", "x", "y", "y", "z", "z"])
    assert (found.a.value, found.b.value, found.difference.value) == (0.625, 0.75, 0.125)
    assert (found.a.n, found.a.unscored, found.b.unscored, found.difference.unscored) == (4, 2, 2, 2)
    assert (found.better, found.worse, found.equal) == (2, 1, 1)


def test_swapping_the_models_turns_the_difference_around_and_keeps_p() -> None:
    random = Random(5)
    a, b = ([float(random.random() < 0.7) for _ in range(200)] for _ in range(2))
    clusters = [place // 9 for place in range(200)]
    there, back = paired(a, b, clusters), paired(b, a, clusters)
    assert there.p == back.p
    assert (there.difference.low, there.better) == (pytest.approx(-back.difference.high), back.worse)


def test_equal_answers_and_nothing_in_common_are_no_difference() -> None:
    same = paired([1.0, 0.0, 1.0], [1.0, 0.0, 1.0], ["x", "y", "z"])
    assert (same.difference.value, same.p, same.equal) == (0.0, 1.0, 3)
    assert same.smallest_detectable
    apart = paired([1.0, None], [None, 1.0], ["x", "y"])
    assert (apart.difference.value, apart.p, apart.smallest_detectable) == (None, None, None)
    one = paired([1.0, 0.0], [0.0, 0.0], ["x", "x"])
    assert (one.difference.value, one.difference.low, one.p, one.smallest_detectable) == (-0.5, None, None, None)


def _clustered_t(sums: np.ndarray, sizes: np.ndarray) -> float:
    mean = sums.sum() / sizes.sum()
    return abs(mean) / standard_error(list((sums - mean * sizes) / sizes.sum()))


@pytest.mark.parametrize("seed", range(6))
def test_p_is_the_share_of_sign_patterns_with_as_large_a_t(seed: int) -> None:
    """Every pattern written out, clusters without a difference among them."""
    random = Random(seed)
    sizes = np.array([random.randint(1, 9) for _ in range(9)], dtype=float)
    sums = np.array([random.choice([0, 0, 1, -1, 2, 3, 0.25]) for _ in range(9)], dtype=float)
    assert sums.any()
    observed = _clustered_t(sums, sizes)
    patterns = itertools.product([1, -1], repeat=9)
    share = np.mean([_clustered_t(sums * pattern, sizes) >= observed - 1e-9 for pattern in patterns])
    assert sign_flip(list(sums), [int(size) for size in sizes]) == pytest.approx(share)


def test_p_is_that_of_scipys_paired_permutation_test() -> None:
    """Conversations of one turn each, 11 that can be enumerated and 40 that are drawn."""
    for count, tolerance in ((11, 1e-12), (40, 0.015)):
        differences = np.random.default_rng(count).normal(0.3, 1, count)

        def statistic(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
            return np.mean(x - y, axis=axis)

        reference = stats.permutation_test(
            (differences, np.zeros(count)), statistic, permutation_type="samples", n_resamples=20_000, rng=1
        )
        found = sign_flip(list(differences), [1] * count)
        assert found == pytest.approx(reference.pvalue, abs=tolerance)


def test_p_depends_on_the_seed_alone_and_never_is_0() -> None:
    sums, sizes = [1.0] * 60, [3] * 60
    assert sign_flip(sums, sizes, seed=1) == pytest.approx(1 / 10_001)
    uneven = [float(place % 5 - 1.4) for place in range(60)]
    assert sign_flip(uneven, sizes, seed=3) == sign_flip(uneven, sizes, seed=3) != sign_flip(uneven, sizes, seed=4)


def test_one_conversation_with_a_difference_proves_nothing() -> None:
    assert sign_flip([5.0] + [0.0] * 33, [10] * 34) == 1.0


def test_the_bootstrap_agrees_with_the_interval_in_a_large_sample() -> None:
    values, clusters = _rows(300, seed=2)
    found, (low, high) = estimate(values, clusters), bootstrap(values, clusters, seed=1)
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.006)
    assert bootstrap(values, clusters, seed=1) == (low, high)
    assert bootstrap([1.0, 0.0], ["x", "x"]) is None


@pytest.mark.parametrize(("degrees", "tolerance"), [(10, 0.001), (33, 0.0005), (200, 0.0005)])
def test_the_smallest_detectable_effect_is_found_with_its_power(degrees: int, tolerance: float) -> None:
    """statsmodels solves the same for a one-sample t test of degrees + 1 values, in standard deviations."""
    expected = TTestPower().solve_power(nobs=degrees + 1, alpha=0.05, power=0.8) * math.sqrt(degrees + 1)
    assert smallest_detectable(0.02, degrees) == pytest.approx(0.02 * float(expected), rel=tolerance)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_adjusted_p_values_are_those_of_statsmodels(count: int) -> None:
    """With ties among them."""
    p_values = [round(0.3 * Random(f"{count}:{place}").random() ** 2, 2) for place in range(count)]
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_a_missing_p_value_is_no_test() -> None:
    assert holm([None, 0.03, None, 0.01]) == [None, 0.03, None, 0.02]
    assert holm([]) == []


def _model(mean: float, seed: int) -> list[float]:
    """Answers of a model to the same 300 questions; the hard ones are hard for all."""
    random, own = Random(0), Random(seed)
    return [float(0.8 * random.random() + 0.2 * own.random() < mean) for _ in range(300)]


def test_leaders_share_their_group_with_those_not_shown_to_be_worse() -> None:
    clusters = [place // 10 for place in range(300)]
    columns = {
        "bad": _model(0.2, 1),
        "good": _model(0.8, 2),
        "middling": _model(0.5, 3),
        "good too": _model(0.8, 4),
        "silent": [None] * 300,
    }
    groups = tie_groups(columns, clusters)
    assert groups == {"good": 1, "good too": 1, "middling": 2, "bad": 3}
    assert tie_groups(dict(reversed(columns.items())), clusters) == groups
    assert tie_groups({}, []) == {}


def test_one_conversation_separates_nobody() -> None:
    assert tie_groups({"a": [1.0, 1.0], "b": [0.0, 0.0]}, ["x", "x"]) == {"a": 1, "b": 1}


@pytest.mark.parametrize("conversations", [2, 6, 20, 150])
@pytest.mark.parametrize("difference", [0.0, 0.3, -1.0])
def test_equal_differences_leave_room_for_conversations_that_were_not_seen(
    conversations: int, difference: float
) -> None:
    """Up to 1 - 0.05^(1/G) of them may differ, by as much as scores can; at the very end there is room on one side."""
    clusters = [place // 4 for place in range(4 * conversations)]
    a = [max(0.0, -difference)] * len(clusters)
    found = paired(a, [one + difference for one in a], clusters)
    share = 1 - 0.05 ** (1 / conversations)
    low, high = difference - share * (1 + difference), difference + share * (1 - difference)
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high))
    assert found.smallest_detectable
    assert found.few_differ


def test_between_no_conversation_that_differs_and_some_there_is_no_jump() -> None:
    """The width falls in small steps as conversations of six differ, and a tiny difference says next to nothing."""
    clusters = [place // 10 for place in range(60)]

    def width(moved: int, by: float) -> float:
        b = [0.5 + by * (place % 10 == 0 and place // 10 < moved) for place in range(60)]
        difference = paired([0.5] * 60, b, clusters).difference
        assert difference.low is not None
        assert difference.high is not None
        return difference.high - difference.low

    assert width(1, 0.001) == pytest.approx(width(0, 0), rel=0.1)
    steps = [width(moved, 0.5) for moved in range(7)]
    assert all(after > before / 5 for before, after in itertools.pairwise(steps))
    few = [width(1, by / 1000) for by in range(0, 500, 5)]
    assert all(after == pytest.approx(before, rel=0.25) for before, after in itertools.pairwise(few))


def test_a_difference_that_few_conversations_show_is_covered() -> None:
    """Where the error alone covers 5 to 90 %."""
    for conversations, share in ((6, 0.05), (10, 0.1), (20, 0.05), (40, 0.03)):
        rates = simulations.rare_rates(conversations, share, draws=200)
        assert rates["interval"] > 0.9 > rates["symmetric"]


def test_conversations_that_are_nearly_equal_do_not_pin_a_mean_down() -> None:
    clusters = [place // 4 for place in range(24)]
    equal = estimate([0.5] * 24, clusters)
    nearly = estimate([0.501, *[0.5] * 23], clusters)
    assert equal.low is not None
    assert nearly.low is not None
    assert equal.high is not None
    assert nearly.high is not None
    assert nearly.high - nearly.low > 0.5 * (equal.high - equal.low)
