"""Git objects: what is known of commits and files, how new ones are written, and all of a repository, checked."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dulwich.errors import ObjectFormatException
from dulwich.object_store import DiskObjectStore
from dulwich.objects import S_ISGITLINK, Blob, Commit, ObjectID, ShaFile, Tag, Tree

from ..root import INCOMING, fsync_folder, write_whole
from .blobs import read_pointer

TITLE_SHOWN, MESSAGE_SHOWN = 2_000, 20_000  # characters of a commit's words; git keeps all
HEAD = 4096  # bytes that are read of an object
_LOOSE = re.compile(rb"blob (\d{1,20})\0")
_PACKED_BLOB = 3  # the type in the head of an object in a pack
# What dulwich raises on objects and packs that are damaged.
DAMAGED = (
    ObjectFormatException,
    zlib.error,
    KeyError,
    ValueError,
    AssertionError,
    OSError,
    IndexError,
    EOFError,
    TypeError,
)


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


def write_loose(folder: Path, sha: str, item: ShaFile) -> None:
    """Write one object below `folder`: whole under its name, or not at all. Its folder is not yet synced."""
    target = folder / sha[:2] / sha[2:]
    if target.exists():
        return
    target.parent.mkdir(exist_ok=True)
    draft = folder / f"tmp_obj_{secrets.token_hex(8)}"
    write_whole(target, item.as_legacy_object(), draft=draft, mode=0o444)


class IncomingPack:
    """A pack in a folder of its own inside the repository, until it is moved to the others."""

    def __init__(self, repository: Path, objects: Iterable[ShaFile]) -> None:
        """Write and check the pack; raises OSError, and then leaves nothing."""
        self._packs = repository / "objects" / "pack"
        self._folder = repository / f"{INCOMING}{secrets.token_hex(8)}"
        try:
            store = DiskObjectStore.init(str(self._folder))
            store.fsync_object_files = True
            pack = store.add_objects([(item, None) for item in objects])
            self._pack = self._folder / "pack" / Path(pack.data.filename).name if pack is not None else None
            store.close()
        except BaseException:
            self.discard()
            raise

    def move(self) -> None:
        """Put the pack beside the others, durably; the caller holds the lock of the repository."""
        if self._pack is not None and not (self._packs / self._pack.with_suffix(".idx").name).exists():
            # The index last: without it a pack is not there. A pack of that name has the same objects.
            for part in (self._pack, self._pack.with_suffix(".idx")):
                part.replace(self._packs / part.name)
        fsync_folder(self._packs)

    def discard(self) -> None:
        """Remove what was not moved."""
        shutil.rmtree(self._folder, ignore_errors=True)


@dataclass(slots=True)
class Objects:
    """What a repository holds: for each object (40 hex) those it names, and the large files that blobs point at.

    `pointers` maps the id of a pointer blob to (sha256, size in bytes) of its large file.
    """

    links: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pointers: dict[str, tuple[str, int]] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    def reachable(self, heads: Iterable[str]) -> tuple[set[str], dict[str, str]]:
        """Return what `heads` lead to, and what is missing on the way: missing id -> the id that names it."""
        seen: set[str] = set()
        missing: dict[str, str] = {}
        todo = [(head, "a ref") for head in heads]
        while todo:
            sha, named_by = todo.pop()
            if sha in seen:
                continue
            links = self.links.get(sha)
            if links is None:
                missing.setdefault(sha, named_by)
                continue
            seen.add(sha)
            todo += [(link, sha) for link in links if link not in seen]
        return seen, missing


def read_objects(store: DiskObjectStore, wanted: Iterable[bytes]) -> Objects:
    """Read and check the objects with the given ids."""
    found = Objects()
    for name in wanted:
        sha = name.decode()
        try:
            item = _checked(store, name)
        except DAMAGED as error:
            found.damaged[sha] = str(error) or type(error).__name__
            continue
        found.links[sha] = tuple(_links(item))
        if isinstance(item, Blob) and (pointed := read_pointer(item.data)) is not None:
            found.pointers[sha] = pointed
    return found


def _checked(store: DiskObjectStore, name: bytes) -> ShaFile:
    """Return an object that is what its id says, and well-formed; raises one of DAMAGED."""
    sha = name.decode()
    loose = Path(os.fsdecode(store.path)) / sha[:2] / sha[2:]
    if loose.is_file():
        zlib.decompress(loose.read_bytes())  # dulwich does not mind if the end is missing
    kind, data = store.get_raw(ObjectID(name))
    item = ShaFile.from_raw_string(kind, data)
    actual = hashlib.sha1(item.type_name + b" %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    if actual != sha:
        raise ValueError(f"its content has the id {actual}")
    if not isinstance(item, Blob):
        item.check()
    return item


def _links(item: ShaFile) -> Iterator[str]:
    if isinstance(item, Commit):
        yield item.tree.decode()
        yield from (parent.decode() for parent in item.parents)
    elif isinstance(item, Tree):
        yield from (entry.sha.decode() for entry in item.iteritems() if not S_ISGITLINK(entry.mode))
    elif isinstance(item, Tag):
        yield item.object[1].decode()
