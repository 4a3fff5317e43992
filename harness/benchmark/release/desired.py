"""The files that the repositories of a release should have: cards, scores, the report, the page of the leaderboard."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.benchmark.release.contents import Entry, results_place, space_place
from harness.benchmark.release.current import CurrentResults, Repo, find_tree
from harness.data.formats.task import read_task
from harness.data.records import Task
from harness.data.tasks import TASK
from harness.errors import CommitConflict
from harness.evaluation.results import ResultsDataset, config_name
from harness.hub.artifact import README, Artifact, RepositoryName, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.hub.repository import Tree
from harness.reports.publish import model_files, results_readme

STAGE, VERSION = "publish", 1
_OF_REPORT = re.compile(r"README\.md|RESULTS\.md|results\.json|plots/[^/]+")
"""Files of the results dataset that come from the others: what the report is made of is the rest."""


class Reported(Protocol):
    """What a report says of itself."""

    @property
    def results(self) -> Artifact:
        """The commit of the results dataset that it is about."""
        ...


MakeReport = Callable[[Hub, str, Path], Reported]
"""Writes the report of a namespace into a folder; `harness.benchmark.report.build.make_report`."""
Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the files are made from."""

    hub: Hub
    namespace: str
    results: CurrentResults
    repos: Mapping[RepositoryName, Repo | None]


def wanted_files(setting: Setting, entries: Sequence[Entry], make_report: MakeReport) -> dict[RepositoryName, Files]:
    """Return the files that each repository should have beside those that the stages have put there.

    CommitConflict where results were pushed meanwhile.
    """
    found = {entry.place: _model(setting, entry.place) for entry in entries if entry.role == "model"}
    results, space = results_place(setting.namespace), space_place(setting.namespace)
    before = setting.repos.get(space)
    about = _reported_commit(setting, before)
    report = _report(setting, make_report, about)
    card = {README: results_readme(setting.hub, results.repo_id).encode()}
    shared = {path: body for path, body in report.items() if path not in (README, "index.html")}
    found[results] = {**shared, **card}
    found[space] = {**report, LINEAGE: _lineage(str(about), [*report], before, setting.hub)}
    return found


def _model(setting: Setting, place: RepositoryName) -> Files:
    hub, results, config = setting.hub, setting.results, config_name(place.repo_id)
    report = results.reports[config]
    task, plots = _task(hub, report.run.test_set), ResultsDataset(hub, results.artifact).plots(config, report)
    return model_files(hub, place.repo_id, report, task, results=results.artifact.repo_id, plots=plots)


def _task(hub: Hub, test_set: Artifact) -> Task:
    return read_task(hub.pull(test_set, [TASK]) / TASK)


def _reported_commit(setting: Setting, space: Repo | None) -> Artifact:
    """Return the commit of the results that the report is about: main, or the one that an earlier report names.

    The release puts the report beside the results, which moves main and changes no result: a report that named the
    new commit would be another one each time.
    """
    results = setting.results.artifact
    for name in space.lineage.lineage.inputs if space and space.lineage else ():
        about = parse_input(name)
        if isinstance(about, Artifact) and about.repo_id == results.repo_id and about != results:
            then, now = (find_tree(setting.hub, one) for one in (about, results))
            if then is not None and now is not None and _measured(then) == _measured(now):
                return about
    return results


def _measured(tree: Tree) -> dict[str, str]:
    return {path: file.hash for path, file in tree.items() if not _OF_REPORT.fullmatch(path)}


def _report(setting: Setting, make_report: MakeReport, about: Artifact) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="tft-publish-") as name:
        folder = Path(name)
        made = make_report(setting.hub, setting.namespace, folder)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    now = made.results.revision
    if now != setting.results.artifact.revision:
        raise CommitConflict(f"{setting.results.artifact.repo_id}: somebody else pushed in between; run this again")
    return {path: _renamed(body, now, about.revision) for path, body in files.items()}


def _renamed(body: bytes, now: str, about: str) -> bytes:
    """Return a text with one commit in the place of another, whole or by its first 12 digits."""
    return body.replace(now.encode(), about.encode()).replace(now[:12].encode(), about[:12].encode())


def _lineage(results: str, files: list[str], before: Repo | None, hub: Hub) -> bytes:
    """Return the Space's `lineage.json`; that of an earlier release stays where it says the same.

    It lists the files of the report: what an earlier one had put there and this one has not is removed by that.
    """
    lineage = Lineage(stage=STAGE, version=VERSION, config={"files": sorted(files)}, inputs=(results,))
    if before and before.lineage and before.lineage.fingerprint == lineage.fingerprint():
        return hub.fetch(before.state.head, LINEAGE).read_bytes()
    record = {**lineage.dump(), "packages": {}}  # none of them can change what a report of results says
    return (json.dumps(record, indent=2) + "\n").encode()


def stale_files(setting: Setting, place: RepositoryName, wanted: Files) -> tuple[str, ...]:
    """Return the files that an earlier release has put there and this one has not; nobody else's are among them."""
    repo = setting.repos.get(place)
    if repo is None:
        return ()
    if place == space_place(setting.namespace):
        listed = repo.lineage.lineage.config.get("files") if repo.lineage else None
        ours = {str(path) for path in listed} if isinstance(listed, list) else set()
    elif place == results_place(setting.namespace):
        ours = {path for path in repo.tree if _OF_REPORT.fullmatch(path)}
    else:
        return ()
    return tuple(sorted(path for path in ours if path in repo.tree and path not in wanted))
