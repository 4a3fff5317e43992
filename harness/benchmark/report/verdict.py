"""What the main table says, in plain sentences: where TFT beats Direct, where not, and where it is undecided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.benchmark.report.format import (
    arm_name,
    listed,
    metric_name,
    short,
    state,
)
from harness.benchmark.report.records import Baseline, CellResult, Contrast, JudgeSummary, ReportVerdict, Row, Table
from harness.benchmark.report.tables import ALPHA
from harness.evaluation.baselines import BASELINES, GOLD
from harness.statistics.formatting import number, p_value, points, span, spread
from harness.statistics.records import Estimate

TOO_SMALL = "the student is too small (or the data too few) to tell"


def reach_verdict(main: Table, baselines: Sequence[Baseline], metric: str, judge: JudgeSummary | None) -> ReportVerdict:
    """Return the verdict on the corrupted scenarios, by `metric`: paired, clustered by conversation, Holm-adjusted."""
    by = metric_name(metric, rules=judge is not None and judge.rules)
    compared = {row.scenario: row.contrasts[metric] for row in main.rows if row.corrupted and metric in row.contrasts}
    told = {name: one for name, one in compared.items() if not one.tie}
    null = _best_baseline(baselines, metric)
    cells = _scored_cells(main, metric)
    verdict = ReportVerdict(
        metric=metric,
        alpha=ALPHA,
        tft=tuple(name for name, one in told.items() if (one.difference.value or 0.0) > 0),
        direct=tuple(name for name, one in told.items() if (one.difference.value or 0.0) < 0),
        untold=tuple(name for name in compared if name not in told),
        missing=tuple(row.scenario for row in main.rows if row.corrupted and row.scenario not in compared),
        beats_baselines=_beats(cells[0][1], null[1]) if null and cells else None,
        sentences=(),
    )
    return replace(verdict, sentences=tuple(_sentences(verdict, main, null, by)))


def _sentences(verdict: ReportVerdict, main: Table, null: tuple[str, Estimate] | None, by: str) -> Iterator[str]:
    rows = {row.scenario: row for row in main.rows}
    metric = verdict.metric
    if null and verdict.beats_baselines is False:
        yield _too_weak(_scored_cells(main, metric)[0], null)
    if verdict.tft or verdict.direct or verdict.untold:
        if not verdict.tft:
            compared = [short(row) for row in main.rows if row.corrupted and metric in row.contrasts]
            nowhere = compared[0] if len(compared) == 1 else f"any of the {len(compared)}, {listed(compared)}"
            yield f"TFT is not significantly better than Direct in {nowhere}."
        for better, other, names in (("TFT", "Direct", verdict.tft), ("Direct", "TFT", verdict.direct)):
            if names:
                won = [
                    f"{short(rows[name])} ({points(rows[name].contrasts[metric].difference.value)} points)"
                    for name in names
                ]
                yield f"{better} is significantly better than {other} in {listed(won)}."
        if verdict.untold:
            yield _untold([rows[name] for name in verdict.untold], metric)
        yield _how([row.contrasts[metric] for row in main.rows if metric in row.contrasts], by)
    yield from _missing([rows[name] for name in verdict.missing])
    yield from (_clean(row, metric) for row in main.rows if not row.corrupted and metric in row.contrasts)
    if null and verdict.beats_baselines:
        yield from _below_null(_scored_cells(main, metric), null)
    yield from _about_seeds(main, metric)


def _untold(rows: Sequence[Row], metric: str) -> str:
    """Return which scenarios cannot be told, and what difference the comparison would have found."""
    names = listed([short(row) for row in rows])
    parts = []
    for row in rows:
        one = row.contrasts[metric]
        measured = f"{short(row)} measured {points(one.difference.value)}"
        least = one.smallest_detectable
        parts.append(measured if least is None else f"{measured}, detectable {spread(least)}")
    return (
        f"In {names} the two cannot be told apart: {TOO_SMALL}. In points: {'; '.join(parts)} "
        "(the true difference that this comparison, taken alone, finds in 80 % of cases)."
    )


def _how(contrasts: Sequence[Contrast], by: str) -> str:
    pairs = {one.difference.n for one in contrasts}
    conversations = max(one.difference.clusters for one in contrasts)
    n = f"{min(pairs)} to {max(pairs)}" if len(pairs) > 1 else str(pairs.pop())
    return (
        f"That is by {by}, paired over {n} turns, clustered by {conversations} conversations, "
        f"p adjusted for {len(contrasts)} scenarios (Holm), at the {100 * ALPHA:g} % level."
    )


def _missing(rows: Sequence[Row]) -> Iterator[str]:
    """Yield which scenarios have no comparison, those for the same reason together."""
    reasons = {row.scenario: _why_missing(row) for row in rows}
    for why in dict.fromkeys(reasons.values()):
        names = [short(row) for row in rows if reasons[row.scenario] == why]
        yield f"{listed(names)} {'has' if len(names) == 1 else 'have'} no comparison: {why}."


def _why_missing(row: Row) -> str:
    states = [(arm_name(cell), state(cell.runs[0])) for cell in row.cells if not cell.done]
    if len(states) > 1 and states[0][1] == states[1][1]:
        return f"both {states[0][1]}"
    return ", ".join(f"{name} {became}" for name, became in states) or "the two have no metric in common"


def _clean(row: Row, metric: str) -> str:
    """Return what the scenario with clean traces shows: there is nothing to repair."""
    one = row.contrasts[metric]
    difference = f"TFT minus Direct is {points(one.difference.value)} points (adjusted p {p_value(one.adjusted)})"
    tie = "; the two cannot be told apart" if one.tie else ""
    return f"With clean traces ({short(row)}) {difference}{tie}."


def _scored_cells(main: Table, metric: str) -> list[tuple[str, Estimate]]:
    """Return all cells with a score, best first, with their names."""
    found = [
        (f"{short(row)} {arm_name(cell)}", cell.scores[metric].overall)
        for row in main.rows
        for cell in row.cells
        if metric in cell.scores and cell.scores[metric].overall.value is not None
    ]
    return sorted(found, key=lambda item: (-(item[1].value or 0.0), item[0]))


def _best_baseline(baselines: Sequence[Baseline], metric: str) -> tuple[str, Estimate] | None:
    found = [
        (one.name, one.scores[metric])
        for one in baselines
        if one.name != GOLD and metric in one.scores and one.scores[metric].value is not None
    ]
    return max(found, key=lambda item: (item[1].value or 0.0, item[0]), default=None)


def _beats(one: Estimate, null: Estimate) -> bool:
    """Whether the whole interval lies above the baseline's mean; without an interval, whether the mean does."""
    low = one.low if one.low is not None else one.value
    return low is not None and low > (null.value or 0.0)


