"""What a reader has to know beside the tables: who judged, what cannot be compared, what was re-evaluated."""

from __future__ import annotations

from collections.abc import Iterator

from harness.benchmark.report.assign import AssignedResults
from harness.benchmark.report.baseline_results import missing
from harness.benchmark.report.records import BenchmarkReport
from harness.benchmark.report.results import EvaluationResults
from harness.data.approval import approval_of
from harness.data.published_facts import published_facts
from harness.data.tasks import turn_notes
from harness.evaluation.baselines import GOLD
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.reports.evaluation_plots import called_tool
from harness.reports.evaluation_tables import arithmetic_note


def notes(summary: BenchmarkReport, assigned: AssignedResults, results: EvaluationResults) -> Iterator[str]:
    """Yield the notes, one or two sentences per fact."""
    reports = [one.report for _, one in sorted(assigned.results.items())]
    yield from _about_test_set(reports)
    yield from sorted({note for one in reports for note in arithmetic_note(one.run)})
    yield from _about_judges(summary, reports)
    yield from missing(summary.beside)
    if summary.main.rows and any(row.published for row in summary.main.rows):
        yield from _about_published(summary)
    yield from _about_single_tools(assigned)
    yield from _about_runs(assigned, results)
    yield from _about_baselines(reports, summary.metrics)


def _about_test_set(reports: list[EvalReport]) -> Iterator[str]:
    """Yield how many test conversations a person looked at, where that is known, and what of them is not scored."""
    yield from sorted({approval.sentence for one in reports if (approval := approval_of(one.run.config))})
    yield from sorted({note for one in reports for note in turn_notes(one.run.config)})


def _about_judges(summary: BenchmarkReport, reports: list[EvalReport]) -> Iterator[str]:
    judges = sorted({name for report in reports if (name := report.run.judge)})
    if summary.judge and summary.judge.rules:
        yield (
            f"The judge is {summary.judge.name}: rules written as code, not a language model. "
            "Its scores say nothing about what a language model would have said."
        )
    elif summary.judge is None and len(judges) == 1 and all(JUDGE_METRIC in report.rows["model"] for report in reports):
        yield (
            f"{judges[0]} judged with different prompts or panels, so the primary metric is {summary.metric}, "
            "which code computes."
        )
    elif summary.judge is None and judges:
        yield (
            f"Not all results were judged by one judge (named are {', '.join(judges)}), so the primary metric is "
            f"{summary.metric}, which code computes."
        )


def _about_published(summary: BenchmarkReport) -> Iterator[str]:
    """Yield what is other about the published figures than about ours."""
    facts = published_facts()
    other = []
    if summary.student != facts.student:
        other.append(f"another student ({facts.student}, here {summary.student})")
    judge = summary.judge.name if summary.judge else None
    if JUDGE_METRIC in summary.metrics and judge != facts.configuration.judge:
        other.append(f"by another judge ({facts.configuration.judge}, here {judge})")
    if other:
        yield f"The published figures are of {' and '.join(other)}: they are shown beside, not compared."


def _about_single_tools(assigned: AssignedResults) -> Iterator[str]:
    """Yield which models call the same tool whenever they call one, though the references call several."""
    found = []
    for _, result in sorted(assigned.results.items()):
        called = {called_tool(row["prediction"]) for row in result.rows if row["prediction"] is not None} - {None}
        wanted = {called_tool(row["reference"]) for row in result.rows}
        if len(called) == 1 and len(wanted) > 1:
            found.append(f"{result.repository or result.config} ({called.pop()})")
    if found:
        yield (
            f"Always the same tool, whatever the turn: {', '.join(found)}. Such a model has not learned when to call "
            "what; its scores are what the test set gives to that, and the means over the tools show it."
        )


def _about_runs(assigned: AssignedResults, results: EvaluationResults) -> Iterator[str]:
    """Yield which results are not those of the recorded run."""
    recorded = {cell.model: cell.result for cell in results.record.cells} if results.record else {}
    again, others = [], []
    for run in (run for runs in assigned.runs.values() for run in runs if run.status == "done" and run.model):
        if run.model not in recorded:
            others.append(run.model or "")
        elif (wanted := recorded[run.model]) and run.fingerprint and wanted != run.fingerprint:
            again.append(run.model or "")
    if again:
        yield f"Evaluated again after the recorded run, the newest result counts: {', '.join(sorted(again))}."
    if others and results.record:
        yield f"Not of the recorded run, but of its student: {', '.join(sorted(others))}."


def _about_baselines(reports: list[EvalReport], metrics: tuple[str, ...]) -> Iterator[str]:
    """Yield where the rows that need no model differ between results: then something was scored in another way."""
    for metric in metrics:
        found = {
            tuple((name, row[metric].value) for name, row in report.rows.items() if name != "model" and metric in row)
            for report in reports
        }
        if len(found) > 1:
            yield (
                f"The null baselines or the {GOLD} row differ between results in {metric}: they were not all scored by "
                "the same version; evaluate the older ones again."
            )
