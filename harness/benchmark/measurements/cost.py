"""What damaged traces cost a pipeline: its cells against its own cell on clean traces, turn by turn. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.benchmark.measurements.record import Measurement
from harness.benchmark.report.format import arm_name, listed, short
from harness.benchmark.report.records import CellResult, Row, Run
from harness.benchmark.report.tables import ALPHA, Column, mean_column
from harness.data.published_facts import PublishedFacts
from harness.data.scenarios import ARMS, Arm
from harness.evaluation.metrics import JUDGE_METRIC
from harness.statistics.estimates import holm, paired
from harness.statistics.formatting import POINTS
from harness.statistics.records import Estimate

Of = Callable[[Run], Measurement]
_CLEAN = 1
"""The scenario with clean traces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One cell minus the same pipeline's cell on clean traces."""

    row: Row
    cell: CellResult
    difference: Estimate
    adjusted: float | None
    """Two-sided p, adjusted for all comparisons of this kind (Holm)."""
    published: float | None
    """In points, by the published judge."""

    @property
    def told(self) -> bool:
        """Whether the two can be told apart."""
        return self.adjusted is not None and self.adjusted < ALPHA


def costs(rows: Sequence[Row], metric: str, of: Of, facts: PublishedFacts) -> list[Cost]:
    """Return what each measured cell scores beside the clean one of its pipeline; none before that is measured."""
    found = [one for arm in ARMS for one in _of_arm(rows, arm, metric, of, facts)]
    adjusted = holm([p for _, p in found])
    return [replace(one, adjusted=p) for (one, _), p in zip(found, adjusted, strict=True)]


def _of_arm(
    rows: Sequence[Row], arm: Arm, metric: str, of: Of, facts: PublishedFacts
) -> Iterator[tuple[Cost, float | None]]:
    cells = [(row, row.tft if arm == "tft" else row.direct) for row in rows]
    clean = next((cell for row, cell in cells if row.number == _CLEAN and cell.done), None)
    for row, cell in cells:
        if clean is None or row.number in (None, _CLEAN) or not cell.done:
            continue
        clusters = [one["conversation"] for one in of(cell.done[0]).rows]
        test = paired(_values(clean, metric, of), _values(cell, metric, of), clusters, alpha=ALPHA)
        published = _published(facts, row.number or 0, arm)
        yield Cost(row=row, cell=cell, difference=test.difference, adjusted=None, published=published), test.p


def _values(cell: CellResult, metric: str, of: Of) -> Column:
    return mean_column([one.get(metric) for one in of(run).rows] for run in cell.done)


def _published(facts: PublishedFacts, number: int, arm: Arm) -> float | None:
    scores = {one.number: one.scores[arm].get(JUDGE_METRIC) for one in facts.scenarios}
    damaged, clean = scores.get(number), scores.get(_CLEAN)
    return None if damaged is None or clean is None else round(POINTS * (damaged - clean), 1)


def say_costs(found: Sequence[Cost]) -> Iterator[str]:
    """Yield for each pipeline where it scores significantly below its own clean cell."""
    for name in dict.fromkeys(arm_name(one.cell) for one in found):
        own = [one for one in found if arm_name(one.cell) == name]
        below = [short(one.row) for one in own if one.told and (one.difference.value or 0.0) < 0]
        of = f"(measured: {listed([short(one.row) for one in own])})"
        if below:
            yield f"{name} is significantly below its own S{_CLEAN} in {listed(below)} {of}."
        else:
            yield f"{name} is nowhere significantly below its own S{_CLEAN} {of}."
