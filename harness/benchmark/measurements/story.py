"""Whether the measured differences agree with the published ones, scenario by scenario, in plain sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.benchmark.report.format import listed, short
from harness.benchmark.report.records import Contrast, Row
from harness.data.published_facts import Difference, PublishedFacts
from harness.evaluation.metrics import JUDGE_METRIC
from harness.statistics.formatting import POINTS, as_points, number, p_value, points, points_span, spread

Agreement = Literal["agrees", "contradicts", "open", "not compared yet"]
_NAMES = {"tft": "TFT", "direct": "Direct"}
_COUNTED: dict[Agreement, tuple[str, str]] = {
    "agrees": ("agrees", "agree"),
    "contradicts": ("contradicts it", "contradict it"),
    "open": ("leaves it open", "leave it open"),
    "not compared yet": ("cannot be compared yet", "cannot be compared yet"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One scenario: what was published about it, and whether the measured difference says the same."""

    row: Row
    agreement: Agreement
    sentence: str


def compare(rows: Sequence[Row], metric: str, facts: PublishedFacts) -> list[Compared]:
    """Return what each row says to the published difference in the same scenario.

    It agrees where the pipeline that was published as ahead is significantly ahead (Holm over the table), and where
    none was published as ahead and the whole interval is within the points that count as no difference; it contradicts
    where another one is significantly ahead. In all other cases it is open: a difference that is not found may be there
    all the same.
    """
    # What was published is told by the published judge, whatever metric is measured: only it has all ten scores.
    published = {one.scenario.number: one for one in facts.differences(JUDGE_METRIC)}
    return [
        _compared(row, row.contrasts.get(metric), published[row.number], facts.comparison.points)
        for row in rows
        if row.number in published
    ]


def _compared(row: Row, contrast: Contrast | None, published: Difference, threshold: float) -> Compared:
    told = f"published {as_points(published.points)} points, {_winner(published, threshold)}"
    if contrast is None or contrast.difference.value is None:
        return Compared(row=row, agreement="not compared yet", sentence=f"{row.title} cannot be compared yet: {told}.")
    ahead = None if contrast.tie else "tft" if contrast.difference.value > 0 else "direct"
    same = ahead == published.winner and (ahead is not None or _within(contrast, threshold))
    agreement: Agreement = "agrees" if same else "contradicts" if ahead not in (None, published.winner) else "open"
    measured = (
        f"measured {points(contrast.difference.value)} points {points_span(contrast.difference)}, "
        f"{_measured_winner(contrast, ahead)}"
    )
    return Compared(
        row=row,
        agreement=agreement,
        sentence=f"{row.title} {_COUNTED[agreement][0]}: {told}; {measured}.",
    )


def _within(one: Contrast, threshold: float) -> bool:
    """Whether the whole interval is within so many points of no difference."""
    low, high = one.difference.low, one.difference.high
    return low is not None and high is not None and max(-low, high) * POINTS <= threshold


def _winner(published: Difference, threshold: float) -> str:
    if published.winner is None:
        return f"which is within the {number(threshold, digits=0)} points that count as no difference"
    return f"{_NAMES[published.winner]} ahead"


def _measured_winner(one: Contrast, ahead: str | None) -> str:
    if ahead:
        return f"{_NAMES[ahead]} significantly ahead (adjusted p {p_value(one.adjusted)})"
    least = one.smallest_detectable
    found = f"; a true difference of {spread(least)} points would be found in 80 % of cases" if least else ""
    return f"which cannot be told from none (adjusted p {p_value(one.adjusted)}{found})"


def summarize_story(found: Sequence[Compared]) -> Iterator[str]:
    """Yield how many scenarios agree with what was published, contradict it, or leave it open, by name."""
    parts = []
    for agreement, (one, many) in _COUNTED.items():
        names = [short(each.row) for each in found if each.agreement == agreement]
        if names:
            parts.append(f"{listed(names)} {one if len(names) == 1 else many}")
    if parts:
        yield f"Of what was published about TFT against Direct: {'; '.join(parts)}."
