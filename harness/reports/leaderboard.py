"""Results side by side: who leads on a test set, and who is tied with the leader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.data.tasks import SET_METRIC
from harness.evaluation.metrics import DEFAULT_METRIC, JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.evaluation.results import Rows
from harness.models.engine.arithmetic import DEFAULT
from harness.statistics.estimates import tie_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardEntry:
    """One model on a board."""

    config: str
    report: EvalReport
    group: int | None
    """Tie group, see `harness.statistics.estimates.tie_groups`; None for a result on a part of the test set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The results on one test set at one commit, best first."""

    dataset: str
    revision: str
    metric: str
    """What the order and the groups are by: the judge's score where one judge has judged all, else code's."""
    judge: str | None
    arithmetic: str | None
    """In which our engine answered for these models; None where it is the default."""
    metrics: tuple[str, ...]
    places: tuple[BoardEntry, ...]


def boards(reports: Mapping[str, EvalReport], rows: Mapping[str, Rows]) -> list[Board]:
    """Return one board per test set, commit and arithmetic, by name. Both mappings are by results configuration."""
    grouped: dict[tuple[str, str, bool, str], list[str]] = defaultdict(list)
    for config in sorted(reports):
        run = reports[config].run
        arithmetic = run.arithmetic or DEFAULT
        grouped[run.dataset, run.dataset_revision, arithmetic != DEFAULT, arithmetic].append(config)
    return [_board({config: reports[config] for config in configs}, rows) for _, configs in sorted(grouped.items())]


def _board(reports: Mapping[str, EvalReport], rows: Mapping[str, Rows]) -> Board:
    run = next(iter(reports.values())).run
    judge = common_judge(reports.values())
    metric = JUDGE_METRIC if judge else DEFAULT_METRIC
    if all(SET_METRIC in report.rows["model"] for report in reports.values()):  # turns with several calls count too
        metric = SET_METRIC
    whole = [config for config, report in reports.items() if _is_whole(report)]
    groups = _groups({config: rows[config] for config in whole if config in rows}, metric)
    ordered = sorted(reports, key=lambda config: (-(_score(reports[config], metric) or 0.0), config))
    return Board(
        dataset=run.dataset,
        revision=run.dataset_revision,
        metric=metric,
        judge=judge,
        arithmetic=None if run.arithmetic == DEFAULT else run.arithmetic,
        metrics=tuple(sorted({name for report in reports.values() for name in report.rows["model"]})),
        places=tuple(BoardEntry(config=config, report=reports[config], group=groups.get(config)) for config in ordered),
    )


def common_judge(reports: Iterable[EvalReport]) -> str | None:
    """Return the judge of all the reports; None where one was not judged, or by another judge."""
    judges = {report.run.judge if JUDGE_METRIC in report.rows["model"] else None for report in reports}
    return judges.pop() if len(judges) == 1 else None


def _is_whole(report: EvalReport) -> bool:
    return bool(report.run.config.get("pairs") == report.run.config.get("pairs_in_test_set"))


def _score(report: EvalReport, metric: str) -> float | None:
    found = report.rows["model"].get(metric)
    return found.value if found else None


def _groups(rows: Mapping[str, Rows], metric: str) -> dict[str, int]:
    """Return the tie groups over the pairs that any of the results has; what one lacks is unscored there."""
    clusters = {row["pair_id"]: row["conversation"] for found in rows.values() for row in found}
    columns = {}
    for config, found in rows.items():
        values = {row["pair_id"]: row.get(metric) for row in found}
        columns[config] = [values.get(pair) for pair in clusters]
    return tie_groups(columns, list(clusters.values()))
