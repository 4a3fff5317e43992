"""The models that were evaluated beside the trained ones: which results are theirs, and why others are in no table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.benchmark.cells import BASELINE_KINDS, BaselineKind
from harness.benchmark.record import BaselineRecord
from harness.benchmark.report.assign import Alike, AssignedResults, why_unusable
from harness.benchmark.report.judges import common_judge
from harness.benchmark.report.results import EvaluationResults, Result
from harness.benchmark.report.training_verdict_records import BesideModel
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.results import config_name
from harness.hub.artifact import split_revision
from harness.statistics.records import Estimate

NOT_EVALUATED = "no recorded run has evaluated it; `tft benchmark` evaluates it and reuses all results that are there"


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideResult:
    """One of the models, and its result where it is in the tables."""

    model: BesideModel
    result: Result | None = None


def find_beside(results: EvaluationResults, assigned: AssignedResults) -> tuple[BesideResult, ...]:
    """Return the models beside the cells, as the recorded run has them; records of earlier versions have none.

    The student that the recorded run began from counts even so, where a result of it is there.
    """
    record = results.record
    if record is None or split_revision(record.student)[0].rpartition("/")[2] != assigned.student:
        return ()
    known = {one.kind: one for one in record.baselines}
    if "untrained" not in known:
        student = split_revision(record.student)[0]
        there = config_name(student) in results.by_config
        known["untrained"] = BaselineRecord(
            kind="untrained", model=student, status="done" if there else "left out", problem=NOT_EVALUATED
        )
    alike = _pairs(assigned.results or results.by_config), assigned.arithmetic
    return tuple(_found(known[kind], results, assigned, alike) for kind in BASELINE_KINDS if kind in known)


def _pairs(results: Mapping[str, Result]) -> frozenset[str]:
    first = next(iter(results.values()), None)
    return frozenset(str(row["pair_id"]) for row in first.rows) if first else frozenset()


def _found(one: BaselineRecord, results: EvaluationResults, assigned: AssignedResults, alike: Alike) -> BesideResult:
    if one.status != "done" or one.model is None:
        status: Literal["failed", "left out"] = "failed" if one.status == "failed" else "left out"
        return BesideResult(model=BesideModel(kind=one.kind, model=one.model, status=status, problem=one.problem))
    config = config_name(one.model)
    result = results.by_config.get(config)
    own = frozenset(str(row["pair_id"]) for row in result.rows) if result else frozenset()
    alike = alike[0] or own, alike[1]
    problem = why_unusable(result, assigned.test_set, alike) if result else "the results dataset has no report of it"
    if result and not problem and one.kind == "untrained" and results.record:
        begun, measured = split_revision(results.record.student)[1], result.report.run.model_revision
        if begun and begun != measured:
            problem = f"measured at {str(measured)[:12]}, and the trainings began from {begun[:12]}; evaluate it again"
    apart = _judged_apart(result, assigned) if result and not problem else None
    return BesideResult(
        model=BesideModel(
            kind=one.kind,
            model=one.model,
            status="unusable" if problem else "done",
            problem=problem or apart,
            config=config if result else None,
            revision=result.report.run.model_revision if result else None,
            scores={} if problem or result is None else _comparable(result, apart),
        ),
        result=None if problem else result,
    )


def _judged_apart(result: Result, assigned: AssignedResults) -> str | None:
    """Return why the judge's score of a result is no match for those of the cells, where these have one judge."""
    reports = [one.report for one in assigned.results.values()]
    if common_judge(reports) is None or JUDGE_METRIC not in result.report.rows["model"]:
        return None
    if common_judge([*reports, result.report]) is not None:
        return None
    return f"{result.report.run.judge} judged it, and not just as the cells were judged; evaluate it again"


def _comparable(result: Result, apart: str | None) -> Mapping[str, Estimate]:
    scores = result.report.rows["model"]
    return {metric: one for metric, one in scores.items() if metric != JUDGE_METRIC} if apart else scores


_SAYS: dict[BaselineKind, str] = {
    "untrained": "Without a score of the untrained student",
    "logged": "How well the model that wrote the traces does cannot be told",
    "teacher": "The teacher has no score",
}


def missing(beside: Sequence[BesideModel]) -> Iterator[str]:
    """Yield what is missing of the models beside the trained ones; of the student's score the verdict says it."""
    for one in beside:
        name = BASELINE_KINDS[one.kind].capitalize()
        if one.status != "done" and one.kind != "untrained":
            yield f"{_SAYS[one.kind]}: {one.problem}."
        elif one.status == "done" and one.problem:
            yield f"{name} has no {JUDGE_METRIC} here: {one.problem}."
        if turns := share_of_turns(one):
            yield f"{name} has scores of {turns} alone{_LEFT_OUT.get(one.kind, '')}."


_LEFT_OUT = {"logged": ": the others come after a correction, or nobody has looked at their conversations"}


def share_of_turns(one: BesideModel) -> str:
    """Return on how many turns a model has scores, `79 of 99 turns`, where it is not all of them; else nothing."""
    scored = max(one.scores.values(), key=lambda score: score.n, default=None)
    return f"{scored.n} of {scored.n + scored.unscored} turns" if scored and scored.unscored else ""
