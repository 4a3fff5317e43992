"""Which result belongs to which cell of the benchmark, and which must be in no table. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.benchmark.record import CellRecord
from harness.benchmark.report.records import Run
from harness.benchmark.report.results import EvaluationResults, Result
from harness.data.cell_names import CellName
from harness.data.scenarios import Arm
from harness.errors import DataError, UsageError
from harness.evaluation.results import config_name
from harness.hub.artifact import split_revision
from harness.models.engine.arithmetic import DEFAULT
from harness.reports.lineage.check import mismatched_means

CellKey = tuple[str, Arm, bool]
"""Scenario, pipeline, whether it is of the fair arms."""
TestSetKey = tuple[str, str]
"""Repository and commit of a test set."""
Alike = tuple[frozenset[str], str]
"""What results have in common beside their test set: the pairs, and the engine's arithmetic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedResults:
    """The cells with their runs, and the results that are in none."""

    student: str
    """Without its owner."""
    test_set: TestSetKey
    arithmetic: str
    """In which our engine answered."""
    runs: Mapping[CellKey, tuple[Run, ...]]
    results: Mapping[str, Result]
    """Those of the runs that are done, by configuration."""
    others: Mapping[str, str]
    """Configuration -> why it is in no table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A cell with one seed, as the record or the name of a model says it."""

    key: CellKey
    seed: int
    model: str
    record: CellRecord | None


def assign_results(results: EvaluationResults, namespace: str, student: str | None = None) -> AssignedResults:
    """Return the cells of one student. Without `student` it is that of the recorded run, else the most frequent one.

    Raises UsageError for a student without a cell, DataError where no result is of a benchmark model.
    """
    owner, name = _chosen(results, namespace, student)
    entries = _entries(results, owner, name)
    test_set = _test_set(results, entries)
    alike = _pairs(results, entries, test_set), _arithmetic(results, entries, test_set)
    runs: dict[CellKey, list[Run]] = defaultdict(list)
    for entry in sorted(entries, key=lambda one: (one.key, one.seed)):
        runs[entry.key].append(_run(entry, results.by_config.get(config_name(entry.model)), test_set, alike))
    done = {run.config for found in runs.values() for run in found if run.status == "done"}
    ours = {config_name(entry.model) for entry in entries}
    return AssignedResults(
        student=name,
        test_set=test_set,
        arithmetic=alike[1],
        runs={key: tuple(found) for key, found in runs.items()},
        results={config: one for config, one in results.by_config.items() if config in done},
        others={config: _why_not(one, name, owner) for config, one in results.by_config.items() if config not in ours},
    )


def _chosen(results: EvaluationResults, namespace: str, student: str | None) -> tuple[str, str]:
    """Return owner and name of the student whose cells are shown; the owner is that of the trained models."""
    groups = Counter(
        (repository.rpartition("/")[0], named.student)
        for one in results.by_config.values()
        if (repository := one.repository) and (named := CellName.parse(repository))
    )
    record = results.record
    if record is not None and record.cells:
        groups[record.cells[0].model.rpartition("/")[0], student_name(record.student)] += len(results.by_config) + 1
    if not groups:
        raise DataError(
            f"dataset {results.artifact} holds {len(results.by_config)} results, none of a benchmark model "
            "(<namespace>/tft-benchmark-s<N>-<tft|direct>-<student>); run `tft run s2 tft` or `tft benchmark` first"
        )
    known = sorted({name for _, name in groups})
    if student is not None and student not in known:
        raise UsageError(f"there is no student {student!r} in {results.artifact}; there are {', '.join(known)}")
    wanted = [group for group in groups if student in (None, group[1])]
    return min(wanted, key=lambda group: (group[0] != namespace, -groups[group], group))


def student_name(name: str) -> str:
    """Return a student's name without its owner and commit."""
    return split_revision(name)[0].rpartition("/")[2]


def _entries(results: EvaluationResults, owner: str, student: str) -> list[_Entry]:
    """Return what the record lists, and what the names of other results of the same student say."""
    record, entries = results.record, []
    if record is not None and student_name(record.student) == student:
        for cell in record.cells:
            key: CellKey = (cell.scenario, cell.arm, cell.fair)
            entries.append(_Entry(key=key, seed=cell.seed, model=cell.model, record=cell))
    listed = {entry.model for entry in entries}
    for one in results.by_config.values():
        repository = one.repository or ""
        named = CellName.parse(repository)
        if named and repository not in listed and (repository.rpartition("/")[0], named.student) == (owner, student):
            key = (f"s{named.scenario}", named.arm, named.fair)
            entries.append(_Entry(key=key, seed=named.seed, model=repository, record=None))
    return entries


