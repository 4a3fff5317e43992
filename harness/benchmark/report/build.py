"""The report of the benchmark: from the results dataset at one commit to tables, plots and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.benchmark.record import BenchmarkRecord
from harness.benchmark.report import losses, plot_scores, repairs
from harness.benchmark.report.assign import AssignedResults, assign_results, student_name
from harness.benchmark.report.baseline_results import find_beside
from harness.benchmark.report.judges import common_judge, shared_metrics
from harness.benchmark.report.notes import notes
from harness.benchmark.report.records import Baseline, BenchmarkReport, Other
from harness.benchmark.report.repair_records import TruthPlaces
from harness.benchmark.report.repair_words import say_damage
from harness.benchmark.report.results import EvaluationResults, Result, read_results
from harness.benchmark.report.tables import fair_table, main_table
from harness.benchmark.report.thresholds import Thresholds, read_thresholds
from harness.benchmark.report.training_verdict import judge_worth
from harness.benchmark.report.training_verdict_words import say_worth
from harness.benchmark.report.verdict import reach_verdict
from harness.data.published_facts import published_facts
from harness.evaluation.metrics import DEFAULT_METRIC
from harness.evaluation.records import EvalReport
from harness.hub.artifact import split_revision
from harness.hub.client import Hub
from harness.reports.plot_style import Plot

PLOTS = "plots"
_NAMES = ("dumbbell", "dumbbell-code")
"""Plots of the primary metric, and of code's where the primary one is the judge's."""


def make_report(
    hub: Hub,
    namespace: str,
    out: Path,
    *,
    clean: TruthPlaces | None = None,
    student: str | None = None,
    thresholds: Path | None = None,
) -> BenchmarkReport:
    """Write the report of `<namespace>/tft-benchmark-results` into `out`, and return what it shows.

    `out` gets RESULTS.md, results.json, index.html, README.md (the card of a Space) and plots/*.png. The same commit of
    the results gives the same bytes from the same Hub. `clean` says where the truth for repairs is; without it they are
    left out. `thresholds` is a file in place of `datasets/verdict.yaml`. Raises HarnessError where there is nothing to
    report.
    """
    from harness.benchmark.report.write import write_files

    limits = read_thresholds(thresholds)
    summary = summarize(read_results(hub, namespace), namespace, hub.endpoint, student, limits)
    found, without = losses.read_losses(hub, summary.tables)
    summary = replace(
        summary, worth=say_worth(summary.worth.rows, found, limits, rules=bool(summary.judge and summary.judge.rules))
    )
    measured, no_repairs = repairs.measure_repairs(hub, summary.main, clean or TruthPlaces())
    summary = replace(summary, repairs=measured, no_repairs=no_repairs, damage=say_damage(measured))
    summary = replace(summary, losses=found, no_losses=without)
    summary = draw(summary, out)
    write_files(summary, out)
    return summary


def draw(summary: BenchmarkReport, out: Path) -> BenchmarkReport:
    """Draw the plots into `out/plots`, which has no others afterwards, and return the summary that names them."""
    folder = out / PLOTS
    for old in folder.glob("*.png"):
        old.unlink()
    pictures: list[Plot] = [
        plot_scores.draw(summary, metric, name, folder)
        for metric, name in zip(summary.shown_metrics, _NAMES, strict=False)
    ]
    pictures += [repairs.draw(summary.repairs, folder)] if summary.repairs else []
    pictures += [losses.draw(summary.losses, folder)] if summary.losses else []
    return replace(summary, pictures=tuple(pictures))


def summarize(
    results: EvaluationResults,
    namespace: str,
    endpoint: str,
    student: str | None = None,
    thresholds: Thresholds | None = None,
) -> BenchmarkReport:
    """Return all figures of the report, without plots, and without what only losses tell. Pure."""
    assigned = assign_results(results, namespace, student)
    return summarize_assigned(results, assigned, namespace, endpoint, thresholds)


def summarize_assigned(
    results: EvaluationResults,
    assigned: AssignedResults,
    namespace: str,
    endpoint: str,
    thresholds: Thresholds | None = None,
) -> BenchmarkReport:
    """Return the figures of cells whose results are known; see `summarize`."""
    facts, limits = published_facts(), thresholds or read_thresholds()
    reports = [one.report for _, one in sorted(assigned.results.items())]
    judge = common_judge(reports)
    metrics = shared_metrics(reports, judge)
    main, fair = main_table(assigned, facts, metrics), fair_table(assigned, facts, metrics)
    baselines = _baselines(assigned, metrics)
    beside = find_beside(results, assigned)
    shown = {one.result.config for one in beside if one.result}
    others = {config: why for config, why in sorted(assigned.others.items()) if config not in shown}
    primary = metrics[0] if metrics else DEFAULT_METRIC
    record = results.record
    runs = [run for found in assigned.runs.values() for run in found]
    first = next(iter(assigned.results.values()), None)
    summary = BenchmarkReport(
        namespace=namespace,
        endpoint=endpoint.rstrip("/"),
        results=results.artifact,
        student=assigned.student,
        student_revision=split_revision(record.student)[1] if record else None,
        preset=record.preset if record else None,
        caveat=_caveat(record, assigned.student),
        test_set=assigned.test_set[0],
        test_set_revision=assigned.test_set[1],
        pairs=len(first.rows) if first else 0,
        conversations=len({row["conversation"] for row in first.rows}) if first else 0,
        judge=judge,
        metric=primary,
        metrics=metrics,
        seeds=tuple(sorted({run.seed for run in runs})),
        tables=(main, fair) if fair else (main,),
        baselines=baselines,
        others=tuple(_other(results.by_config[config], why) for config, why in others.items()),
        dates=_dates(reports),
        versions=_versions(reports),
        verdict=reach_verdict(main, baselines, primary, judge),
        worth=say_worth(judge_worth(main, assigned, beside, limits), (), limits, rules=bool(judge and judge.rules)),
        beside=tuple(one.model for one in beside),
        notes=(),
    )
    return replace(summary, notes=tuple(notes(summary, assigned, results)))


def _caveat(record: BenchmarkRecord | None, student: str) -> str | None:
    """Return what the recorded preset says of its scores; None where the report is about another student."""
    said = record.settings.get("caveat") if record and student_name(record.student) == student else None
    return said if isinstance(said, str) else None


def _baselines(assigned: AssignedResults, metrics: Sequence[str]) -> tuple[Baseline, ...]:
    """Return the rows beside the model's of the first result: they are the same for all on one test set and judge."""
    first = next((assigned.results[config] for config in sorted(assigned.results)), None)
    if first is None:
        return ()
    return tuple(
        Baseline(name=name, scores={metric: row[metric] for metric in metrics if metric in row})
        for name, row in first.report.rows.items()
        if name != "model"
    )


def _other(result: Result, reason: str) -> Other:
    run, scores = result.report.run, result.report.rows["model"]
    return Other(
        config=result.config,
        model=result.repository or run.model,
        revision=run.model_revision,
        scores=scores,
        pairs=max((one.n + one.unscored for one in scores.values()), default=0),
        reason=reason,
    )


def _dates(reports: Sequence[EvalReport]) -> tuple[str, str]:
    days = sorted(report.run.date[:10] for report in reports if report.run.date)
    return (days[0], days[-1]) if days else ("", "")


def _versions(reports: Sequence[EvalReport]) -> dict[str, tuple[str, ...]]:
    names = sorted({name for report in reports for name in report.run.versions})
    return {
        name: tuple(sorted({report.run.versions[name] for report in reports if name in report.run.versions}))
        for name in names
    }
