"""Who judged the results, and which metrics they have in common."""

from __future__ import annotations

from collections.abc import Sequence

from harness.benchmark.report.records import JudgeSummary
from harness.evaluation.metrics import JUDGE_METRIC, by_rank
from harness.evaluation.records import EvalReport

_RULES = "rules:"


def common_judge(reports: Sequence[EvalReport]) -> JudgeSummary | None:
    """Return the judge of all the reports; None where one was not judged, or by another judge, prompt or panel."""
    found = {_judge(report) for report in reports}
    judge = found.pop() if len(found) == 1 else None
    return judge[0] if judge else None


def shared_metrics(reports: Sequence[EvalReport], judge: JudgeSummary | None) -> tuple[str, ...]:
    """Return the metrics that all reports have, the primary one first, then that of code."""
    names = set.intersection(*(set(report.rows["model"]) for report in reports)) if reports else set()
    if judge is None:
        names.discard(JUDGE_METRIC)
    return tuple(sorted(names, key=by_rank))


def _judge(report: EvalReport) -> tuple[JudgeSummary, tuple[str, ...]] | None:
    """Return the judge with the members of the panel whose votes count."""
    name, judging = report.run.judge, report.judging
    if name is None or JUDGE_METRIC not in report.rows["model"]:
        return None
    members = tuple(sorted(one.name for one in judging.members if one.status != "excluded")) if judging else ()
    rules = all(part.startswith(_RULES) for part in report.run.judges)
    return JudgeSummary(name=name, rules=rules, prompt_sha256=judging.prompt_sha256 if judging else None), members
