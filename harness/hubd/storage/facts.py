"""What is known of commits and files, and read of them no further than that takes.

A blob is not unpacked to know its size: a few kilobytes on the disk may be many megabytes of zeros.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from dulwich.object_store import DiskObjectStore
from dulwich.objects import Commit, ObjectID

TITLE_SHOWN, MESSAGE_SHOWN = 2_000, 20_000  # characters of a commit's words; git keeps all
HEAD = 4096  # bytes that are read of an object
_LOOSE = re.compile(rb"blob (\d{1,20})\0")
_PACKED_BLOB = 3  # the type in the head of an object in a pack


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A file: git blob id, size in bytes; for a large one its sha256 and the size of the pointer blob."""

    sha: str
    size: int
    sha256: str | None = None
    pointer_size: int = 0

    @property
    def etag(self) -> str:
        """Return the sha256 of a large file, the git id of any other."""
        return self.sha256 or self.sha


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """A commit: ids of its tree and parents, author's name, seconds since the epoch, message."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: str
    time: int
    title: str
    message: str


def commit_facts(sha: str, found: Commit) -> CommitFacts:
    """Return what is known of a commit, its words cut where they are very long."""
    title, _, rest = found.message.decode("utf-8", "replace").partition("\n")
    return CommitFacts(
        sha=sha,
        tree=found.tree.decode(),
        parents=tuple(parent.decode() for parent in found.parents),
        author=_cut(found.author.decode("utf-8", "replace").split(" <")[0], TITLE_SHOWN),
        time=int(found.commit_time),
        title=_cut(title, TITLE_SHOWN),
        message=_cut(rest.strip(), MESSAGE_SHOWN),
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def size_of_blob(store: DiskObjectStore, sha: str) -> int | None:
    """Return the size in bytes that the head of a stored blob gives; None if it has to be read to know."""
    folder = Path(os.fsdecode(store.path))
    try:
        with (folder / sha[:2] / sha[2:]).open("rb") as file:
            found = _LOOSE.match(zlib.decompressobj().decompress(file.read(HEAD), HEAD))
            return int(found[1]) if found else None
    except FileNotFoundError:
        return _packed(store, folder / "pack", sha)
    except (OSError, zlib.error):
        return None


def _packed(store: DiskObjectStore, folder: Path, sha: str) -> int | None:
    for pack in store.packs:
        try:
            offset = pack.index.object_offset(ObjectID(sha.encode()))
        except KeyError:
            continue
        with (folder / Path(pack.data.filename).name).open("rb") as file:
            file.seek(offset)
            return _size_in_head(file.read(HEAD))
    return None


def _size_in_head(head: bytes) -> int | None:
    """Return the size in the head of an object in a pack; None if it is no whole blob."""
    if not head or head[0] >> 4 & 7 != _PACKED_BLOB:
        return None
    size, shift = head[0] & 15, 4
    for at in range(1, min(len(head), 10)):
        if not head[at - 1] & 0x80:
            return size
        size |= (head[at] & 0x7F) << shift
        shift += 7
    return None
