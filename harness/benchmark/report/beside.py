"""The models that were evaluated beside the trained ones: which results are theirs, and why others are in no table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.benchmark.cells import BASELINE_KINDS, BaselineKind
from harness.benchmark.record import BaselineRecord
from harness.benchmark.report.assign import AssignedResults, why_unusable
from harness.benchmark.report.results import EvaluationResults, Result
from harness.benchmark.report.worth_records import BesideModel
from harness.evaluation.results import config_name
from harness.hub.artifact import split_revision

NOT_EVALUATED = "it was not evaluated; `tft benchmark` evaluates it and reuses all results that are there"


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
    pairs = _pairs(assigned)
    return tuple(_found(known[kind], results, assigned, pairs) for kind in BASELINE_KINDS if kind in known)


def _pairs(assigned: AssignedResults) -> frozenset[str]:
    first = next(iter(assigned.results.values()), None)
    return frozenset(str(row["pair_id"]) for row in first.rows) if first else frozenset()


def _found(
    one: BaselineRecord, results: EvaluationResults, assigned: AssignedResults, pairs: frozenset[str]
) -> BesideResult:
    if one.status != "done" or one.model is None:
        status: Literal["failed", "left out"] = "failed" if one.status == "failed" else "left out"
        return BesideResult(model=BesideModel(kind=one.kind, model=one.model, status=status, problem=one.problem))
    config = config_name(one.model)
    result = results.by_config.get(config)
    problem = why_unusable(result, assigned.test_set, pairs) if result else "the results dataset has no report of it"
    if result and not problem and one.kind == "untrained" and results.record:
        begun, measured = split_revision(results.record.student)[1], result.report.run.model_revision
        if begun and begun != measured:
            problem = f"measured at {str(measured)[:12]}, and the trainings began from {begun[:12]}; evaluate it again"
    return BesideResult(
        model=BesideModel(
            kind=one.kind,
            model=one.model,
            status="unusable" if problem else "done",
            problem=problem,
            config=config if result else None,
            revision=result.report.run.model_revision if result else None,
            scores={} if problem or result is None else result.report.rows["model"],
        ),
        result=None if problem else result,
    )


_SAYS: dict[BaselineKind, str] = {
    "untrained": "Without a score of the untrained student",
    "logged": "How well the model that wrote the traces does cannot be told",
    "teacher": "The teacher has no score",
}


def missing(beside: Sequence[BesideModel]) -> Iterator[str]:
    """Yield a sentence for each model beside the trained ones that has no score; the verdict names the student."""
    for one in beside:
        if one.status != "done" and one.kind != "untrained":
            yield f"{_SAYS[one.kind]}: {one.problem}."
