"""All objects of a bare repository: read, checked against their ids, and followed from its refs."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dulwich.errors import ObjectFormatException
from dulwich.object_store import DiskObjectStore
from dulwich.objects import S_ISGITLINK, Blob, Commit, ObjectID, ShaFile, Tag, Tree

from .blobs import read_pointer

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
