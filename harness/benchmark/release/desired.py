"""The files that the repositories of a release should have, and the commits that make them so."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.benchmark.release.changes import Commit, describe_change
from harness.benchmark.release.current import ReleaseInputs, Repo, find_tree
from harness.benchmark.release.manifest import results_place, space_place
from harness.benchmark.report.records import BenchmarkReport
from harness.data.formats.task import read_task
from harness.data.tasks import TASK
from harness.errors import CommitConflict
from harness.evaluation.results import ResultsDataset, config_name
from harness.hub.artifact import README, Artifact, RepositoryName, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.hub.repository import File, Tree, blob_id
from harness.reports.publish import model_files, results_readme

STAGE, VERSION = "publish", 1
_OF_REPORT = re.compile(r"README\.md|RESULTS\.md|results\.json|plots/[^/]+")
"""Files of the results dataset that come from the others: what the report is made of is the rest."""
_THIS_MACHINE = re.compile(rb"http://(?:127\.0\.0\.1|localhost|\[::1\]):\d+")
"""A Hub on this machine has another port each time."""
_FIGURES = "results.json"
_DRAWN = re.compile(r"plots/[^/]+\.(?:png|svg)")

MakeReport = Callable[[Hub, str, Path], BenchmarkReport]
"""Writes the report of a namespace into a folder; `harness.benchmark.report.build.make_report`."""
Files = Mapping[str, bytes]


def desired_files(inputs: ReleaseInputs, make_report: MakeReport) -> dict[RepositoryName, Files]:
    """Return the files that each repository should have beside those that the stages have put there.

    CommitConflict where results were pushed meanwhile.
    """
    found = {entry.place: _model(inputs, entry.place) for entry in inputs.entries if entry.role == "model"}
    results, space = results_place(inputs.namespace), space_place(inputs.namespace)
    before = inputs.repos.get(space)
    about = _reported_commit(inputs, before)
    report = _report(inputs, make_report, about)
    card = {README: results_readme(inputs.hub, results.repo_id).encode()}
    shared = {path: body for path, body in report.items() if path not in (README, "index.html")}
    found[results] = {**shared, **card}
    found[space] = {**report, LINEAGE: _lineage(str(about), [*report], before, inputs.hub)}
    return found


def _model(inputs: ReleaseInputs, place: RepositoryName) -> Files:
    hub, results, config = inputs.hub, inputs.results, config_name(place.repo_id)
    report = results.by_config[config].report
    task = read_task(hub.pull(report.run.test_set, [TASK]) / TASK)
    plots = ResultsDataset(hub, results.artifact).plots(config, report)
    return model_files(hub, place.repo_id, report, task, results=results.artifact.repo_id, plots=plots)


def _reported_commit(inputs: ReleaseInputs, space: Repo | None) -> Artifact:
    """Return the commit of the results that the report is about: main, or the one that an earlier report names.

    The release puts the report beside the results, which moves main and changes no result: a report that named the
    new commit would be another one each time.
    """
    results = inputs.results.artifact
    for name in space.lineage.lineage.inputs if space and space.lineage else ():
        about = parse_input(name)
        if isinstance(about, Artifact) and about.repo_id == results.repo_id and about != results:
            then, now = (find_tree(inputs.hub, one) for one in (about, results))
            if then is not None and now is not None and _measured(then) == _measured(now):
                return about
    return results


def _measured(tree: Tree) -> dict[str, str]:
    return {path: file.hash for path, file in tree.items() if not _OF_REPORT.fullmatch(path)}


def _report(inputs: ReleaseInputs, make_report: MakeReport, about: Artifact) -> dict[str, bytes]:
    """Return the files of the report, the commit of the results in them replaced by the one that it is about."""
    with tempfile.TemporaryDirectory(prefix="tft-publish-") as name:
        folder = Path(name)
        now = make_report(inputs.hub, inputs.namespace, folder).results.revision
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    if now != inputs.results.artifact.revision:
        raise CommitConflict(f"{inputs.results.artifact.repo_id}: someone else pushed in the meantime; run this again")
    old, new = now.encode(), about.revision.encode()
    return {path: body.replace(old, new).replace(old[:12], new[:12]) for path, body in files.items()}


def _lineage(results: str, files: list[str], before: Repo | None, hub: Hub) -> bytes:
    """Return the Space's `lineage.json`; that of an earlier release stays where it says the same.

    It lists the files of the report: what an earlier one had put there and this one has not is removed by that.
    """
    lineage = Lineage(stage=STAGE, version=VERSION, config={"files": sorted(files)}, inputs=(results,))
    if before and before.lineage and before.lineage.fingerprint == lineage.fingerprint():
        return hub.fetch(before.state.head, LINEAGE).read_bytes()
    record = {**lineage.dump(), "packages": {}}  # none of them can change what a report of results says
    return (json.dumps(record, indent=2) + "\n").encode()


def plan_commits(
    inputs: ReleaseInputs, desired: Mapping[RepositoryName, Files], version: str
) -> dict[RepositoryName, Commit]:
    """Return the commits that are needed; the Space's comes first, which says what the report is about."""
    space = space_place(inputs.namespace)
    places = sorted(desired, key=lambda place: place != space)
    found = {place: _commit(inputs, place, desired[place], version) for place in places}
    return {place: commit for place, commit in found.items() if commit}


