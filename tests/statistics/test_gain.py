"""Gains over the best of several baselines: bounds of known samples, and what makes a verdict better or worse."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.estimates import paired
from harness.statistics.gain import decide, fewest_clusters, gain

RANK = {"STOP": 0, "ITERATE": 1, "PROCEED": 2}
LIMITS = {"minimum_effect": 0.05, "level": 0.05}
columns = st.integers(2, 25).flatmap(
    lambda n: st.tuples(*(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75]), min_size=n, max_size=n) for _ in range(3)))
)


def test_with_one_arm_and_one_baseline_the_bounds_are_those_of_a_comparison() -> None:
    rng = Random(1)
    clusters = [place // 5 for place in range(100)]
    arm, base = ([float(rng.random() < chance) for _ in clusters] for chance in (0.8, 0.5))
    found, known = gain(arm, {"base": base}, clusters, **LIMITS), paired(base, arm, clusters).difference
    assert (found.value, found.low, found.high) == pytest.approx((known.value, known.low, known.high))


def test_the_gain_over_the_best_is_the_least_of_the_gains_and_allows_for_the_choice() -> None:
    rng = Random(2)
    clusters = [place // 5 for place in range(100)]
    arm, good, bad = ([float(rng.random() < chance) for _ in clusters] for chance in (0.8, 0.5, 0.1))
    alone, both = (gain(arm, found, clusters, **LIMITS) for found in ({"good": good}, {"good": good, "bad": bad}))
    assert (both.over, both.value, both.low) == (alone.over, alone.value, alone.low)
    assert both.high > alone.high  # any of two may be too low by chance
    assert gain(arm, {"good": good}, clusters, **LIMITS, arms=2).low < alone.low


@pytest.mark.parametrize("conversations", [6, 12, 34])
def test_equal_differences_leave_open_what_no_conversation_showed(conversations: int) -> None:
    """With six, 46 % of all conversations may be otherwise; equal ones alone never make an interval without width."""
    clusters = [*range(conversations)]
    found = gain([0.3] * conversations, {"base": [0.2] * conversations}, clusters, **LIMITS)
    unseen = 1 - 0.05 ** (1 / conversations)
    assert (found.low, found.high) == pytest.approx((0.1 - unseen * 1.1, 0.1 + unseen * 0.9))
    assert found.decision == "ITERATE"


def test_few_conversations_decide_nothing_and_missing_values_speak_against_either_bound() -> None:
    few = fewest_clusters(0.05) - 1
    assert gain([1.0] * few, {"base": [0.0] * few}, [*range(few)], **LIMITS).decision == "ITERATE"
    assert gain([1.0], {"base": [0.0]}, [0], **LIMITS).low is None
    arm, base, clusters = [1.0] * 40, [0.0] * 40, [*range(40)]
    assert gain(arm, {"base": base}, clusters, **LIMITS).decision == "PROCEED"
    lost = gain([None] * 40, {"base": base}, clusters, **LIMITS)
    assert (lost.decision, lost.missing) == ("ITERATE", 40)


def test_conversations_count_by_their_turns_and_no_fewer_than_could_decide_are_asked_for() -> None:
    """One of ten with most of the turns leaves as little to tell by as two or three of one length."""
    few = gain([1.0] * 3, {"base": [0.0] * 3}, [*range(3)], **LIMITS)
    assert few.needed == fewest_clusters(0.05)
    for turns, decision in ((3, "PROCEED"), (40, "ITERATE")):
        clusters = [0] * turns + [1 + place // 3 for place in range(27)]
        found = gain([1.0] * len(clusters), {"base": [0.0] * len(clusters)}, clusters, **LIMITS)
        assert (found.decision, found.conversations) == (decision, 10)
        assert found.effective == pytest.approx((turns + 27) ** 2 / (turns**2 + 9 * 9))
        assert found.needed is None or found.needed >= 10 * fewest_clusters(0.05) / found.effective


def test_to_beat_several_equal_baselines_takes_more_conversations_than_to_beat_one() -> None:
    rng = Random(6)
    clusters = [place // 5 for place in range(170)]
    arm, base, poor = ([float(rng.random() < chance) for _ in clusters] for chance in (0.62, 0.5, 0.1))
    first, second, weak = {"first": base}, {"second": [*base[5:], *base[:5]]}, {"weak": poor}
    one, both, easy = (gain(arm, more, clusters, **LIMITS).needed for more in (first, first | second, first | weak))
    assert one is not None
    assert both is not None
    assert both > one
    assert easy == pytest.approx(one, abs=1)


@given(columns)
def test_an_arm_that_is_better_everywhere_never_has_a_worse_verdict(found: tuple[list[float], ...]) -> None:
    arm, first, second = found
    clusters = [place // 2 for place in range(len(arm))]
    baselines = {"first": first, "second": second}
    before = gain(arm, baselines, clusters, **LIMITS)
    after = gain([value + 0.25 for value in arm], baselines, clusters, **LIMITS)
    assert RANK[after.decision] >= RANK[before.decision]
    assert after.low is None or after.low >= before.low - 1e-9


@given(columns, st.sampled_from([0.0, 0.02, 0.1]))
def test_a_smaller_effect_is_easier_to_show_and_one_baseline_less_is_easier_to_beat(
    found: tuple[list[float], ...], smaller: float
) -> None:
    arm, first, second = found
    clusters = [place // 2 for place in range(len(arm))]
    both = gain(arm, {"first": first, "second": second}, clusters, minimum_effect=0.1, level=0.05)
    easier = gain(arm, {"first": first, "second": second}, clusters, minimum_effect=smaller, level=0.05)
    assert RANK[easier.decision] >= RANK[both.decision]
    assert both.low is None or gain(arm, {"first": first}, clusters, minimum_effect=0.1, level=0.05).low >= both.low


def test_the_number_of_conversations_grows_with_the_square_of_what_is_to_be_told() -> None:
    rng = Random(3)
    clusters = [place // 5 for place in range(170)]
    arm, base = ([float(rng.random() < chance) for _ in clusters] for chance in (0.62, 0.5))
    found = [gain(arm, {"base": base}, clusters, minimum_effect=0.05 - step, level=0.05) for step in (0.0, 0.02)]
    assert [one.decision for one in found] == ["ITERATE", "ITERATE"]
    assert found[0].needed is not None
    assert found[1].needed is not None
    ratio = (found[1].value - 0.03) / (found[0].value - 0.05)
    assert found[0].needed / found[1].needed == pytest.approx(ratio**2, rel=0.05)
    assert math.isfinite(found[0].needed)


def test_at_the_minimum_effect_few_verdicts_are_wrong() -> None:
    """Two equal arms just at the minimum effect, over two equal baselines: at most about the level either way."""
    rng, found = Random(4), []
    for _ in range(150):
        clusters = [place // 4 for place in range(80)]
        luck = [rng.random() for _ in range(20)]

        def column(chance: float, clusters: list[int] = clusters, luck: list[float] = luck) -> list[float | None]:
            return [float(rng.random() < chance + 0.3 * (luck[one] - 0.5)) for one in clusters]

        baselines = {"first": column(0.4), "second": column(0.4)}
        gains = [gain(column(0.45), baselines, clusters, **LIMITS, arms=2) for _ in range(2)]
        found.append(decide(gains, 2))
    assert found.count("PROCEED") <= 10
    assert found.count("STOP") <= 10