def _test_set(results: EvaluationResults, entries: Iterable[_Entry]) -> TestSetKey:
    """Return the test set that most of the cells were measured on; the recorded one where that is a draw."""
    counts: Counter[TestSetKey] = Counter()
    for entry in entries:
        if one := results.by_config.get(config_name(entry.model)):
            counts[one.report.run.dataset, one.report.run.dataset_revision] += 1
    repo, revision = split_revision(results.record.test_set if results.record else "")
    if not counts:
        return repo, revision or ""
    return min(counts, key=lambda key: (-counts[key], key != (repo, revision), key))


def _pairs(results: EvaluationResults, entries: Iterable[_Entry], test_set: TestSetKey) -> frozenset[str]:
    """Return the pairs that most of the whole results on the test set have."""
    counts: Counter[frozenset[str]] = Counter()
    for entry in entries:
        one = results.by_config.get(config_name(entry.model))
        if one and (one.report.run.dataset, one.report.run.dataset_revision) == test_set:
            counts[frozenset(str(row.get("pair_id")) for row in one.rows)] += 1
    return max(counts, key=lambda found: (counts[found], len(found), sorted(found)), default=frozenset())


def _arithmetic(results: EvaluationResults, entries: Iterable[_Entry], test_set: TestSetKey) -> str:
    """Return the arithmetic of most of the results on the test set; the default one where that is a draw."""
    counts: Counter[str] = Counter()
    for entry in entries:
        one = results.by_config.get(config_name(entry.model))
        if one and (one.report.run.dataset, one.report.run.dataset_revision) == test_set:
            counts[one.report.run.arithmetic or DEFAULT] += 1
    return min(counts, key=lambda found: (-counts[found], found != DEFAULT, found), default=DEFAULT)


def _run(entry: _Entry, result: Result | None, test_set: TestSetKey, alike: Alike) -> Run:
    record = entry.record
    if record is not None and record.status == "failed":
        later = "; a result of it in the dataset is from another run and is left out" if result else ""
        problem = f"{record.problem or 'no reason was recorded'}{later}"
        return Run(
            model=entry.model,
            seed=entry.seed,
            status="failed",
            stage=record.stage,
            problem=problem,
            artifacts=record.artifacts,
        )
    if result is None:
        problem = "the run of the benchmark says that it is done, and the results dataset has no report of it"
        return Run(
            model=entry.model,
            seed=entry.seed,
            status="unusable",
            stage="evaluate",
            problem=problem,
            artifacts=record.artifacts if record else {},
        )
    why = why_unusable(result, test_set, alike)
    return Run(
        model=entry.model,
        seed=entry.seed,
        status="unusable" if why else "done",
        revision=result.report.run.model_revision,
        config=result.config,
        fingerprint=result.fingerprint,
        date=result.report.run.date,
        pairs=len(result.rows),
        errors=sum(row.get("error") is not None for row in result.rows),
        cut=result.report.cut,
        unscored={metric: one.unscored for metric, one in result.report.rows["model"].items()},
        stage="evaluate" if why else None,
        problem=why,
        artifacts=record.artifacts if record else {},
    )


def why_unusable(result: Result, test_set: TestSetKey, alike: Alike) -> str | None:
    """Return why a result must not be compared with the others, None where it may be."""
    report, run, (pairs, arithmetic) = result.report, result.report.run, alike
    if (run.dataset, run.dataset_revision) != test_set:
        return f"measured on {run.dataset} at {run.dataset_revision[:12]}, the others are not; evaluate it again"
    if not result.rows:
        return "its rows are missing in the results dataset; evaluate it again"
    if run.arithmetic not in (None, arithmetic):
        return f"answered in {run.arithmetic}, the others in {arithmetic}; evaluate it again as they were"
    asked, total = run.config.get("pairs"), run.config.get("pairs_in_test_set")
    if asked != total:
        return f"only the first {asked} of {total} pairs were asked; evaluate it without --limit"
    if {row.get("pair_id") for row in result.rows} != pairs or len(result.rows) != len(pairs):
        return "its rows are about other pairs than those of the other cells; evaluate it again"
    mismatch = next(mismatched_means(report, result.rows), None)
    return f"its report and its rows say different things of {mismatch[0]}; evaluate it again" if mismatch else None


def _why_not(result: Result, student: str, owner: str) -> str:
    named = CellName.parse(result.repository or "")
    if named is None:
        return "no model of the benchmark"
    if named.student != student:
        return f"another student, {named.student}"
    return f"another owner's, not {owner}'s"
