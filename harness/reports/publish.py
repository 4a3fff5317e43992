"""Publishing an evaluation: its rows and report into the results dataset, its scores and card into the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.records import Task
from harness.errors import AccessDenied, CommitConflict, DataError, RepoNotFound, UsageError
from harness.evaluation.records import EvalReport
from harness.evaluation.report_json import eval_results_yaml
from harness.evaluation.results import (
    RESULTS,
    ResultsDataset,
    Rows,
    config_of,
    lineage_file,
    plot_file,
    report_file,
    rows_file,
)
from harness.evaluation.run_folder import PLOTS, REPORT, ROWS
from harness.hub.address import DEFAULT_ENDPOINT
from harness.hub.artifact import README, RepositoryName
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, LineageRecord, read_lineage
from harness.reports.leaderboard import boards
from harness.statistics.formatting import whole_percent
from harness.terminal import say
from harness.training.run_summary import TrainingFacts, load_facts

if TYPE_CHECKING:
    from harness.data.tasks import TestSet
    from harness.evaluation.card_verdict import CardVerdict
    from harness.evaluation.run_folder import Evaluation

CARD_TEMPLATE = "results.md.jinja"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an evaluation is published."""

    results: str
    """The results dataset, `owner/name`."""
    config: str
    """Its configuration for the results, see `harness.evaluation.results.config_name`."""
    model: str | None
    """The model repository; None where the model is not on the Hub."""
    create_pr: bool
    """Whether the model gets a pull request and no commit."""
    into_model: bool = True
    """Whether the model's repository gets its card and scores; the results dataset gets them anyway."""
    max_unscored: float = 0.1
    """Largest share of pairs without a value, of any metric, that is published."""


def check_destination(hub: Hub, place: Destination, test_set: TestSet) -> None:
    """Ask the Hub whether an evaluation can be published there, and make the results dataset: before the work.

    Raises AccessDenied where the token may not, UsageError where a result on more of the test set is there.
    """
    hub.ensure_dataset(place.results)
    _keep_larger_result(hub, place, test_set)
    if place.model and place.into_model and not place.create_pr:
        try:
            hub.check_writable("model", place.model)
        except AccessDenied as error:
            raise AccessDenied(f"{error}; --create-pr asks the model's owner with a pull request") from error


def _keep_larger_result(hub: Hub, place: Destination, test_set: TestSet) -> None:
    """Raise UsageError where the part of the test set that `--limit` left would replace a result on more of it."""
    # All: one that cannot be read is said now.
    known = ResultsDataset.at(hub, place.results).reports().get(place.config)
    pairs = known.run.config.get("pairs") if known and known.run.dataset == test_set.artifact.repo_id else None
    if known and isinstance(pairs, int) and pairs > len(test_set.pairs):
        raise UsageError(
            f"{place.results} holds a result of {place.model or known.run.model} on {pairs} pairs, which one on "
            f"{len(test_set.pairs)} would replace; leave out --limit, or add --no-push"
        )


def publish(hub: Hub, place: Destination, evaluation: Evaluation, test_set: TestSet) -> list[str]:
    """Push the evaluation and return the addresses of what was changed.

    Raises UsageError, and pushes nothing, where too many pairs are unscored for the means to stand for all.
    """
    report = evaluation.scorecard.report
    _check_scored(report, place.max_unscored)
    name = place.model or report.run.model
    changed = []
    # First: what the results dataset holds is taken for published, by a run that is repeated too.
    if place.model and place.into_model:
        plots = {name: (evaluation.folder / PLOTS / name).read_bytes() for name in report.plots}
        files = model_files(hub, place.model, report, test_set.task, results=place.results, plots=plots)
        message = f"Evaluation on {test_set.artifact.repo_id}"
        changed.append(hub.commit_files("model", place.model, files, message=message, create_pr=place.create_pr))
    return [_push_results(hub, place, name, evaluation), *changed]


