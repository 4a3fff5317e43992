"""The collection of a release: its order, its notes, and what has to be changed for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.benchmark.release.changes import AddItem, ChangeItem, CreateCollection
from harness.benchmark.release.manifest import Entry, Role, title_of
from harness.benchmark.report.results import Result
from harness.evaluation.metrics import DEFAULT_METRIC, JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.evaluation.results import config_name
from harness.hub.artifact import RepositoryName
from harness.hub.collections import Collection
from harness.reports.leaderboard import common_judge
from harness.statistics.formatting import bounds, number

TITLE = "TFT benchmark"
TITLE_LIMIT = 60
MARK = "Training from Traces: models, their data and results. Made by tft publish."
"""The description, by which the collection is known again; the Hub takes 150 characters."""

_WHAT: dict[Role, str] = {
    "traces": "traces",
    "filtered": "filtered traces",
    "relabelled": "relabelled traces",
    "synthetic": "synthetic conversations",
}
_ARMS = {"tft": "TFT model", "direct": "Direct model"}

Notes = Mapping[RepositoryName, str]
"""Repository -> the note beside it; in the order of the collection."""


def notes(entries: Sequence[Entry], results: Mapping[str, Result]) -> dict[RepositoryName, str]:
    """Return the items of the collection with their notes; `results` are by configuration."""
    places = [entry.place for entry in entries if entry.role == "model"]
    models = {place: results[config_name(place.repo_id)].report for place in places}
    metric = JUDGE_METRIC if common_judge(models.values()) else DEFAULT_METRIC
    found: dict[RepositoryName, str] = {}
    for entry in entries:
        if entry.role == "model":
            found[entry.place] = f"{_model(entry)}. {_score(models[entry.place], metric)}"
        elif entry.role == "test set":
            turns = {report.run.config.get("pairs_in_test_set") for report in models.values()}
            found[entry.place] = f"Test set: {' or '.join(map(str, turns))} turns to predict"
        elif entry.role == "results":
            found[entry.place] = f"Results: predictions, scores and reports of {len(models)} models"
        elif entry.role == "leaderboard":
            found[entry.place] = "Leaderboard: tables, plots, every figure as JSON"
        elif entry.role == "student":
            found[entry.place] = "The student before its training"
        else:
            found[entry.place] = f"{title_of(entry.scenario or '')}: {_WHAT[entry.role]}"
    return found


def _model(entry: Entry) -> str:
    cell = entry.cell
    if cell is None:
        raise ValueError(f"{entry.place} is a model without a cell")
    fair = ", same damage for both" if cell.fair else ""
    seed = f", repetition {cell.seed}" if cell.seed else ""
    return f"{title_of(cell.scenario)}: {_ARMS[cell.arm]}{fair}{seed}"


def _score(report: EvalReport, metric: str) -> str:
    estimate = report.rows["model"].get(metric)
    if estimate is None or estimate.value is None:
        return f"{metric}: not scored"
    by = f", judged by {report.run.judge}" if metric == JUDGE_METRIC else ""
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f" (95 % interval {bounds(estimate.low, estimate.high)})"
    return f"{metric} {number(estimate.value)}{interval}{by}"


def collection_changes(
    collection: Collection | None, owner: str, title: str, wanted: Notes
) -> Iterator[CreateCollection | AddItem | ChangeItem]:
    """Yield what makes the collection begin with the wanted items in their order; what else it lists stays behind."""
    if collection is None:
        yield CreateCollection(owner=owner, title=title, description=MARK)
    present = {(item.kind, item.id): item.note for item in collection.items} if collection else {}
    order = list(present)
    for place, note in wanted.items():
        key: tuple[str, str] = (place.kind, place.repo_id)
        if key not in present:
            yield AddItem(place=place, note=note)
            order.append(key)
        elif present[key] != note:
            yield ChangeItem(place=place, note=note)
    for position, place in enumerate(wanted):
        key = (place.kind, place.repo_id)
        if order[position] != key:
            yield ChangeItem(place=place, position=position)
            order.remove(key)
            order.insert(position, key)
