"""The files of a revision by their hashes, and what lacks for one to equal another. No effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RECORD = ".promotion.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a revision: its size in bytes and its hash."""

    path: str
    size: int
    hash: str
    large: bool
    """Whether `hash` is the SHA-256 of the content (a large file) or the id of its git blob."""

    def same(self, other: File) -> bool | None:
        """Return whether the contents are equal; None where the hashes are of two sorts and the content must tell."""
        if self.size != other.size:
            return False
        return self.hash == other.hash if self.large == other.large else None


Tree = Mapping[str, File]
"""All files of a revision by their path."""


def without_record(tree: Tree) -> dict[str, File]:
    """Return the tree without the file that a promotion adds."""
    return {path: file for path, file in tree.items() if path != RECORD}


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