def model_files(
    hub: Hub, model: str, report: EvalReport, task: Task, *, results: str, plots: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return what a model's repository says of its evaluation: its card's files, and `.eval_results` for the Hub.

    `plots` are those of the report, by name.
    """
    card = card_files(hub, model, report, task, namespace=results.partition("/")[0], plots=plots)
    test_set = report.run.dataset
    scores = eval_results_yaml(report, test_set, source_url=hub.page(RepositoryName(kind="dataset", repo_id=results)))
    return {f".eval_results/{test_set.rpartition('/')[2]}.yaml": scores.encode(), **card}


def results_readme(hub: Hub, repo_id: str) -> str:
    """Return the card of a results dataset with the benchmark's report beside the reports and rows that it holds."""
    dataset = ResultsDataset.at(hub, repo_id)
    return _results_card(repo_id, dataset.reports(), _readable_rows(dataset), with_report=True)


def _check_scored(report: EvalReport, limit: float) -> None:
    for metric, one in report.rows["model"].items():
        total = one.n + one.unscored
        if one.unscored > limit * total:
            raise UsageError(
                f"{one.unscored} of {total} pairs have no {metric}, more than the {whole_percent(limit)} that may be "
                "published; ask again for what is missing (--resume), or raise --max-unscored"
            )


def card_files(
    hub: Hub | None,
    model: str,
    report: EvalReport | None,
    task: Task | None,
    *,
    namespace: str | None,
    plots: Mapping[str, bytes],
) -> dict[str, bytes]:
    """Return the README that the model's repository should have, and the plots that it shows.

    The README of a benchmark model is all ours, and so is that of a model that the harness has trained, until others
    write outside its block; any other keeps its owner's text with our block in it, and gets no plots.
    """
    from harness.reports.card_block import is_whole, merge_readme
    from harness.reports.model_card import CardPlace, identify, render_card

    identity = identify(model)
    endpoint = hub.endpoint if hub else DEFAULT_ENDPOINT
    online = hub if hub and identity.is_repo else None
    made = _made(online, model) if online else None
    training = _training(made, model) if made else None
    current = online.read_text("model", model, README) if online else None
    fresh = current is None or bool(online and made and _is_untouched(online, model, made, current))
    whole = training is not None and (fresh or is_whole(current or ""))
    beside = _beside(online, namespace, report) if online and namespace and report else None
    place = CardPlace(namespace=namespace, endpoint=endpoint, whole=whole, pictures=plots, beside=beside)
    text = render_card(report, identity, task, training=training, place=place)
    if not (identity.scenario or (whole and fresh)):
        text = merge_readme(current or "", text)
    shown = report.plots.keys() & plots.keys() if report and (identity.scenario or whole) else ()
    return {README: text.encode(), **{f"{PLOTS}/{name}": plots[name] for name in sorted(shown)}}


def _beside(hub: Hub, namespace: str, report: EvalReport) -> CardVerdict | None:
    """Return what stands beside the scores of a report; None where that is about another one."""
    dataset = ResultsDataset.find(hub, f"{namespace}/{RESULTS}")
    found = dataset.verdict(config_of(report.run)) if dataset else None
    return found if found and found.is_about(report) else None


def _is_untouched(hub: Hub, model: str, made: LineageRecord, current: str) -> bool:
    """Whether the README is as the training has pushed it, but for a block of ours at its end."""
    from harness.reports.card_block import marked, merge_readme

    pushed = hub.find_tag("model", model, made.lineage.tag())
    before = hub.read_at(pushed, README) if pushed else None
    return before is not None and current in (before, merge_readme(before, marked(current)))


def _made(hub: Hub, model: str) -> LineageRecord | None:
    """Return the model's `lineage.json`; None where it is none of ours."""
    try:
        return read_lineage(hub, hub.resolve("model", model))
    except RepoNotFound:
        return None


def _training(made: LineageRecord, model: str) -> TrainingFacts | None:
    """Return what a `lineage.json` says of a training; None where none has made the model."""
    try:
        return load_facts(made.lineage)
    except ValueError as error:
        raise DataError(f"the {LINEAGE} of {model} cannot be read ({error}); train and push the model again") from error


def _push_results(hub: Hub, place: Destination, name: str, evaluation: Evaluation) -> str:
    repo_id, config, folder, scorecard = place.results, place.config, evaluation.folder, evaluation.scorecard
    for attempt in range(1, _ATTEMPTS + 1):
        dataset = ResultsDataset.at(hub, repo_id)
        reports = {**dataset.reports(), config: scorecard.report}
        files: dict[str, str | bytes | Path] = {
            rows_file(config): folder / ROWS,
            lineage_file(config): folder / LINEAGE,
            **{plot_file(config, plot): folder / PLOTS / plot for plot in scorecard.report.plots},
            report_file(config): folder / REPORT,
            README: _results_card(repo_id, reports, {**_readable_rows(dataset), config: scorecard.rows}),
        }
        parent = dataset.artifact.revision
        try:
            return hub.commit_files("dataset", repo_id, files, message=f"Results of {name}", parent=parent)
        except CommitConflict:  # someone else pushed results in between: list theirs too
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _readable_rows(dataset: ResultsDataset) -> dict[str, Rows]:
    """Return the rows by configuration; what cannot be read of one model keeps no other from being published."""
    return dataset.rows(unreadable=lambda _, why: say(f"{why}; the leaderboard compares that model with none"))


def _results_card(
    repo_id: str, reports: Mapping[str, EvalReport], rows: Mapping[str, Rows], *, with_report: bool = False
) -> str:
    from harness.reports.dataset_card import render, size_category

    size = size_category(sum(next(iter(report.rows["model"].values())).n for report in reports.values()))
    ordered = dict(sorted(reports.items()))
    found = boards(reports, rows)
    return render(CARD_TEMPLATE, repo_id=repo_id, reports=ordered, boards=found, size=size, with_report=with_report)