def _commit(inputs: ReleaseInputs, place: RepositoryName, desired: Files, version: str) -> Commit | None:
    """Return the commit that gives a repository the desired files; None where it has them."""
    hub, repo = inputs.hub, inputs.repos[place]
    files = _differing(hub, repo.state.head, repo.tree, desired) if repo else dict(desired)
    stale = _stale_files(inputs, place, desired)
    if not files and not stale:
        return None
    summary = {
        path: describe_change(hub.read(repo.state.head, path) if repo else None, body) for path, body in files.items()
    }
    return Commit(
        place=place,
        parent=repo.state.main if repo else None,
        files=files,
        removed=stale,
        summary={**summary, **dict.fromkeys(stale, "removed")},
        message=f"Release {version}",
    )


def _stale_files(inputs: ReleaseInputs, place: RepositoryName, desired: Files) -> tuple[str, ...]:
    """Return the files that an earlier release has put there and this one has not; no other files."""
    repo, ours = inputs.repos.get(place), set[str]()
    if repo and place == space_place(inputs.namespace):
        listed = repo.lineage.lineage.config.get("files") if repo.lineage else None
        ours = set(map(str, listed)) if isinstance(listed, list) else ours
    elif repo and place == results_place(inputs.namespace):
        ours = {path for path in repo.tree if _OF_REPORT.fullmatch(path)}
    return tuple(sorted(path for path in ours if repo and path in repo.tree and path not in desired))


def _differing(hub: Hub, artifact: Artifact, tree: Tree, desired: Files) -> dict[str, bytes]:
    """Return the desired files that a commit lacks or has with another content.

    Plots are drawn from the figures: where those are the same, a plot that another version of the drawing library
    would store with other bytes is no other plot.
    """
    found = {path: body for path, body in desired.items() if not _same(hub, artifact, tree.get(path), body)}
    if _FIGURES in desired and _FIGURES not in found:
        found = {path: body for path, body in found.items() if not (_DRAWN.fullmatch(path) and path in tree)}
    return found


def _same(hub: Hub, artifact: Artifact, file: File | None, body: bytes) -> bool:
    if file is None:
        return False
    if file.hash == (hashlib.sha256(body).hexdigest() if file.large else blob_id(body)):
        return True
    if _THIS_MACHINE.search(body) is None:
        return False
    there = hub.fetch(artifact, file.path).read_bytes()
    return _THIS_MACHINE.sub(b"", there) == _THIS_MACHINE.sub(b"", body)


def changed_files(hub: Hub, repo: Repo, tagged: str, commit: Commit | None) -> list[str]:
    """Return the files in which a tagged commit is not what main will be with `commit`."""
    then = find_tree(hub, repo.state.place.at(tagged))
    if then is None:
        return ["all files"]
    left = {path: file.hash for path, file in repo.tree.items() if commit is None or path not in commit.removed}
    written = commit.files if commit else {}
    changed = set(_differing(hub, repo.state.place.at(tagged), then, written))
    before = {path: file.hash for path, file in then.items()}
    changed |= {path for path in {*left, *then} - {*written} if before.get(path) != left.get(path)}
    return sorted(changed)
