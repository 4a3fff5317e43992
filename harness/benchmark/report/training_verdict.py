"""Whether training was worth it: what the arms gain over what needs no training, by the thresholds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.benchmark.report.assign import AssignedResults
from harness.benchmark.report.baseline_results import NOT_EVALUATED, BesideResult
from harness.benchmark.report.format import short
from harness.benchmark.report.judges import common_judge, shared_metrics
from harness.benchmark.report.records import CellResult, Row, Table
from harness.benchmark.report.results import Result
from harness.benchmark.report.tables import Column, mean_column, values_of
from harness.benchmark.report.thresholds import Thresholds
from harness.benchmark.report.training_verdict_records import AnswerFaults, Worth
from harness.data.scenarios import Arm
from harness.evaluation.metrics import DEFAULT_METRIC
from harness.evaluation.records import CUT
from harness.evaluation.scorecard import NULLS
from harness.reports.evaluation_plots import called_tool
from harness.statistics.gain import Decision, decide, gain

UNTRAINED = "untrained"
"""The untrained student among the baselines, beside the null baselines by their names."""


def judge_worth(
    main: Table, assigned: AssignedResults, beside: Sequence[BesideResult], thresholds: Thresholds
) -> tuple[Worth, ...]:
    """Return for each row of the main table in which anything was trained whether that was worth it."""
    untrained = next((one for one in beside if one.model.kind == UNTRAINED), None)
    trained = [row for row in main.rows if any(cell.runs[0].model for cell in row.cells)]
    return tuple(_judged(row, assigned, untrained, thresholds) for row in trained)


def worst(rows: Sequence[Worth]) -> Decision | None:
    """Return the decision on several rows: PROCEED only where all do, STOP where any does; None without rows."""
    found = {one.decision for one in rows}
    return next((one for one in _WORST_FIRST if one in found), None)


_WORST_FIRST: tuple[Decision, ...] = ("STOP", "ITERATE", "PROCEED")


def _judged(row: Row, assigned: AssignedResults, untrained: BesideResult | None, thresholds: Thresholds) -> Worth:
    cells = {cell.arm: cell for cell in row.cells if cell.done}
    faults = {arm: _faults(assigned, cell) for arm, cell in cells.items()}
    result = untrained.result if untrained else None
    metric = _metric(assigned, list(cells.values()), result, thresholds) if result and cells else None
    why = _why_not(cells, untrained, metric)
    if result is None or metric is None or why:
        return Worth(
            scenario=row.scenario,
            name=short(row),
            decision="ITERATE",
            metric=metric or DEFAULT_METRIC,
            best=None,
            gains={},
            faults=faults,
            why=why,
        )
    pairs, clusters = [one["pair_id"] for one in result.rows], [one["conversation"] for one in result.rows]
    baselines = _baselines(result, metric)
    gains = {
        arm: gain(
            mean_column([values_of(assigned.results[str(run.config)], metric, pairs) for run in cell.done]),
            baselines,
            clusters,
            minimum_effect=thresholds.minimum_effect,
            level=thresholds.level,
            arms=len(row.cells),
        )
        for arm, cell in cells.items()
    }
    return Worth(
        scenario=row.scenario,
        name=short(row),
        decision=decide([*gains.values()], len(row.cells)),
        metric=metric,
        best=max(gains.items(), key=lambda item: item[1].value)[0],
        gains=gains,
        faults=faults,
    )


def _why_not(cells: Mapping[Arm, CellResult], untrained: BesideResult | None, metric: str | None) -> str | None:
    """Return why nothing can be compared; None where it can."""
    if not cells:
        return "no arm has a result"
    if untrained is None or untrained.result is None:
        problem = untrained.model.problem if untrained else NOT_EVALUATED
        return f"the untrained student has no score that it could be compared with: {problem}"
    if not any(row.get(NULLS) for row in untrained.result.rows):
        return (
            "the untrained student was evaluated by an earlier version, whose rows lack the null baselines; "
            "`tft benchmark` evaluates it again"
        )
    return None if metric else "the arms and the untrained student have no metric in common by one judge"


def _metric(
    assigned: AssignedResults, cells: Sequence[CellResult], untrained: Result, thresholds: Thresholds
) -> str | None:
    """Return the first of the thresholds' metrics that all have, judged alike; None for none."""
    runs = [assigned.results[str(run.config)].report for cell in cells for run in cell.done]
    reports = [*runs, untrained.report]
    shared = shared_metrics(reports, common_judge(reports))
    nulls: Mapping[str, Mapping[str, float | None]] = next((row[NULLS] for row in untrained.rows if row.get(NULLS)), {})
    usable = [name for name in shared if any(name in found for found in nulls.values())]
    return next((name for name in thresholds.metrics if name in usable), None)


def _baselines(untrained: Result, metric: str) -> dict[str, Column]:
    """Return what needs no training, turn by turn: the student as it was, and the null baselines beside it."""
    found: dict[str, Column] = {UNTRAINED: [row.get(metric) for row in untrained.rows]}
    names = dict.fromkeys(name for row in untrained.rows for name in row.get(NULLS) or {})
    columns = {name: [(row.get(NULLS) or {}).get(name, {}).get(metric) for row in untrained.rows] for name in names}
    # Baselines that say the same at every turn are one: more of them would only widen the bounds.
    for name, column in columns.items():
        if any(value is not None for value in column) and column not in found.values():
            found[name] = column
    return found


def _faults(assigned: AssignedResults, cell: CellResult) -> AnswerFaults:
    rows = [row for run in cell.done for row in assigned.results[str(run.config)].rows]
    kinds = [_kind(row) for row in rows]
    return AnswerFaults(
        cut=sum(row.get("finish_reason") == CUT for row in rows) / len(rows),
        unread=kinds.count("unread") / len(rows),
        other_tool=kinds.count("other tool") / len(rows),
        arguments=kinds.count("arguments") / len(rows),
    )


def _kind(row: Mapping[str, object]) -> str:
    text = row.get("prediction")
    if not isinstance(text, str):
        return "no answer"
    tool = called_tool(text)
    if tool is None:
        return "unread"
    if tool != called_tool(str(row["reference"])):
        return "other tool"
    return "right" if row.get(DEFAULT_METRIC) == 1 else "arguments"
