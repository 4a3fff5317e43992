"""Collections: a titled list of repositories with notes. A slug is `owner/title-words-<id>`; only the id counts."""

from __future__ import annotations

import re
import secrets
import sqlite3
from typing import Any

from ..accounts.accounts import User
from ..db import Database, Row, now
from ..errors import Refused

ITEMS_LIMIT = 500
ID = re.compile(r"[0-9a-f]{24}")
THEME = "orange"  # of a new collection
ITEM_TYPES = ("model", "dataset", "space", "paper", "collection", "bucket")


def slug_of(row: Row) -> str:
    """Return the present slug of a collection."""
    words = re.sub(r"[^a-z0-9]+", "-", row["title"].lower()).strip("-")
    return f"{row['owner']}/{words}-{row['id']}" if words else f"{row['owner']}/{row['id']}"


class Collections:
    """The collections in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, slug: str, user: User | None) -> Row:
        """Return the collection that a (possibly outdated) slug names; raises Refused (404) if there is none to see."""
        row = self._db.row("select * from collections where id = ?", slug[-24:]) if ID.fullmatch(slug[-24:]) else None
        if row is None or not _visible(row, user):
            raise Refused(404, f"There is no collection {slug[:200]}.")
        return row

    def visible(self, user: User | None) -> list[Row]:
        """Return the collections that the caller may see, the latest change first."""
        rows = self._db.rows("select * from collections order by updated desc")
        return [row for row in rows if _visible(row, user)]

    def create(self, owner: str, title: str, description: str | None, private: bool) -> tuple[Row, bool]:
        """Return the collection of that owner and title, and whether it is new."""
        collection = secrets.token_hex(12)
        values = (collection, owner, title, description, int(private), THEME, 0, now())
        with self._db.transaction() as write:
            found = write.execute("select * from collections where owner = ? and title = ?", (owner, title)).fetchone()
            if found is not None:
                return found, False
            write.execute("insert into collections values(?, ?, ?, ?, ?, ?, ?, ?)", values)
        return self.get(collection), True

    def get(self, collection: str) -> Row:
        """Return a collection by its id; raises Refused (404)."""
        row = self._db.row("select * from collections where id = ?", collection)
        if row is None:
            raise Refused(404, "There is no such collection.")
        return row

    def update(self, collection: str, changes: dict[str, Any]) -> None:
        """Set title, description, private, theme or position."""
        with self._db.transaction() as write:
            for column, value in changes.items():
                if column not in ("title", "description", "private", "theme", "position"):
                    raise ValueError(column)
                write.execute(f"update collections set {column} = ? where id = ?", (value, collection))  # noqa: S608
            write.execute("update collections set updated = ? where id = ?", (now(), collection))

    def delete(self, collection: str) -> None:
        """Remove a collection and its items."""
        with self._db.transaction() as write:
            write.execute("delete from shelf_items where collection = ?", (collection,))
            write.execute("delete from collections where id = ?", (collection,))

    def items(self, collection: str) -> list[Row]:
        """Return the items in their order."""
        return self._db.rows("select * from shelf_items where collection = ? order by position, rowid", collection)

    def add(self, collection: str, kind: str, item: str, note: str | None) -> None:
        """Append an item; raises Refused (409 if it is in the collection already, 403 if that is full)."""
        query = "select count(*), coalesce(max(position), -1) from shelf_items where collection = ?"
        try:
            with self._db.transaction() as write:
                number, last = write.execute(query, (collection,)).fetchone()
                if number >= ITEMS_LIMIT:
                    raise Refused(403, f"A collection has at most {ITEMS_LIMIT} items; start another one.")
                values = (secrets.token_hex(12), collection, kind, item, note, last + 1)
                write.execute("insert into shelf_items values(?, ?, ?, ?, ?, ?)", values)
                write.execute("update collections set updated = ? where id = ?", (now(), collection))
        except sqlite3.IntegrityError as error:
            raise Refused(409, f"{item} is in the collection already.") from error

    def change_item(self, collection: str, item_id: str, *, note: str | None, position: int | None) -> None:
        """Set the note of an item, or move it to a position (from 0)."""
        order = self._order(collection, item_id)
        with self._db.transaction() as write:
            if note is not None:
                write.execute("update shelf_items set note = ? where id = ?", (note or None, item_id))
            if position is not None:
                order.remove(item_id)
                order.insert(position, item_id)
                write.executemany("update shelf_items set position = ? where id = ?", list(enumerate(order)))
            write.execute("update collections set updated = ? where id = ?", (now(), collection))

    def _order(self, collection: str, item_id: str) -> list[str]:
        """Return the ids of the items in their order; raises Refused (404) if the given one is not among them."""
        order = [item["id"] for item in self.items(collection)]
        if item_id not in order:
            raise Refused(404, "There is no such item in the collection.")
        return order

    def remove(self, collection: str, item_id: str) -> None:
        """Take an item out; raises Refused (404) if it is not in the collection."""
        self._order(collection, item_id)
        with self._db.transaction() as write:
            write.execute("delete from shelf_items where id = ?", (item_id,))
            write.execute("update collections set updated = ? where id = ?", (now(), collection))


def _visible(row: Row, user: User | None) -> bool:
    return not row["private"] or (user is not None and user.member_of(row["owner"]))
