"""Where the chunks of unpacked xorbs lie: the table `xorb_parts`.

Each chunk of a xorb is noted once, whatever refers to it: the table grows with what was uploaded, not with how often
that was used.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..db import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Chunks `first` up to `last` of a xorb, lying at `offset` of the large file `sha256`; their sizes in bytes."""

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


def note(write: sqlite3.Connection, part: Part) -> None:
    """Note where the chunks of a part lie, as far as it is not known."""
    query = "select first, last from xorb_parts where xorb = ? and first < ? and last > ? order by first"
    at = part.first
    for first, last in write.execute(query, (part.xorb, part.last, part.first)).fetchall():
        if first > at:
            _insert(write, part.cut(at, first))
        at = max(at, last)
    if at < part.last:
        _insert(write, part.cut(at, part.last))


def _insert(write: sqlite3.Connection, part: Part) -> None:
    packed = struct.pack(f"<{len(part.sizes)}I", *part.sizes)
    row = (part.xorb, part.first, part.last, part.sha256, part.offset, packed)
    write.execute("insert or replace into xorb_parts values(?, ?, ?, ?, ?, ?)", row)


def parts_of(db: Database, xorb: str) -> Iterator[Part]:
    """Yield the parts of a xorb, in the order of their first chunks."""
    for row in db.rows("select * from xorb_parts where xorb = ? order by first, last desc", xorb):
        values = {key: row[key] for key in row.keys() if key != "lengths"}  # noqa: SIM118 - a Row iterates values
        yield Part(**values, sizes=struct.unpack(f"<{len(row['lengths']) // 4}I", row["lengths"]))


def is_known(db: Database, xorb: str) -> bool:
    """Return whether any chunk of a xorb lies in a file."""
    return db.row("select 1 from xorb_parts where xorb = ?", xorb) is not None


def covered(db: Database, xorb: str, chunks: int) -> bool:
    """Return whether every chunk of a xorb, which has so many, lies in a file."""
    at = 0
    for row in db.rows("select first, last from xorb_parts where xorb = ? order by first, last desc", xorb):
        if row["first"] <= at < row["last"]:
            at = row["last"]
    return at >= chunks
