"""Scores by whole conversation, on cases small enough to see."""

from __future__ import annotations

import pytest

from harness.evaluation.conversation_scores import score_conversations
from harness.statistics.estimates import estimate


def test_a_conversation_is_right_where_every_turn_is() -> None:
    found = score_conversations([1.0, 1.0, 1.0, 0.75, 1.0], ["a", "a", "b", "b", "c"], [0, 1, 0, 1, 0])
    assert found.success == estimate([1.0, 0.0, 1.0], ["a", "b", "c"])
    assert found.first_error_turn == 1.0
    assert found.turns_before_error == pytest.approx((2 + 1 + 1) / 3)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [(0.5, "b", 2), (1.0, "a", 0), (0.0, "b", 7), (1.0, "b", 1), (0.25, "a", 3)]
    there, back = (score_conversations(*zip(*order, strict=True)) for order in (rows, rows[::-1]))
    assert there == back
    assert (there.first_error_turn, there.turns_before_error, there.success.value) == (2.5, 1.0, 0.0)


def test_an_unscored_turn_makes_a_conversation_unscored_unless_another_is_wrong() -> None:
    found = score_conversations([1.0, None, 1.0, None, 0.0], ["a", "a", "b", "c", "c"], [0, 1, 0, 0, 1])
    assert (found.success.value, found.success.n, found.success.unscored) == (0.5, 2, 1)


def test_an_error_after_an_unscored_turn_may_not_be_the_first() -> None:
    """Nor is it known how many turns were right; before the unscored turn both would be."""
    unknown = score_conversations([1.0, None, 0.0], ["a", "a", "a"], [0, 1, 2])
    assert (unknown.success.value, unknown.first_error_turn, unknown.turns_before_error) == (0.0, None, None)
    known = score_conversations([1.0, 0.0, None], ["a", "a", "a"], [0, 1, 2])
    assert (known.success.value, known.first_error_turn, known.turns_before_error) == (0.0, 1.0, 1.0)


def test_without_rows_or_errors_there_is_no_first_error() -> None:
    nothing = score_conversations([], [], [])
    assert (nothing.success.value, nothing.first_error_turn, nothing.turns_before_error) == (None, None, None)
    perfect = score_conversations([1.0] * 6, ["a", "a", "b", "b", "b", "b"], [0, 1, 0, 1, 2, 3])
    assert (perfect.success.value, perfect.first_error_turn, perfect.turns_before_error) == (1.0, None, 3.0)
