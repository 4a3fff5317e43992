"""A repository on the Hub at one commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

RepoKind = Literal["model", "dataset", "space"]


_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryName:
    """A repository on a Hub, whatever it holds now; as text `datasets/owner/name`."""

    kind: RepoKind
    repo_id: str

    def __str__(self) -> str:
        return f"{self.kind}s/{self.repo_id}"

    def at(self, commit: str) -> Artifact:
        """Return it at a commit."""
        return Artifact(kind=self.kind, repo_id=self.repo_id, revision=commit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A repository on the Hub at one commit."""

    kind: RepoKind
    repo_id: str
    revision: str
    """40 hexadecimal digits; branches and tags are resolved before an Artifact is made."""

    def __post_init__(self) -> None:
        if not _COMMIT.fullmatch(self.revision):
            raise ValueError(f"an Artifact needs a 40-hex commit, got {self.revision!r}; resolve it first")

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision[:12]}"
