"""Agreement and reliability of voters against values that are known."""

from __future__ import annotations

from random import Random

import krippendorff
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.curation.committee.summary import reliability
from harness.statistics.agreement import gwet_ac1, krippendorff_alpha, observed_agreement


def votes(rng: Random, truth: list[str], accuracy: float) -> list[str | None]:
    names = ["reply", "search", "book"]
    wrong = {name: [other for other in names if other != name] for name in names}
    return [label if rng.random() < accuracy else rng.choice(wrong[label]) for label in truth]


def test_the_share_of_right_votes_is_recovered_without_the_truth() -> None:
    rng = Random(5)
    truth = rng.choices(["reply", "search", "book"], weights=[8, 1, 1], k=3000)
    accuracies = {"good": 0.97, "fair": 0.85, "raw": 0.55}
    columns = {name: votes(rng, truth, accuracy) for name, accuracy in accuracies.items()}
    found = reliability(columns)
    for name, column in columns.items():
        right = sum(a == b for a, b in zip(column, truth, strict=True)) / len(truth)
        assert found[name] == pytest.approx(right, abs=0.04), name


def test_a_voter_that_never_votes_has_no_reliability_and_gaps_are_no_votes() -> None:
    found = reliability({"silent": [None, None, None], "a": ["x", None, "y"], "b": ["x", "y", "y"]})
    assert found["silent"] is None
    assert found["a"] == pytest.approx(1.0, abs=0.05)
    assert reliability({"silent": [None]}) == {"silent": None}


def test_agreement_of_three_categories_equals_the_worked_example() -> None:
    # Four items, two raters: observed 3/4. Shares: a 3/8, b 3/8, c 2/8, so chance (Gwet) is
    # (3/8*5/8 + 3/8*5/8 + 2/8*6/8) / 2 = 42/128 and AC1 = (96 - 42) / (128 - 42).
    cases = [["a", "a"], ["b", "b"], ["c", "c"], ["a", "b"]]
    assert observed_agreement(cases) == pytest.approx(0.75)
    assert gwet_ac1(cases, 3) == pytest.approx(54 / 86)
    # Krippendorff: 1 - (n - 1) * (observed disagreements) / (sum of n_c * n_k over c != k); n = 8, o = 2, pairs 42
    assert krippendorff_alpha(cases) == pytest.approx(1 - 7 * 2 / 42)
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
    assert gwet_ac1([["a"]], 3) is None


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=2, max_size=4), min_size=2, max_size=12))
def test_alpha_equals_the_reference_implementation(cases: list[list[str]]) -> None:
    labels = sorted({label for case in cases for label in case})
    found = krippendorff_alpha(cases)
    if len(labels) < 2:
        assert found is None
        return
    table = [[case.count(label) for label in labels] for case in cases]
    assert found == pytest.approx(krippendorff.alpha(value_counts=table, level_of_measurement="nominal"))
