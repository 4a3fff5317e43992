"""How figures are written: with the same digits everywhere, signs that read well, and a word where there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import formatting
from harness.statistics.records import Estimate

SCORES = st.floats(-1, 1)


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=1, clusters=1)


@given(SCORES, SCORES, SCORES)
def test_a_written_interval_holds_value_and_ends_to_three_decimals(value: float, low: float, high: float) -> None:
    written = formatting.interval(estimate(value, low, high))
    numbers = [float(part) for part in written.replace("[", "").replace("]", "").replace(",", "").split()]
    assert numbers == pytest.approx([value, low, high], abs=0.0005)


def test_without_an_interval_the_value_stands_alone_and_without_a_value_a_dash() -> None:
    assert formatting.interval(estimate(0.5)) == "0.500"
    assert formatting.span(estimate(0.5)) == ""
    assert formatting.interval(estimate(None)) == formatting.interval(None) == "–"
    assert formatting.interval(estimate(None), missing="not scored") == "not scored"
    assert formatting.short_interval(estimate(None)) == formatting.half_width(estimate(None)) == "-"


@given(SCORES)
def test_a_difference_in_points_has_its_sign_and_zero_has_a_plus(difference: float) -> None:
    written = formatting.points(difference)
    assert written[0] in "+\N{MINUS SIGN}"
    assert written != "\N{MINUS SIGN}0.0"
    assert float(written.replace("\N{MINUS SIGN}", "-")) == pytest.approx(100 * difference, abs=0.051)


@given(st.floats(0, 1))
def test_a_p_value_is_never_written_as_zero(p: float) -> None:
    written = formatting.p_value(p)
    assert written == "<0.001" if p < 0.001 else float(written) == pytest.approx(p, abs=0.0005)


def test_narrow_forms() -> None:
    one = estimate(0.5, 0.4, 0.65)
    assert formatting.short_interval(one) == "0.500 (.40-.65)"
    assert formatting.half_width(one) == "+0.500 ±0.125"
    assert formatting.bounds(-0.1, 0.25, formatting.signed) == "-0.100 to +0.250"
    assert (formatting.percent(0.1234), formatting.whole_percent(0.1234)) == ("12.3 %", "12%")