def _too_weak(best: tuple[str, Estimate], null: tuple[str, Estimate]) -> str:
    name, one = best
    return (
        f"The student is too small to tell anything about the pipelines: even its best cell, {name} with "
        f"{number(one.value)} {span(one)}, is not shown to beat {_named(null)}."
    )


def _below_null(cells: Sequence[tuple[str, Estimate]], null: tuple[str, Estimate]) -> Iterator[str]:
    below = [cell for cell, one in cells if not _beats(one, null[1])]
    if below:
        yield f"Not shown to beat {_named(null)}: {listed(below)}."


def _named(null: tuple[str, Estimate]) -> str:
    name, one = null
    _, meaning = BASELINES.get(name, (name, name))
    return f"the best null baseline ({meaning}: {number(one.value)})"


def _about_seeds(main: Table, metric: str) -> Iterator[str]:
    trained: Mapping[str, CellResult] = {f"{row.scenario} {cell.arm}": cell for row in main.rows for cell in row.cells}
    counts = [len(cell.done) for cell in trained.values() if cell.done]
    if counts and max(counts) == 1:
        yield (
            "Every cell was trained once: the intervals say how far other conversations could move a score, not how "
            "far another training could."
        )
    elif counts:
        yield (
            f"Scores are means over up to {max(counts)} trainings per cell; the intervals hold the luck of the "
            "conversations, and the spread of the trainings has its own table."
        )
    for row in main.rows:
        one = row.contrasts.get(metric)
        known = [value for value in one.by_seed.values() if value is not None] if one else []
        if one and not one.tie and len(known) > 1 and min(known) < 0 < max(known):
            yield f"In {short(row)} the seeds disagree about which of the two is ahead."
