"""Whether files on the Hub are the wanted ones, and the commit that makes them so. Reads only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.benchmark.release.changes import Commit, described
from harness.benchmark.release.current import Repo, find_tree
from harness.hub.artifact import Artifact, RepositoryName
from harness.hub.client import Hub
from harness.hub.repository import File, Tree, blob_id

_THIS_MACHINE = re.compile(rb"http://(?:127\.0\.0\.1|localhost|\[::1\]):\d+")
"""A Hub on this machine has another port each time."""
_FIGURES = "results.json"
_DRAWN = re.compile(r"plots/[^/]+\.(?:png|svg)")


@dataclass(frozen=True, slots=True)
class FileComparison:
    """Compares files of a repository with what is wanted there."""

    hub: Hub

    def commit(
        self,
        place: RepositoryName,
        repo: Repo | None,
        wanted: Mapping[str, bytes],
        stale: tuple[str, ...],
        version: str,
    ) -> Commit | None:
        """Return the commit that gives the repository the wanted files; None where it has them."""
        files = self.other(repo.state.head, repo.tree, wanted) if repo else dict(wanted)
        if not files and not stale:
            return None
        summary = {
            path: described(self.hub.read(repo.state.head, path) if repo else None, body)
            for path, body in files.items()
        }
        return Commit(
            place=place,
            parent=repo.state.main if repo else None,
            files=files,
            removed=stale,
            summary={**summary, **dict.fromkeys(stale, "removed")},
            message=f"Release {version}",
        )

    def other(self, artifact: Artifact, tree: Tree, wanted: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the wanted files that a commit lacks or has with another content.

        Plots are drawn from the figures: where those are the same, a plot that another version of the drawing library
        would store with other bytes is no other plot.
        """
        found = {path: body for path, body in wanted.items() if not self._same(artifact, tree.get(path), body)}
        if _FIGURES in wanted and _FIGURES not in found:
            found = {path: body for path, body in found.items() if not (_DRAWN.fullmatch(path) and path in tree)}
        return found

    def _same(self, artifact: Artifact, file: File | None, body: bytes) -> bool:
        if file is None:
            return False
        if file.hash == (hashlib.sha256(body).hexdigest() if file.large else blob_id(body)):
            return True
        if _THIS_MACHINE.search(body) is None:
            return False
        there = self.hub.fetch(artifact, file.path).read_bytes()
        return _THIS_MACHINE.sub(b"", there) == _THIS_MACHINE.sub(b"", body)

    def against(self, repo: Repo, tagged: str, commit: Commit | None) -> list[str]:
        """Return the files in which a tagged commit is not what main will be with `commit`."""
        then = find_tree(self.hub, repo.state.place.at(tagged))
        if then is None:
            return ["all files"]
        wanted = {path: file for path, file in repo.tree.items() if commit is None or path not in commit.removed}
        written = commit.files if commit else {}
        changed = set(self.other(repo.state.place.at(tagged), then, written))
        for path in {*wanted, *then} - {*written}:
            if path not in then or path not in wanted or then[path].hash != wanted[path].hash:
                changed.add(path)
        return sorted(changed)
