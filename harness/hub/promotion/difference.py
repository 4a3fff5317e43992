"""What makes a commit on one Hub equal a commit on another: by hashes, and by content where those are of two sorts."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.repository import File, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeChanges:
    """What makes one tree equal another."""

    added: tuple[File, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def __str__(self) -> str:
        size = sum(file.size for file in self.added)
        parts = [f"{_counted(len(self.added))} ({_amount(size)}) to copy"] if self.added else []
        parts += [f"{_counted(len(self.removed))} to remove"] if self.removed else []
        return ", ".join(parts) or "no file to copy"


def _counted(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"


def _amount(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"


def changes(have: tuple[Hub, Artifact], have_tree: Tree, want: tuple[Hub, Artifact], want_tree: Tree) -> TreeChanges:
    """Return what makes the tree of `have` equal that of `want`.

    A file that is large on one side only (each Hub decides for itself) is downloaded from the other to compare.
    """

    def same(one: File, other: File) -> bool:
        answer = one.same(other)
        if answer is not None:
            return answer
        hashes = {
            file.hash if file.large else _sha256(hub, artifact, file.path)
            for file, (hub, artifact) in ((one, have), (other, want))
        }
        return len(hashes) == 1

    return TreeChanges(
        added=tuple(
            f for path, f in sorted(want_tree.items()) if path not in have_tree or not same(have_tree[path], f)
        ),
        removed=tuple(sorted(path for path in have_tree if path not in want_tree)),
    )


def _sha256(hub: Hub, artifact: Artifact, path: str) -> str:
    with tempfile.TemporaryDirectory() as folder, hub.fetch(artifact, path, Path(folder)).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
