"""What is on the Hub before a release: every repository at a pinned commit. Reads only."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.benchmark.record import FILE, BenchmarkRecord, read_record
from harness.errors import AccessDenied, DataError, RepoNotFound
from harness.evaluation.records import EvalReport
from harness.evaluation.results import ResultsDataset
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, LineageRecord, parse_record
from harness.hub.repository import TARGET_TOKEN, HubSide, RepositoryName, RepositoryState
from harness.hub.trees import Tree

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


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads from the Hub of a release; what a commit holds is asked for once."""

    side: HubSide

    @classmethod
    def of(cls, hub: Hub) -> Reader:
        """Return the reader with the token that the Hub's client uses; AccessDenied where there is none."""
        token = hub.token()
        if not token:
            raise AccessDenied(f"no token for {hub.endpoint}: set {TARGET_TOKEN}, or run `hf auth login`")
        return cls(HubSide.at(hub.endpoint, token, TARGET_TOKEN))

    def repos(self, places: Iterable[RepositoryName]) -> dict[RepositoryName, Repo | None]:
        """Return each repository, None where it is missing or hidden from this token."""
        wanted = list(dict.fromkeys(places))
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            return dict(zip(wanted, pool.map(self.repo, wanted), strict=True))

    def repo(self, place: RepositoryName) -> Repo | None:
        """Return a repository, None where it is missing or hidden from this token."""
        state = self.side.state(place)
        if state is None:
            return None
        tree = self.side.tree(state.place, state.main)
        lineage, damaged = self._lineage(state) if LINEAGE in tree else (None, None)
        titles = () if lineage else tuple(self.side.titles(state.place))
        return Repo(state=state, tree=tree, lineage=lineage, damaged=damaged, titles=titles)

    def _lineage(self, state: RepositoryState) -> tuple[LineageRecord | None, str | None]:
        try:
            return parse_record(self.read(state.place, state.main, LINEAGE), f"{LINEAGE} of {state.place}"), None
        except DataError as error:
            return None, str(error)

    def tree(self, place: RepositoryName, commit: str) -> Tree | None:
        """Return the files of a commit, None where the repository has no such commit."""
        try:
            return self.side.tree(place, commit)
        except RepoNotFound:
            return None

    def read(self, place: RepositoryName, commit: str, path: str) -> bytes:
        """Return a file of a commit."""
        with tempfile.TemporaryDirectory() as folder:
            return self.side.fetch(place, commit, path, Path(folder)).read_bytes()

    def json(self, place: RepositoryName, commit: str, path: str) -> dict[str, Any] | None:
        """Return a JSON object that a file of a commit holds; None where it holds something else."""
        try:
            value = json.loads(self.read(place, commit, path))
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


def read_benchmark(hub: Hub, results: Artifact) -> CurrentResults:
    """Return the record of the benchmark and all reports that lie beside it.

    DataError where there is no record, or where a file cannot be read.
    """
    dataset = ResultsDataset(hub, results)
    record = read_record(dataset)
    if record is None:
        raise DataError(
            f"dataset {results} has no {FILE}, so no run of the benchmark has come to its end; run `tft benchmark`"
        )
    return CurrentResults(
        artifact=results,
        record=record,
        reports=dataset.reports(),
        fingerprints={config: found.fingerprint for config, found in dataset.lineages().items()},
    )
