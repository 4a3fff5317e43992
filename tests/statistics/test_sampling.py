"""Several samples of each pair: every estimator against its closed form, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.estimates import estimate
from harness.statistics.sampling import all_of, any_of, error_parts, pass_rates, sample_means


@given(p=st.floats(0, 1), total=st.integers(1, 12), data=st.data())
def test_pass_rates_are_unbiased(p: float, total: int, data: st.DataObject) -> None:
    """Over all numbers of right answers, weighted by their chance: 1 - (1 - p)^k and p^k."""
    k = data.draw(st.integers(1, total))
    chances = [comb(total, right) * p**right * (1 - p) ** (total - right) for right in range(total + 1)]
    either = sum(chance * any_of(k, right, total) for right, chance in enumerate(chances))
    every = sum(chance * all_of(k, right, total) for right, chance in enumerate(chances))
    assert either == pytest.approx(1 - (1 - p) ** k, abs=1e-9)
    assert every == pytest.approx(p**k, abs=1e-9)


def test_the_part_of_sampling_is_unbiased() -> None:
    """Over every outcome of three pairs with two and three samples: sum of p(1 - p) / m, over the squared number."""
    rates, sizes = (0.2, 0.5, 0.9), (2, 3, 2)
    expected = sum(p * (1 - p) / m for p, m in zip(rates, sizes, strict=True)) / len(rates) ** 2
    found = 0.0
    for outcome in product((0.0, 1.0), repeat=sum(sizes)):
        drawn = iter(outcome)
        samples = [[next(drawn) for _ in range(m)] for m in sizes]
        chance = 1.0
        for p, one in zip(rates, samples, strict=True):
            chance *= p ** sum(one) * (1 - p) ** (len(one) - sum(one))
        part = error_parts(samples, "abc").samples
        assert part is not None
        found += chance * part**2
    assert found == pytest.approx(expected)


def test_both_parts_are_those_of_the_closed_form() -> None:
    """Conversations of 5 pairs, 4 samples: the mean of 2,000 estimates within 3 % of what was simulated."""
    groups, size, samples, a, b, spread = 40, 5, 4, 3.0, 2.0, 4.0
    generator = np.random.default_rng(0)
    clusters = [group for group in range(groups) for _ in range(size)]
    whole, part = 0.0, 0.0
    draws = 2000
    for _ in range(draws):
        rates = np.repeat(generator.beta(a, b, groups), size)
        pairs = generator.beta(rates * spread, (1 - rates) * spread)
        values = (generator.random((groups * size, samples)) < pairs[:, None]).astype(float)
        found = error_parts(values.tolist(), clusters)
        assert found.whole is not None
        assert found.samples is not None
        assert found.conversations is not None
        assert found.samples**2 + found.conversations**2 == pytest.approx(found.whole**2)
        whole, part = whole + found.whole**2 / draws, part + found.samples**2 / draws
    mean = a / (a + b)
    between = mean * (1 - mean) / (a + b + 1)  # of conversations' rates
    inside = (mean * (1 - mean) - between) / (spread + 1)  # of pairs' rates, given the conversation's
    drawn = mean * (1 - mean) - between - inside  # of a sample, given the pair's rate
    assert part == pytest.approx(drawn / (groups * size * samples), rel=0.03)
    assert whole == pytest.approx((between + (inside + drawn / samples) / size) / groups, rel=0.03)


def test_the_whole_error_is_that_of_the_interval() -> None:
    """What the parts are parts of is what `estimate` takes for the mean of the pairs' means."""
    values = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    clusters = ["a", "a", "b", "b", "c", "c"]
    same = [[one, one] for one in sample_means(values)]
    whole, still = error_parts(values, clusters), error_parts(same, clusters)
    assert whole.whole == still.whole
    assert (still.samples, still.conversations) == (0.0, still.whole)
    assert estimate(sample_means(values), clusters).value == pytest.approx(7 / 12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1.0, None], [0.0, None]], None),
        ([[None, None], [None, None]], None),
        ([[1.0, 0.0], [None, 1.0]], (0.5 / 2 + 0.5 / 1) ** 0.5 / 2),
    ],
)
def test_what_is_missing_is_left_out(values: Sequence[Sequence[float | None]], expected: float | None) -> None:
    """A pair with one score has the spread of the others; without any with two, nothing is known of sampling."""
    found = error_parts(values, [0, 1])
    assert found.samples == (None if expected is None else pytest.approx(expected))
    assert (found.conversations is None) == (expected is None)


def test_pairs_with_fewer_samples_than_k_are_unscored_at_k() -> None:
    values = [[1.0, 0.0, 1.0, 1.0, 0.0], [0.75, 0.0, None, 0.0, 0.0], [None] * 5]
    found = pass_rates(values, ["a", "b", "c"])
    assert [one.k for one in found] == [1, 2, 4, 5]
    assert [one.any.n for one in found] == [one.all.n for one in found] == [2, 2, 2, 1]
    assert [one.any.unscored for one in found] == [1, 1, 1, 2]
    assert [one.any.value for one in found] == pytest.approx([0.3, (1 - 1 / 10) / 2, 0.5, 1.0])
    assert [one.all.value for one in found] == pytest.approx([0.3, 3 / 10 / 2, 0.0, 0.0])
    assert pass_rates([], []) == ()
