"""Xet uploads into the large-file store.

A shard says which chunks of which xorbs make a file. The file is unpacked, checked against its sha256, and kept as an
ordinary large file. From then on its chunks are found there (table `xorb_parts`), and a xorb whose every chunk is found
in a file is deleted: nothing is stored twice, and clients that remember a xorb from an earlier upload stay right.
The hashes that clients give to files and xorbs are not computed again, so they give no access to what others uploaded:
files go by their sha256, and the name of a xorb counts for its author only.
A xorb that is one whole segment of a file and of no other is emptied as soon as it is copied, so that the disk and its
cache need not hold everything twice. A xorb with chunks that no file uses goes when the server next starts; then, and
when a file fails whose xorbs are emptied, the store's name, part of the URL that clients cache under, changes, so that
no client refers to what is gone.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sqlite3
import struct
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from ..bounds import Cache
from ..db import Database
from ..errors import Refused
from ..root import Root
from .blobs import BlobStore, Buffer, Draft
from .usage import drop_xorb, make_of_xorbs, take_xorb
from .xorbs import INSTEAD, Chunk, Segment, ShardFile, read_chunks, xorb_chunks

XORB_LIMIT = (64 << 20) + (1 << 20)
XORB_NAME = re.compile(r"[0-9a-f]{64}")
REMEMBERED_CHUNKS = 128 << 10  # of xorbs, about 16 MiB of memory
SMALLEST_CHUNK = 2 << 10  # bytes, on average of a file; clients make chunks of 8 KiB or more, but for the last


class XetStore:
    """The folder `xorbs/`, and where the chunks of unpacked xorbs lie."""

    def __init__(self, root: Root, db: Database, blobs: BlobStore) -> None:
        self._folder = root.folder("xorbs")
        self._root, self._db, self._blobs = root, db, blobs
        self._unpacking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # one per author
        self._chunks: Cache[str, list[Chunk]] = Cache(REMEMBERED_CHUNKS)
        self.name = self._start()

    def _start(self) -> str:
        fresh = secrets.token_hex(8)
        name = self._db.meta("author_store", fresh)
        leftovers = list(self._folder.iterdir())
        if leftovers or name == fresh:
            with self._db.transaction() as write:
                _rename(write, fresh)
                write.execute("delete from xorb_parts")
                write.execute("delete from meta where key = 'store'")  # of earlier versions, with xorbs of no author
            for leftover in leftovers:
                leftover.unlink()
            name = fresh
        return name

    def add_xorb(self, author: str, name: str, draft: Draft) -> bool:
        """Take a xorb; return False if it was its author's already. Raises Refused (400) if it is damaged."""
        if not XORB_NAME.fullmatch(name):
            draft.discard()
            raise Refused(400, "A xorb is named by 64 hex digits.")
        name = _own_name(author, name)
        try:
            draft.file.close()
            chunks = xorb_chunks(draft.path)
            if self._here(name) or _is_covered(self._db, name, len(chunks)):
                return False
            draft.path.replace(self._folder / name)
            take_xorb(name, draft.size)
            self._chunks.drop(name)
            self._chunks.put(name, chunks, len(chunks))
            return True
        finally:
            draft.path.unlink(missing_ok=True)

    def unpack_shard(self, author: str, files: Iterable[ShardFile]) -> Iterator[str]:
        """Turn the files of a shard into large files one by one, yielding each sha256; raises Refused (400).

        The author is `user/id of the repository`.
        """
        with self._unpacking[author]:
            touched: set[str] = set()
            for file in files:
                emptied: list[str] = []
                try:
                    sha256, parts = self._unpack(_of_author(author, file), emptied)
                    with self._db.transaction() as write:
                        came_for = f"{author.rpartition('/')[2]}/{sha256}"
                        write.execute("insert or replace into xet_files values(?, ?)", (came_for, sha256))
                        for part in parts:
                            _note_part(write, part)
                except BaseException:
                    if emptied:
                        self._forget_all()
                    raise
                for xorb in emptied:
                    self._remove(xorb)
                touched |= {part.xorb for part in parts} - set(emptied)
                yield sha256
            for xorb in touched:
                self._drop_if_covered(xorb)

    def hash_of(self, repo_id: str, sha256: str) -> str | None:
        """Return the Xet hash under which clients read a large file, None if it was not uploaded there by Xet.

        It is the sha256, which this Hub computed. The column `hash` is `id of the repository/sha256`, so that it
        does not show what came to other repositories; in earlier versions it had no id, or came from clients.
        """
        query = "select 1 from xet_files where sha256 = ? and (hash = ? or instr(hash, '/') = 0)"
        return sha256 if self._db.row(query, sha256, f"{repo_id}/{sha256}") else None

    def _unpack(self, file: ShardFile, emptied: list[str]) -> tuple[str, list[Part]]:
        _check_chunks(file)
        make_of_xorbs(sum(segment.size for segment in file.segments), len(file.segments))
        draft = self._blobs.draft()
        places: dict[Segment, tuple[int, tuple[int, ...]]] = {}
        uses = Counter(segment.xorb for segment in file.segments)
        try:
            for segment in file.segments:
                start, sizes = draft.size, []
                for contents in self._contents(segment):
                    draft.write(contents)
                    sizes += [len(content) for content in contents]
                if draft.size - start != segment.size or len(sizes) != segment.last - segment.first:
                    raise Refused(400, "A segment of the shard has another size than its chunks.")
                places.setdefault(segment, (start, tuple(sizes)))
                if uses[segment.xorb] == 1 and self._only_in(segment):
                    emptied.append(segment.xorb)
                    os.truncate(self._folder / segment.xorb, 0)
                    drop_xorb(segment.xorb)
            sha256 = self._blobs.keep(draft, sha256=file.sha256)
        except BaseException:
            draft.discard()
            raise
        return sha256, [
            Part(xorb=s.xorb, first=s.first, last=s.last, sha256=sha256, offset=at, sizes=sizes)
            for s, (at, sizes) in places.items()
        ]

    def _contents(self, segment: Segment) -> Iterator[list[Buffer]]:
        """Yield the contents of the chunks, some at a time; they are good until the next are asked for."""
        if self._here(segment.xorb):
            chunks = self._chunk_list(segment.xorb)[segment.first : segment.last]
            yield from read_chunks(self._folder / segment.xorb, chunks)
            return
        at = segment.first
        for part in _parts_of(self._db, segment.xorb):
            if part.first <= at < part.last:
                starts = [part.offset, *accumulate(part.sizes, initial=part.offset)][1:]
                for index in range(at, min(part.last, segment.last)):
                    yield [self._blobs.read(part.sha256, starts[index - part.first], part.sizes[index - part.first])]
                at = min(part.last, segment.last)
        if at < segment.last:
            raise Refused(400, "The shard needs a xorb that you have not uploaded or that is gone; upload it again.")

    def _here(self, xorb: str) -> bool:
        """Return whether a xorb is here; an empty file only reminds the next start of one that was copied."""
        try:
            return (self._folder / xorb).stat().st_size > 0
        except FileNotFoundError:
            return False

    def _only_in(self, segment: Segment) -> bool:
        """Return whether a segment is a whole xorb, which no client can have learnt of from another file."""
        whole = self._here(segment.xorb) and (0, len(self._chunk_list(segment.xorb))) == (segment.first, segment.last)
        return whole and not _has_parts(self._db, segment.xorb)

    def _forget_all(self) -> None:
        """Have clients forget what they know: some of it is neither here nor in a file."""
        self.name = secrets.token_hex(8)
        with self._db.transaction() as write:
            _rename(write, self.name)

    def _chunk_list(self, xorb: str) -> list[Chunk]:
        found = self._chunks.get(xorb)
        if found is None:
            chunks = xorb_chunks(self._folder / xorb)
            found = self._chunks.put(xorb, chunks, len(chunks))
        return found

    def _drop_if_covered(self, xorb: str) -> None:
        if self._here(xorb) and _is_covered(self._db, xorb, len(self._chunk_list(xorb))):
            self._remove(xorb)

    def _remove(self, xorb: str) -> None:
        self._chunks.drop(xorb)
        drop_xorb(xorb)
        (self._folder / xorb).unlink()


