"""Discussions that are too many or unwanted: what outsiders may open, hidden comments, deleted discussions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from ..accounts.accounts import User
from ..db import Database, Row, now
from ..errors import Refused
from .discussions import DELETED
from .git import GitRepo
from .repos import RepoRow

OPEN_LIMIT = 20  # discussions and pull requests that one outsider has open in a repository
DAILY_LIMIT = 200  # comments and other events of one outsider in a repository within a day
TEXT_LIMIT = 65_536  # characters of a comment
TITLE_LIMIT = 500


def check_text(text: str, *, title: bool = False) -> str:
    """Return a comment or a title; raises Refused (413) if it is too long."""
    limit = TITLE_LIMIT if title else TEXT_LIMIT
    if len(text) > limit:
        raise Refused(413, f"A {'title' if title else 'comment'} has at most {limit} characters, this one {len(text)}.")
    return text


def check_room(db: Database, repo: RepoRow, user: User, *, opening: bool) -> None:
    """Raise Refused (403) if somebody who may not write to the repository has said enough in it already."""
    if user.member_of(repo.namespace):
        return
    since = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    said = db.row(
        "select count(*) as n from events where repo = ? and author = ? and created > ?", repo.id, user.name, since
    )
    if said and said["n"] >= DAILY_LIMIT:
        raise Refused(403, f"At most {DAILY_LIMIT} comments and changes a day in {repo.name}; go on tomorrow.")
    query = "select count(*) as n from discussions where repo = ? and author = ? and status in ('open', 'draft')"
    started = db.row(query, repo.id, user.name) if opening else None
    if started and started["n"] >= OPEN_LIMIT:
        raise Refused(
            403, f"You have {started['n']} discussions and pull requests open in {repo.name}; close some of them first."
        )


def find_comment(db: Database, repo: RepoRow, number: int, comment: str) -> Row:
    """Return the row of a comment; raises Refused (404)."""
    query = "select * from events where repo = ? and num = ? and id = ? and type = 'comment'"
    row = db.row(query, repo.id, number, comment)
    if row is None:
        raise Refused(404, f"There is no comment {comment[:40]!r} in discussion {number} of {repo.name}.")
    return row


def change_comment(db: Database, row: Row, author: str, text: str | None) -> dict[str, Any]:
    """Give a comment another text, or hide it for good (None); returns it as clients read it."""
    data = json.loads(row["data"])
    if text is None:
        latest = {"raw": "This comment has been hidden", "html": "", "updatedAt": now(), "author": {"name": author}}
        data = {**data, "latest": latest, "history": [], "hidden": True}
    elif data["hidden"]:
        raise Refused(403, "This comment is hidden; write a new one.")
    else:
        latest = {"raw": text, "html": "", "updatedAt": now(), "author": {"name": author}}
        data = {**data, "latest": latest, "history": [latest], "edited": True, "numEdits": data["numEdits"] + 1}
    with db.transaction() as write:
        write.execute("update events set data = ? where id = ?", (json.dumps(data), row["id"]))
    who = {"name": row["author"]}
    return {"id": row["id"], "type": "comment", "createdAt": row["created"], "author": who, "data": data}


def delete_discussion(db: Database, git: GitRepo, repo: RepoRow, number: int) -> None:
    """Forget what a discussion says and, of a pull request, its commits; its number is not given again."""
    with git.writing:
        with db.transaction() as write:
            write.execute("delete from events where repo = ? and num = ?", (repo.id, number))
            write.execute(
                "update discussions set status = ?, title = '', is_pull = 0, base = null, merged = null "
                "where repo = ? and num = ?",
                (DELETED, repo.id, number),
            )
        head = git.ref(f"refs/pr/{number}")
        if head is not None:
            git.delete_ref(f"refs/pr/{number}", head)
