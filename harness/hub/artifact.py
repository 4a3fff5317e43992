"""What stages read and make, by name: a repository on the Hub at one commit, or a file by its hash."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import DataError, UsageError

RepoKind = Literal["model", "dataset", "space"]
README, ATTRIBUTES = "README.md", ".gitattributes"
"""What any repository may have: its card, and what the Hub itself puts there."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_PINNED = re.compile(r"([^@/\s]+(?:/[^@/\s]+)?)@([0-9a-f]{40})")
_HASHED = re.compile(r"(.+)@sha256:([0-9a-f]{64})")
_SHOWN = 12
"""Hexadecimal digits that are shown of a commit or a hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryName:
    """A repository on a Hub, at no particular commit; as text `datasets/owner/name`."""

    kind: RepoKind
    repo_id: str

    def __str__(self) -> str:
        return f"{self.kind}s/{self.repo_id}"

    def page(self, endpoint: str) -> str:
        """Return the address of its page on the Hub at `endpoint`."""
        return f"{endpoint}/{self.repo_id if self.kind == 'model' else self}"

    def at(self, commit: str) -> Artifact:
        """Return it at a commit."""
        return Artifact(kind=self.kind, repo_id=self.repo_id, revision=commit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A repository on the Hub at one commit; as text `owner/name@<40 hex>`."""

    kind: RepoKind
    repo_id: str
    revision: str
    """40 hexadecimal digits; branches and tags are resolved before an Artifact is made."""

    def __post_init__(self) -> None:
        if not _COMMIT.fullmatch(self.revision):
            raise ValueError(f"an Artifact needs a 40-hex commit, got {self.revision!r}; resolve it first")

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision}"

    @property
    def short(self) -> str:
        """Return its name with the first digits of the commit, for people."""
        return f"{self.repo_id}@{self.revision[:_SHOWN]}"

    @classmethod
    def parse(cls, text: str, kind: RepoKind) -> Artifact:
        """Return the artifact that `str` wrote; DataError for a text that names no commit."""
        found = _PINNED.fullmatch(text)
        if found is None:
            raise DataError(f"{text!r} names no repository at a commit; expected owner/name@<40 hexadecimal digits>")
        return cls(kind=kind, repo_id=found[1], revision=found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInput:
    """A file that a stage has read; as text `name@sha256:<64 hex>`."""

    name: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}@sha256:{self.sha256}"

    @property
    def short(self) -> str:
        """Return its name with the first digits of its hash, for people."""
        return f"{self.name}@{self.sha256[:_SHOWN]}"

    @classmethod
    def of(cls, path: Path) -> FileInput:
        """Return a file on this machine by its hash; DataError where it cannot be read."""
        try:
            with path.open("rb") as stream:
                return cls(name=path.name, sha256=hashlib.file_digest(stream, "sha256").hexdigest())
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}; check its name and permissions") from error


def parse_input(text: str, kind: RepoKind = "dataset") -> Artifact | FileInput | None:
    """Return what an input of a lineage names; None for a model that is no repository, such as an endpoint's.

    A lineage does not say of which kind a repository is: `kind` does.
    """
    if _PINNED.fullmatch(text):
        return Artifact.parse(text, kind)
    found = _HASHED.fullmatch(text)
    return FileInput(name=found[1], sha256=found[2]) if found else None


def dataset_name(source: str) -> str:
    """Return the name of a source that is no file here; UsageError where it can be no dataset repository's either."""
    owner, _, name = split_revision(source)[0].partition("/")
    if not owner.strip("./~") or not name or "/" in name:
        raise UsageError(f"{source!r} is neither a file nor a dataset repository (owner/name); check the name")
    return source


def split_revision(name: str) -> tuple[str, str | None]:
    """Return repository and revision of a name as people write it, `owner/name[@revision]`."""
    repo_id, _, revision = name.partition("@")
    return repo_id, revision or None
