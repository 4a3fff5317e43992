"""How figures are written, the same in tables, cards, comments and plots: numbers, intervals, p values, points, shares.

Plain text. Where there is no figure, `missing` is written. Long texts and rows of names are cut here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from harness.statistics.records import Estimate

Key = TypeVar("Key")
NOTHING = "–"
POINTS = 100
"""A score from 0 to 1 in points."""


def number(value: float | None, *, digits: int = 3, missing: str = NOTHING) -> str:
    """Return a number with a fixed number of decimals."""
    return missing if value is None else f"{value:.{digits}f}"


def cell(value: float | None, *, digits: int = 3) -> str:
    """Return a number for a table in a terminal: a hyphen, which every font has, where there is none."""
    return number(value, digits=digits, missing="-")


def signed(value: float | None, *, digits: int = 3, missing: str = NOTHING) -> str:
    """Return a difference with its sign."""
    return missing if value is None else f"{value:+.{digits}f}"


def span(one: Estimate | None, write: Callable[[float], str] = number) -> str:
    """Return `[low, high]`; empty where there is no interval."""
    return "" if one is None or one.low is None or one.high is None else f"[{write(one.low)}, {write(one.high)}]"


def interval(one: Estimate | None, write: Callable[[float], str] = number, *, missing: str = NOTHING) -> str:
    """Return `value [low, high]`, the value alone where it has no interval."""
    return missing if one is None or one.value is None else f"{write(one.value)} {span(one, write)}".rstrip()


def bounds(low: float, high: float, write: Callable[[float], str] = number) -> str:
    """Return an interval within a sentence, `low to high`."""
    return f"{write(low)} to {write(high)}"


def short_bounds(low: float, high: float) -> str:
    """Return an interval of scores as `.40-.60`, for narrow tables."""
    return "-".join(number(end, digits=2).removeprefix("0") for end in (low, high))


def short_interval(one: Estimate) -> str:
    """Return `value (.40-.60)`: short, so that tables fit a terminal; reports hold all digits."""
    if one.value is None or one.low is None or one.high is None or one.high <= one.low:
        return cell(one.value)
    return f"{cell(one.value)} ({short_bounds(one.low, one.high)})"


def half_width(one: Estimate) -> str:
    """Return a difference as `+value ±half`, for narrow tables."""
    if one.value is None or one.low is None or one.high is None:
        return signed(one.value, missing="-")
    return f"{signed(one.value)} ±{number((one.high - one.low) / 2)}"


def p_value(p: float | None, *, missing: str = NOTHING) -> str:
    """Return a p value with as many decimals as 10,000 sign flips carry; below 0.001 it is only said to be so."""
    return "<0.001" if p is not None and p < 0.001 else number(p, missing=missing)


def points(difference: float | None) -> str:
    """Return a difference of scores in points, signed."""
    return as_points(None if difference is None else POINTS * difference)


def as_points(value: float | None) -> str:
    """Return a difference that is in points already. Negative ones have a minus sign, not a hyphen."""
    if value is None:
        return NOTHING
    return signed(round(value, 1) + 0.0, digits=1).replace("-", "\N{MINUS SIGN}")  # + 0.0: no negative zero


def points_span(one: Estimate | None) -> str:
    """Return the interval of a difference in points; empty where there is none."""
    return span(one, points)


def spread(value: float | None) -> str:
    """Return a standard deviation of scores in points, unsigned."""
    return number(None if value is None else POINTS * value, digits=1)


def percent(share: float) -> str:
    """Return a share with one decimal, `12.3 %`."""
    return f"{number(100 * share, digits=1)} %"


def whole_percent(share: float) -> str:
    """Return a share without decimals, `12%`, for narrow tables and remarks."""
    return f"{share:.0%}"


def most_common_first(counts: Mapping[Key, int]) -> dict[Key, int]:
    """Return counts by falling number, ties by name, so that what is shown does not depend on reading order."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))


def cut(text: object, size: int) -> str:
    """Return a text of at most `size` characters, and how many more there are where it was longer."""
    whole = str(text)
    return whole if len(whole) <= size else f"{whole[:size]}… ({len(whole) - size:,} more characters)"


def first_of(names: Sequence[str], most: int, what: str = "") -> str:
    """Return names in a row, `a, b and 3 more`; `what` follows the number."""
    more = f" and {len(names) - most} more{what}" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