def _check_chunks(file: ShardFile) -> None:
    """Raise Refused (400) if a file has so many chunks that noting their places takes more room than their contents."""
    size, chunks = sum(s.size for s in file.segments), sum(s.last - s.first for s in file.segments)
    if any(s.last <= s.first for s in file.segments) or chunks > 64 + size // SMALLEST_CHUNK:
        raise Refused(400, f"A file of the shard is made of too many chunks, or of none; {INSTEAD}")


def forget(db: Database, files: list[str]) -> None:
    """Delete large files (sha256) that are about to be removed from all tables.

    If clients may remember chunks of them, the store gets another name, under which they remember nothing.
    """
    named = [(sha256,) for sha256 in files]
    with db.transaction() as write:
        if write.executemany("delete from xorb_parts where sha256 = ?", named).rowcount > 0:
            _rename(write, secrets.token_hex(8))
        write.executemany("delete from stored where item = ?", named)
        write.executemany("delete from xet_files where sha256 = ?", named)
        write.executemany("delete from holdings where sha256 = ?", named)
        write.executemany("delete from uploads where sha256 = ?", named)


def _rename(write: sqlite3.Connection, name: str) -> None:
    write.execute("update meta set value = ? where key = 'author_store'", (name,))


def _own_name(author: str, xorb: str) -> str:
    return hashlib.sha256(f"{author}/{xorb}".encode()).hexdigest()


