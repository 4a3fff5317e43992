"""What the refs of a repository lead to: its commits, and the large files that their trees point at.

Objects that no ref leads to any more (squashed history, deleted branches, commits that failed) still lie on the disk
until they are collected, but cannot be named.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from .blobs import pointer
from .objects import CommitFacts
from .trees import Entry


class Writing:
    """The lock for moving the refs of a repository, and a count of how often they moved."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.moves = 0

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()


class History(Protocol):
    """A git repository, as far as refs are followed: a `GitRepo`, whose methods these are."""

    writing: Writing

    def commit(self, sha: str) -> CommitFacts: ...
    def tree(self, sha: str) -> dict[str, Entry]: ...
    def refs(self) -> dict[str, str]: ...
    def ref(self, name: str) -> str | None: ...
    def peel(self, sha: str) -> str: ...


@dataclass(slots=True)
class _Known:
    """What was found when the refs had moved `moves` times and pointed at `tips`."""

    moves: int = -1
    tips: frozenset[str] = frozenset()
    commits: set[str] = field(default_factory=set)


class Reach:
    """Follows the refs of one repository, and again when one has moved: then only to what is new."""

    def __init__(self, git: History) -> None:
        self._git = git
        self._lock = threading.Lock()
        self._commits = _Known()
        self._searched = _Known()
        self._large: set[str] = set()

    def has_commit(self, sha: str) -> bool:
        """Return whether a ref leads to the commit."""
        known = self._commits
        if known.moves == self._git.writing.moves:
            return sha in known.commits
        if sha == self._git.ref("refs/heads/main"):
            return True
        return sha in self.commits()

    def commits(self) -> set[str]:
        """Return every commit that a ref leads to."""
        with self._lock:
            self._commits, _ = self._follow(self._commits)
            return self._commits.commits

    def points_at(self, sha256: str, candidates: Callable[[], Iterable[tuple[str, int]]]) -> bool:
        """Return whether the tree of one of the commits points at a large file.

        `candidates` are the (sha256, size) that may be among them; a file is one before a ref leads to it.
        """
        with self._lock:
            before = self._searched
            self._searched, new = self._follow(before)
            if self._searched.tips != before.tips:
                if not before.commits <= self._searched.commits:
                    self._large = set()
                ids = {blob: found for found, size in candidates() for blob in _pointer_ids(found, size)}
                self._large |= {ids[blob] for blob in self._blobs(new) if blob in ids}
            return sha256 in self._large

    def _follow(self, known: _Known) -> tuple[_Known, set[str]]:
        """Return what is known now, and the commits that were not known before (all of them if some are gone)."""
        moves = self._git.writing.moves
        if known.moves == moves:
            return known, set()
        tips = frozenset(self._git.peel(sha) for sha in self._git.refs().values())
        new = self._walk(tips, known.commits)
        parents = {parent for sha in new for parent in self._git.commit(sha).parents}
        if not known.tips <= tips | parents:  # a ref went back, or is gone
            new = self._walk(tips, set())
            return _Known(moves=moves, tips=tips, commits=new), new
        return _Known(moves=moves, tips=tips, commits=known.commits | new), new

    def _walk(self, tips: Iterable[str], known: set[str]) -> set[str]:
        found: set[str] = set()
        todo = list(tips)
        while todo:
            sha = todo.pop()
            if sha not in known and sha not in found:
                found.add(sha)
                todo += self._git.commit(sha).parents
        return found

    def _blobs(self, commits: Iterable[str]) -> Iterator[str]:
        """Yield the ids of all files of the commits, each folder being read once."""
        seen: set[str] = set()
        todo = [self._git.commit(sha).tree for sha in commits]
        while todo:
            tree = todo.pop()
            if tree in seen:
                continue
            seen.add(tree)
            for entry in self._git.tree(tree).values():
                if entry.is_folder:
                    todo.append(entry.sha)
                else:
                    yield entry.sha


def _pointer_ids(sha256: str, size: int) -> Iterator[str]:
    """Yield the git ids of the blobs that can stand for a large file; in old ones the last line end may be missing."""
    text = pointer(sha256, size)
    for data in (text, text.removesuffix(b"\n")):
        yield hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
