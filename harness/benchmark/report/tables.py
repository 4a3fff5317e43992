"""Cells to tables: means over pairs and seeds, paired differences, and what is published beside them. Pure."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.benchmark.report.assign import AssignedResults, CellKey
from harness.benchmark.report.records import CellResult, Contrast, Row, Run, Score, Table
from harness.benchmark.report.results import Result
from harness.data.formats.calls import parse_answer
from harness.data.published_facts import PublishedFacts
from harness.data.scenarios import ARMS, Arm
from harness.evaluation.results import Rows
from harness.statistics.estimates import estimate, holm, paired
from harness.statistics.records import Estimate

ALPHA = 0.05
_NUMBERED = re.compile(r"s([0-9]+)")
_NO_TOOL = "no tool"
_FAIR: dict[Arm, str] = {"direct": "both on TFT's traces", "tft": "both without the clean tenth"}
"""The fair arm of a comparison, and what the two then have in common."""

Column = Sequence[float | None]


def main_table(assigned: AssignedResults, facts: PublishedFacts, metrics: Sequence[str]) -> Table:
    """Return TFT against Direct, one row per scenario: all published ones where any cell is of one, and all jobs."""
    scenarios = {scenario for scenario, _, fair in assigned.runs if not fair}
    if any(_number(scenario, facts) for scenario, _, _ in assigned.runs):
        scenarios |= {f"s{one.number}" for one in facts.scenarios}
    columns = _Columns(assigned)
    rows = [
        columns.row(facts, metrics, tft=(scenario, "tft", False), direct=(scenario, "direct", False))
        for scenario in sorted(scenarios, key=lambda name: _order(name, facts))
    ]
    return Table(name="main", rows=_adjusted(rows))


def fair_table(assigned: AssignedResults, facts: PublishedFacts, metrics: Sequence[str]) -> Table | None:
    """Return the comparisons in which both pipelines see the same damage; None without a fair arm.

    Published TFT traces keep a tenth clean, Direct's keep none. So a fair Direct (on the TFT traces) is compared with
    the usual TFT, and a fair TFT (without the clean tenth) with the usual Direct.
    """
    columns = _Columns(assigned)
    rows = []
    for scenario in sorted({name for name, _, fair in assigned.runs if fair}, key=lambda name: _order(name, facts)):
        for arm, note in _FAIR.items():
            keys: dict[Arm, CellKey] = {one: (scenario, one, one == arm) for one in ARMS}
            if keys[arm] in assigned.runs:
                rows.append(columns.row(facts, metrics, tft=keys["tft"], direct=keys["direct"], note=note))
    return Table(name="fair", rows=_adjusted(rows)) if rows else None


def _number(scenario: str, facts: PublishedFacts) -> int | None:
    found = _NUMBERED.fullmatch(scenario)
    return int(found[1]) if found and facts.scenario(int(found[1])) else None


def _order(scenario: str, facts: PublishedFacts) -> tuple[bool, int, str]:
    number = _number(scenario, facts)
    return number is None, number or 0, scenario


def _title(scenario: str, facts: PublishedFacts) -> str:
    number = _number(scenario, facts)
    known = facts.scenario(number) if number is not None else None
    return known.title if known else scenario


class _Columns:
    """The values of every cell, pair by pair, all in one order."""

    def __init__(self, assigned: AssignedResults) -> None:
        self.assigned = assigned
        first: Rows = next((assigned.results[config].rows for config in sorted(assigned.results)), [])
        self.pairs = [row["pair_id"] for row in first]
        self.clusters = [row["conversation"] for row in first]
        self.tools = [_tool(row["reference"]) for row in first]

    def row(
        self, facts: PublishedFacts, metrics: Sequence[str], *, tft: CellKey, direct: CellKey, note: str | None = None
    ) -> Row:
        scenario, number = tft[0], _number(tft[0], facts)
        published = facts.scenario(number) if number is not None and note is None else None
        values = {key: self._by_seed(key, metrics) for key in (tft, direct)}
        return Row(
            scenario=scenario,
            number=number,
            title=_title(scenario, facts),
            note=note,
            tft=self._cell(tft, values[tft]),
            direct=self._cell(direct, values[direct]),
            contrasts={
                metric: self._contrast(values[tft][metric], values[direct][metric])
                for metric in metrics
                if values[tft] and values[direct]
            },
            published={} if published is None else _published(facts, published.number, metrics),
        )

    def _runs(self, key: CellKey) -> tuple[Run, ...]:
        return self.assigned.runs.get(key) or (Run(model=None, seed=0, status="not run"),)

    def _by_seed(self, key: CellKey, metrics: Sequence[str]) -> dict[str, dict[int, Column]]:
        """Return metric -> seed -> values; empty without a run that is done."""
        done = {run.seed: run.config for run in self._runs(key) if run.status == "done" and run.config}
        return {
            metric: {seed: self._values(config, metric) for seed, config in done.items()} for metric in metrics if done
        }

    def _values(self, config: str, metric: str) -> Column:
        return values_of(self.assigned.results[config], metric, self.pairs)

    def _cell(self, key: CellKey, values: Mapping[str, Mapping[int, Column]]) -> CellResult:
        scenario, arm, fair = key
        runs = self._runs(key)
        errors = sum(run.errors for run in runs if run.status == "done")
        scores = {metric: self._score(by_seed, errors) for metric, by_seed in values.items()}
        return CellResult(scenario=scenario, arm=arm, fair=fair, runs=runs, scores=scores)

    def _score(self, by_seed: Mapping[int, Column], errors: int) -> Score:
        mean = mean_column(by_seed.values())
        whole = estimate(mean, self.clusters)
        unscored = sum(value is None for column in by_seed.values() for value in column)
        means = {seed: estimate(column, self.clusters).value for seed, column in by_seed.items()}
        by_tool = self._by_tool(mean)
        values = [one.value for one in by_tool.values() if one.value is not None]
        return Score(
            overall=replace(whole, errors=errors, unscored=unscored),
            by_seed=means,
            spread=_spread(means.values()),
            macro=sum(values) / len(values) if values else None,
            by_tool=by_tool,
        )

    def _by_tool(self, column: Column) -> dict[str, Estimate]:
        found = {}
        for tool, _ in Counter(self.tools).most_common():
            where = [place for place, name in enumerate(self.tools) if name == tool]
            found[tool] = estimate([column[place] for place in where], [self.clusters[place] for place in where])
        return found

    def _contrast(self, tft: Mapping[int, Column], direct: Mapping[int, Column]) -> Contrast:
        test = paired(mean_column(direct.values()), mean_column(tft.values()), self.clusters, alpha=ALPHA)
        both = sorted(set(tft) & set(direct))
        seeds = {seed: paired(direct[seed], tft[seed], self.clusters, alpha=ALPHA).difference.value for seed in both}
        return Contrast(
            difference=test.difference,
            p=test.p,
            adjusted=test.p,
            smallest_detectable=test.smallest_detectable,
            tie=test.p is None or test.p >= ALPHA,
            by_seed=seeds,
        )


def values_of(result: Result, metric: str, pairs: Sequence[str]) -> Column:
    """Return the values of one metric for these pairs, in their order; None where there is none."""
    known = {row["pair_id"]: row.get(metric) for row in result.rows}
    return [known.get(pair) for pair in pairs]


def mean_column(columns: Iterable[Column]) -> list[float | None]:
    """Return for each pair the mean over the columns that have a value for it."""
    listed = []
    for values in zip(*columns, strict=True):
        known = [value for value in values if value is not None]
        listed.append(sum(known) / len(known) if known else None)
    return listed


def _spread(means: Iterable[float | None]) -> float | None:
    known = [mean for mean in means if mean is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def _tool(reference: str) -> str:
    calls = parse_answer(reference)
    return calls[0].name if calls else _NO_TOOL


def _published(facts: PublishedFacts, number: int, metrics: Sequence[str]) -> dict[str, dict[str, float | None]]:
    found = {}
    for metric in metrics:
        one = next(one for one in facts.differences(metric) if one.scenario.number == number)
        if one.tft is not None or one.direct is not None:
            found[metric] = {"tft": one.tft, "direct": one.direct, "points": one.points}
    return found


def _adjusted(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows with their p values adjusted for all rows of the table, metric by metric."""
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.contrasts))
    contrasts: list[dict[str, Contrast]] = [dict(row.contrasts) for row in rows]
    for metric in metrics:
        places = [place for place, row in enumerate(rows) if metric in row.contrasts]
        adjusted = holm([contrasts[place][metric].p for place in places])
        for place, p in zip(places, adjusted, strict=True):
            one = contrasts[place][metric]
            contrasts[place][metric] = replace(one, adjusted=p, tie=p is None or p >= ALPHA)
    return tuple(replace(row, contrasts=found) for row, found in zip(rows, contrasts, strict=True))
