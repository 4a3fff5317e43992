"""What is on the Hub before a release: every repository at a pinned commit. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from harness.benchmark.record import BenchmarkRecord, CellRecord
from harness.benchmark.release.manifest import Entry
from harness.benchmark.report.results import EvaluationResults, Result
from harness.errors import DataError, RepoNotFound
from harness.evaluation.results import config_name
from harness.hub.artifact import Artifact, RepositoryName
from harness.hub.client import Hub
from harness.hub.lineage import LineageRecord, read_lineage
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
class ReleaseInputs:
    """What was read before a release: everything that its checks and files are made from."""

    hub: Hub
    namespace: str
    record: BenchmarkRecord
    results: EvaluationResults
    entries: Sequence[Entry]
    repos: Mapping[RepositoryName, Repo | None]

    def present(self, *roles: str) -> Iterator[tuple[Entry, Repo]]:
        """Yield the entries that are on the Hub, those of these roles where some are named."""
        for entry in self.entries:
            repo = self.repos.get(entry.place)
            if repo is not None and (not roles or entry.role in roles):
                yield entry, repo

    def models(self) -> Iterator[tuple[Entry, CellRecord, Result | None]]:
        """Yield each model with its cell and its result."""
        for entry in self.entries:
            if entry.cell is not None:
                yield entry, entry.cell, self.results.by_config.get(config_name(entry.cell.model))


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
