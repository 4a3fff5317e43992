"""What is on the Hub before a release: every repository at a pinned commit. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.benchmark.record import FILE, BenchmarkRecord, read_record
from harness.errors import DataError, RepoNotFound
from harness.evaluation.records import EvalReport
from harness.evaluation.results import ResultsDataset
from harness.hub.artifact import Artifact, RepositoryName
from harness.hub.chain import read_lineage
from harness.hub.client import Hub
from harness.hub.foreign_json import load_json
from harness.hub.lineage import LineageRecord
from harness.hub.repository import RepositoryState, Tree

_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Repo:
    """A repository as it is: its names for commits, its files, and what it says of its own origin."""

    state: RepositoryState
    tree: Tree
    """Of main."""
    lineage: LineageRecord | None
    """None where it has none, or one that cannot be read."""
    damaged: str | None
    """Why its `lineage.json` cannot be read."""
    titles: tuple[str, ...]
    """Of main's commits, the newest first; read where there is no lineage."""

    @property
    def stage(self) -> str | None:
        """The stage that has made it; None where it does not say."""
        return self.lineage.lineage.stage if self.lineage else None

    @property
    def untouched(self) -> bool:
        """Whether it is private and holds nothing but what the Hub puts into a new one."""
        return self.state.private and not self.state.tags and list(self.titles) == ["initial commit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentResults:
    """The results dataset at one commit."""

    artifact: Artifact
    record: BenchmarkRecord
    reports: Mapping[str, EvalReport]
    """By configuration."""
    fingerprints: Mapping[str, str]
    """Configuration -> fingerprint of the evaluation."""
    damaged: Mapping[str, str]
    """Configuration -> why its lineage cannot be read."""


def read_repos(hub: Hub, places: Iterable[RepositoryName]) -> dict[RepositoryName, Repo | None]:
    """Return each repository, None where it is missing or hidden from this token."""
    wanted = list(dict.fromkeys(places))
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(partial(_read_repo, hub), wanted), strict=True))


def _read_repo(hub: Hub, place: RepositoryName) -> Repo | None:
    state = hub.state(place)
    if state is None:
        return None
    lineage, damaged = None, None
    try:
        lineage = read_lineage(hub, state.head)
    except DataError as error:
        damaged = str(error)
    titles = () if lineage else tuple(hub.titles(state.place))
    return Repo(state=state, tree=hub.tree(state.head), lineage=lineage, damaged=damaged, titles=titles)


def find_tree(hub: Hub, artifact: Artifact) -> Tree | None:
    """Return the files of a commit, None where the repository has no such commit."""
    try:
        return hub.tree(artifact)
    except RepoNotFound:
        return None


def read_json(hub: Hub, artifact: Artifact, path: str) -> dict[str, Any] | None:
    """Return a JSON object that a file of a commit holds; None where there is none or it holds something else."""
    try:
        value = load_json((hub.read(artifact, path) or b"null").decode("utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def read_benchmark(hub: Hub, results: Artifact) -> CurrentResults:
    """Return the record of the benchmark and all reports that lie beside it.

    DataError where there is no record, or where it or a report cannot be read.
    """
    dataset = ResultsDataset(hub, results)
    record = read_record(dataset)
    if record is None:
        raise DataError(
            f"dataset {results} has no {FILE}, so no run of the benchmark has come to its end; run `tft benchmark`"
        )
    damaged: dict[str, str] = {}
    made = dataset.lineages(unreadable=damaged.__setitem__)
    return CurrentResults(
        artifact=results,
        record=record,
        reports=dataset.reports(),
        fingerprints={config: one.fingerprint for config, one in made.items()},
        damaged=damaged,
    )