def _of_author(author: str, file: ShardFile) -> ShardFile:
    own = (replace(segment, xorb=_own_name(author, segment.xorb)) for segment in file.segments)
    return replace(file, segments=tuple(own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Chunks `first` up to `last` of a xorb, lying at `offset` of the large file `sha256`; their sizes in bytes.

    Each chunk of a xorb is noted once, however many files use it: the table grows with what was uploaded.
    """

    xorb: str
    first: int
    last: int
    sha256: str
    offset: int
    sizes: tuple[int, ...]

    def cut(self, first: int, last: int) -> Part:
        """Return the part of these chunks."""
        before, sizes = self.sizes[: first - self.first], self.sizes[first - self.first : last - self.first]
        return replace(self, first=first, last=last, offset=self.offset + sum(before), sizes=sizes)


def _note_part(write: sqlite3.Connection, part: Part) -> None:
    """Note where the chunks of a part lie, as far as it is not known."""
    query = "select first, last from xorb_parts where xorb = ? and first < ? and last > ? order by first"
    at = part.first
    for first, last in write.execute(query, (part.xorb, part.last, part.first)).fetchall():
        if first > at:
            _insert_part(write, part.cut(at, first))
        at = max(at, last)
    if at < part.last:
        _insert_part(write, part.cut(at, part.last))


def _insert_part(write: sqlite3.Connection, part: Part) -> None:
    packed = struct.pack(f"<{len(part.sizes)}I", *part.sizes)
    row = (part.xorb, part.first, part.last, part.sha256, part.offset, packed)
    write.execute("insert or replace into xorb_parts values(?, ?, ?, ?, ?, ?)", row)


def _parts_of(db: Database, xorb: str) -> Iterator[Part]:
    """Yield the parts of a xorb, in the order of their first chunks."""
    for row in db.rows("select * from xorb_parts where xorb = ? order by first, last desc", xorb):
        values = {key: row[key] for key in row.keys() if key != "lengths"}  # noqa: SIM118 - a Row iterates values
        yield Part(**values, sizes=struct.unpack(f"<{len(row['lengths']) // 4}I", row["lengths"]))


def _has_parts(db: Database, xorb: str) -> bool:
    """Return whether any chunk of a xorb lies in a file."""
    return db.row("select 1 from xorb_parts where xorb = ?", xorb) is not None


def _is_covered(db: Database, xorb: str, chunks: int) -> bool:
    """Return whether all `chunks` chunks of a xorb lie in files."""
    at = 0
    for row in db.rows("select first, last from xorb_parts where xorb = ? order by first, last desc", xorb):
        if row["first"] <= at < row["last"]:
            at = row["last"]
    return at >= chunks
