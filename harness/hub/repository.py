"""A snapshot of a repository: its refs, and the files of a revision by their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.hub.artifact import Artifact, RepoKind, RepositoryName

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo, GitRefs, KernelInfo, ModelInfo, RepoFile, SpaceInfo

    RepoInfo = ModelInfo | DatasetInfo | SpaceInfo | KernelInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryState:
    """A repository as it was at one moment: all its names by the commits they meant."""

    place: RepositoryName
    private: bool
    gated: str
    """`auto`, `manual`, or empty."""
    sdk: str | None
    main: str
    branches: Mapping[str, str]
    tags: Mapping[str, str]

    @classmethod
    def of(cls, kind: RepoKind, info: RepoInfo, refs: GitRefs) -> RepositoryState:
        """Return a repository that has a main, as the Hub describes it."""
        branches = {ref.name: ref.target_commit for ref in refs.branches}
        return cls(
            place=RepositoryName(kind=kind, repo_id=info.id),
            private=bool(info.private),
            gated=str(getattr(info, "gated", None) or ""),
            sdk=getattr(info, "sdk", None),
            main=branches["main"],
            branches=branches,
            tags={ref.name: ref.target_commit for ref in refs.tags},
        )

    @property
    def head(self) -> Artifact:
        """Return its main as it was."""
        return self.place.at(self.main)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a revision: its size in bytes and its hash."""

    path: str
    size: int
    hash: str
    large: bool
    """Whether `hash` is the SHA-256 of the content (a large file) or the id of its git blob."""

    @classmethod
    def of(cls, item: RepoFile) -> File:
        """Return a file as the Hub lists it."""
        found = item.lfs.sha256 if item.lfs else item.blob_id
        return cls(path=item.path, size=item.size, hash=found, large=bool(item.lfs))

    def same(self, other: File) -> bool | None:
        """Return whether the contents are equal; None where the hashes are of two sorts and the content must tell."""
        if self.size != other.size:
            return False
        return self.hash == other.hash if self.large == other.large else None


Tree = Mapping[str, File]
"""All files of a revision by their path."""


def blob_id(content: bytes) -> str:
    """Return the name that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
