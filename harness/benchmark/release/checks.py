"""Reasons against a release: each check yields its problems, one sentence each, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.benchmark.release.collection import MARK
from harness.benchmark.release.current import ReleaseInputs, Repo, find_tree
from harness.benchmark.release.desired import STAGE
from harness.benchmark.release.manifest import STAGE_OF, Entry, results_place
from harness.curation.checks.decontamination import GATE_RECORD, GateRecord
from harness.data.formats.strict_records import load_record
from harness.data.traces.trace_input import CONVERSATIONS
from harness.errors import CheckFailed
from harness.evaluation.results import configs_of, report_file
from harness.hub.artifact import Artifact, RepositoryName, parse_input, split_revision
from harness.hub.client import Hub
from harness.hub.collections import Collection
from harness.hub.foreign_json import load_json
from harness.hub.lineage import LINEAGE
from harness.reports.lineage.check import stage_files
from harness.statistics.formatting import whole_percent
from harness.terminal import one_line


class Refused(CheckFailed):
    """A release that must not be made as things are; nothing was changed."""

    has_lines = True

    def __init__(self, namespace: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        listed = "".join(f"\n  - {one_line(problem)}" for problem in self.problems)
        number = "one thing speaks" if len(self.problems) == 1 else f"{len(self.problems)} things speak"
        super().__init__(f"{namespace} was not published and nothing was changed, {number} against it:{listed}")


def names(found: ReleaseInputs) -> Iterator[str]:
    """Yield what is missing, and what has the name of something of the benchmark and is something else."""
    for entry in found.entries:
        place, repo = entry.place, found.repos.get(entry.place)
        if place.repo_id.partition("/")[0] != found.namespace:
            yield f"{place} is not in {found.namespace}; run the benchmark with everything in one namespace"
        elif repo is None:
            if entry.role != "leaderboard":
                yield f"{place} is missing; run `tft benchmark` again, which makes what is not there"
        elif repo.state.place.repo_id != place.repo_id:
            yield f"{place} leads to {repo.state.place}, which was renamed; name it as before"
        elif not _ours(entry, repo):
            yield (
                f"{place} is taken by something else ({_says(repo)}), which is left as it is; rename that, or publish "
                "in another namespace"
            )


def _ours(entry: Entry, repo: Repo) -> bool:
    if entry.role == "results":
        return True  # it holds the record of the benchmark
    if entry.role == "leaderboard":
        return repo.stage == STAGE or repo.untouched
    return repo.stage in STAGE_OF[entry.role]


def _says(repo: Repo) -> str:
    if repo.damaged:
        return repo.damaged
    return f"its {LINEAGE} says stage {repo.stage!r}" if repo.lineage else f"it has no {LINEAGE} of the benchmark"


def collection_is_free(collection: Collection | None, owner: str) -> Iterator[str]:
    """Yield a problem where a collection of the wanted title is someone else's work."""
    if collection is not None and collection.description != MARK:
        yield (
            f"the collection {collection.title!r} of {owner} is taken by another one, which is left as it is; rename "
            "that, or give --title"
        )


def scored(found: ReleaseInputs, limit: float) -> Iterator[str]:
    """Yield a problem for each model without a result, with one on a part of the test set, or with too many gaps."""
    for entry, cell, result in found.models():
        if result is None:
            yield f"{entry.place} has no report in the results; run `tft evaluate {cell.model}`"
            continue
        config = result.report.run.config
        asked, total = config.get("pairs"), config.get("pairs_in_test_set")
        if asked != total:
            yield f"{entry.place} was asked only {asked} of {total} pairs; evaluate it without --limit"
        for metric, one in result.report.rows["model"].items():
            number = one.n + one.unscored
            if one.unscored > limit * number:
                yield (
                    f"{entry.place}: {one.unscored} of {number} pairs have no {metric}, more than "
                    f"{whole_percent(limit)}; ask again for what is missing (tft evaluate --resume), or raise "
                    "--max-unscored"
                )


