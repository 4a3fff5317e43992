"""SQLite: the schema, and one connection per thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import HubStartError
from .root import fsync_folder

SCHEMA = """
create table if not exists meta(key text primary key, value text not null);
create table if not exists users(name text primary key collate nocase, fullname text not null, created text not null);
create table if not exists orgs(
    name text primary key collate nocase, private_by_default integer not null, fullname text not null);
create table if not exists memberships(user text collate nocase, org text collate nocase, primary key(user, org));
create table if not exists tokens(hash text primary key, user text not null, role text not null);
create table if not exists repos(
    id text primary key, kind text not null, name text not null collate nocase, private integer not null,
    gated text, sdk text, created text not null, author text not null, unique(kind, name));
create table if not exists renames(kind text, old text collate nocase, repo text not null, primary key(kind, old));
create table if not exists holdings(repo text, sha256 text, primary key(repo, sha256)) without rowid;
create index if not exists holders on holdings(sha256);
create table if not exists stored(
    payer text, item text, bytes integer not null, primary key(payer, item)) without rowid;
create index if not exists stored_items on stored(item);
create table if not exists uploads(
    repo text, user text collate nocase, sha256 text, primary key(repo, user, sha256)) without rowid;
create index if not exists uploads_of on uploads(sha256);
create table if not exists xorb_parts(
    xorb text, first integer, last integer, sha256 text not null, offset integer not null, lengths blob not null,
    primary key(xorb, first, last)) without rowid;
create table if not exists xet_files(hash text primary key, sha256 text not null);
create index if not exists xet_by_content on xet_files(sha256);
create table if not exists discussions(
    repo text, num integer, title text not null, is_pull integer not null, status text not null, author text not null,
    created text not null, base text, merged text, primary key(repo, num));
create table if not exists events(
    id text primary key, repo text not null, num integer not null, type text not null, author text not null,
    created text not null, data text not null);
create index if not exists events_of on events(repo, num);
create table if not exists collections(
    id text primary key, owner text not null collate nocase, title text not null, description text,
    private integer not null, theme text not null, position integer not null, updated text not null);
create table if not exists shelf_items(
    id text primary key, collection text not null, type text not null, item text not null, note text,
    position integer not null, unique(collection, type, item));
"""

Row = sqlite3.Row


def read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write; raises sqlite3.Error if the file is damaged."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)
    connection.row_factory = sqlite3.Row
    return connection


def now() -> str:
    """Return the present time as the Hub writes it, e.g. 2026-01-31T12:00:00.123Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@contextmanager
def readable_database(path: Path) -> Iterator[None]:
    """Raise HubStartError where the block finds the database damaged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise HubStartError(
            f"{path} cannot be read ({error}); restore the folder of the Hub from a copy, or choose another --root."
        ) from error


class Database:
    """The accounts and repositories database; safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._writing = threading.RLock()
        self._connection().executescript(SCHEMA)
        fsync_folder(path.parent)  # the name of the write-ahead log

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=full")  # an acknowledged write survives a power cut
            self._local.connection = connection
        return connection

    def rows(self, query: str, *values: Any) -> list[Row]:
        """Return all rows of a query."""
        return self._connection().execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> Row | None:
        """Return the first row of a query, or None."""
        found: Row | None = self._connection().execute(query, values).fetchone()
        return found

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the block as one atomic, durable write."""
        connection = self._connection()
        with self._writing:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:  # a full disk ends it by itself
                    connection.execute("rollback")
                raise

    def meta(self, key: str, default: str) -> str:
        """Return the stored value of `key`; the first call stores `default`."""
        with self.transaction() as write:
            write.execute("insert or ignore into meta values(?, ?)", (key, default))
        row = self.row("select value from meta where key = ?", key)
        return str(row["value"]) if row else default
