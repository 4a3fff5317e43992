"""The changes that make a release, as values: each can be shown in a line and recorded. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.hub.artifact import RepositoryName

_SHOWN = 12
_KILO = 10_000
"""Sizes from this number of bytes on are shown in kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSpace:
    """Create a Space."""

    place: RepositoryName

    def line(self) -> str:
        return f"create  {self.place} (static, private)"

    def record(self) -> dict[str, Any]:
        return {"change": "create", "repo": str(self.place)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Write files of a repository, and remove some, in one commit."""

    place: RepositoryName
    parent: str | None
    """The commit that it is made on; None for a Space that is made by this release."""
    files: Mapping[str, bytes]
    removed: tuple[str, ...]
    summary: Mapping[str, str]
    """File -> its change: `new, 30 lines`, `+2 -2 lines`."""
    message: str

    def line(self) -> str:
        shown = [f"{path} ({what})" for path, what in self.summary.items()]
        more = f" and {len(shown) - _SHOWN} more files" if len(shown) > _SHOWN else ""
        return f"commit  {self.place}: {', '.join(shown[:_SHOWN])}{more}"

    def record(self) -> dict[str, Any]:
        return {"change": "commit", "repo": str(self.place), "files": dict(self.summary)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTag:
    """Tag a repository with the version."""

    place: RepositoryName
    tag: str
    commit: str | None
    """None: the commit that this release makes."""
    moved: bool = False
    """Whether the tag is at another commit now."""

    def line(self) -> str:
        target = self.commit[:12] if self.commit else "the commit above"
        return f"{'move' if self.moved else 'tag':<6}  {self.place}: {self.tag} = {target}"

    def record(self) -> dict[str, Any]:
        return {
            "change": "tag", "repo": str(self.place), "tag": self.tag, "commit": self.commit, "moved": self.moved
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCollection:
    """Create the collection."""

    owner: str
    title: str
    description: str

    def line(self) -> str:
        return f"create  collection {self.title!r} of {self.owner} (private)"

    def record(self) -> dict[str, Any]:
        return {"change": "create", "collection": self.title}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItem:
    """Append a repository to the collection."""

    place: RepositoryName
    note: str

    def line(self) -> str:
        return f"add     {self.place} to the collection: {self.note}"

    def record(self) -> dict[str, Any]:
        return {"change": "add item", "repo": str(self.place), "note": self.note}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeItem:
    """Set the note of an item of the collection, or move it."""

    place: RepositoryName
    note: str | None = None
    position: int | None = None

    def line(self) -> str:
        if self.note is not None:
            return f"note    {self.place} in the collection: {self.note}"
        return f"move    {self.place} to place {(self.position or 0) + 1} of the collection"

    def record(self) -> dict[str, Any]:
        return {"change": "change item", "repo": str(self.place), "note": self.note, "position": self.position}


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePublic:
    """Make a repository public."""

    place: RepositoryName

    def line(self) -> str:
        return f"public  {self.place}"

    def record(self) -> dict[str, Any]:
        return {"change": "make public", "repo": str(self.place)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeCollectionPublic:
    """Make the collection public."""

    title: str

    def line(self) -> str:
        return f"public  collection {self.title!r}"

    def record(self) -> dict[str, Any]:
        return {"change": "make public", "collection": self.title}


Hidden = CreateSpace | Commit | CreateCollection | AddItem | ChangeItem | SetTag
"""What no one else sees while everything is private."""
Visible = MakePublic | MakeCollectionPublic
Change = Hidden | Visible


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """All changes of one release, in their order: what is hidden first, visibility last."""

    namespace: str
    version: str
    title: str
    places: tuple[RepositoryName, ...]
    """All repositories of the release, in the order of the collection."""
    slug: str | None
    """Of the collection; None where it is made."""
    hidden: tuple[Hidden, ...]
    visible: tuple[Visible, ...]
    already_public: tuple[Visible, ...] = ()
    """What an earlier run that was killed has shown already, and would be hidden again if this one fails."""
    notes: tuple[str, ...] = field(default=())
    """What else the user should know."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return all changes in the order in which they are made."""
        return (*self.hidden, *self.visible)


def describe_change(before: bytes | None, after: bytes) -> str:
    """Describe the change of a file: lines added and removed, or its size where it is no text."""
    try:
        lines = Counter(after.decode("utf-8").splitlines())
        old = Counter((before or b"").decode("utf-8").splitlines())
    except UnicodeDecodeError:
        size = f"{len(after) / 1000:.0f} kB" if len(after) >= _KILO else f"{len(after)} bytes"
        return f"new, {size}" if before is None else f"changed, {size}"
    if before is None:
        return f"new, {lines.total()} lines"
    return f"+{(lines - old).total()} -{(old - lines).total()} lines"