def up_to_date(found: ReleaseInputs) -> Iterator[str]:
    """Yield a problem for each result that is not of the weights, the test set and the run that are published."""
    test_set = found.record.test_set
    for entry, cell, result in found.models():
        if result is None:
            continue
        run = result.report.run
        if str(run.test_set) != test_set:
            yield (
                f"{entry.place} was measured on {run.test_set}, the benchmark's test set is {test_set}; evaluate again"
            )
        if result.config in found.results.damaged:
            yield f"{entry.place}: {found.results.damaged[result.config]}"
        elif cell.result and result.fingerprint != cell.result.removeprefix("fp-"):
            yield (
                f"{entry.place} was evaluated again since the benchmark ran, with other settings; run `tft benchmark` "
                "again, so that all cells are measured alike"
            )
        repo, commit = found.repos.get(entry.place), run.model_revision
        if repo and commit and not _same_made(found.hub, repo, commit):
            yield f"the results of {entry.place} are of other weights ({commit[:12]}) than main has; evaluate it again"


def unchanged(found: ReleaseInputs) -> Iterator[str]:
    """Yield a problem for each repository whose main is not what the cells have made or read."""
    for entry, repo in found.present():
        if entry.commit is None or repo.stage not in STAGE_OF[entry.role]:
            continue
        if not _same_made(found.hub, repo, entry.commit):
            yield (
                f"{entry.place} has changed since the cells were run (main is {repo.state.main[:12]}, they used "
                f"{entry.commit[:12]}); run `tft benchmark` again"
            )


def _same_made(hub: Hub, repo: Repo, commit: str) -> bool:
    """Return whether a commit has the files of main, but for those that people and evaluations change later."""
    then = find_tree(hub, repo.state.place.at(commit))
    kind = repo.state.place.kind
    return then is not None and stage_files(kind, then) == stage_files(kind, repo.tree)


def decontaminated(found: ReleaseInputs) -> Iterator[str]:
    """Yield a problem for each dataset of synthetic conversations that no gate has compared with the test set."""
    repo_id = split_revision(found.record.test_set)[0]
    test_set = found.repos.get(RepositoryName(kind="dataset", repo_id=repo_id))
    for entry, repo in found.present("synthetic"):
        record = _gate_record(found.hub, repo)
        again = "synthesize again"
        if record is None:
            yield f"{entry.place} has no record of the decontamination gate ({GATE_RECORD}); {again} with --force"
        elif record.test_set is None or not record.test_conversations:
            yield f"{entry.place} was made without a test set to keep out; {again} with --test"
        elif test_set and not _same_test(found.hub, test_set, record.test_set):
            yield (
                f"{entry.place} was kept apart from {record.test_set}, which does not hold the conversations of "
                f"{test_set.state.place}; {again}"
            )


def _gate_record(hub: Hub, repo: Repo) -> GateRecord | None:
    try:
        value = load_json((hub.read(repo.state.head, GATE_RECORD) or b"null").decode("utf-8"))
        record: GateRecord = load_record(GateRecord, value, "record")
    except ValueError:
        return None
    return record


def _same_test(hub: Hub, test_set: Repo, named: str) -> bool:
    """Return whether what the gate read, `repo@commit`, has the conversations of the test set's main."""
    read, place = parse_input(named), test_set.state.place
    if not isinstance(read, Artifact) or read.repo_id != place.repo_id:
        return False
    then = find_tree(hub, read)
    wanted = test_set.tree.get(CONVERSATIONS)
    file = then.get(CONVERSATIONS) if then else None
    return wanted is not None and file is not None and file.hash == wanted.hash


def chains(found: ReleaseInputs, check_chain: Callable[[Hub, Artifact], list[str]]) -> Iterator[str]:
    """Yield what is wrong with the lineage of the results: behind them are all models and their data."""
    for problem in check_chain(found.hub, found.results.artifact):
        yield f"lineage: {problem}"


def changed_results(found: ReleaseInputs, version: str) -> list[str]:
    """Return the configurations whose reports are not those of a version that the results have already."""
    place = results_place(found.namespace)
    repo = found.repos.get(place)
    commit = repo.state.tags.get(version) if repo else None
    then = find_tree(found.hub, place.at(commit)) if commit else None
    if repo is None or then is None:
        return []
    reports = {config: report_file(config) for config in configs_of({*then, *repo.tree})}
    return [
        config
        for config, path in reports.items()
        if (path in then) != (path in repo.tree) or (path in then and then[path].hash != repo.tree[path].hash)
    ]
