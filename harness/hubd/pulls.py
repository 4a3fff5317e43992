"""Discussions and pull requests: rows in the database, heads at `refs/pr/<n>`."""

from __future__ import annotations

import json
import secrets
from typing import Any

from harness.hubd.commits import Author, Staging, record
from harness.hubd.db import Database, Row, now
from harness.hubd.errors import Refused, stale_parent
from harness.hubd.repos import RepoRow
from harness.hubd.store import GitRepo
from harness.hubd.trees import Change, edited_tree

MAIN = "refs/heads/main"


def open_pull(db: Database, git: GitRepo, repo: RepoRow, author: Author, *, base: str, head: str) -> int:
    """Open a pull request whose head is the commit `head`; returns its number. The caller holds `git.writing`."""
    number = _next_number(db, git, repo)
    if not git.set_ref(f"refs/pr/{number}", head, None):
        raise stale_parent()
    _insert(db, repo, number, author, pull_base=base)
    add_event(db, repo, number, "commit", author=author.name, data={"subject": author.title, "oid": head})
    return number


def open_discussion(db: Database, git: GitRepo, repo: RepoRow, author: Author, *, pull: bool) -> int:
    """Open a discussion, or a draft pull request at the head of main; returns its number."""
    with git.writing:
        number = _next_number(db, git, repo)
        if pull and not git.set_ref(f"refs/pr/{number}", git.resolve("main"), None):
            raise stale_parent()
        _insert(db, repo, number, author, pull_base=MAIN if pull else None, status="draft" if pull else "open")
    return number


def _next_number(db: Database, git: GitRepo, repo: RepoRow) -> int:
    row = db.row("select max(num) as last from discussions where repo = ?", repo.id)
    taken = [int(name.removeprefix("refs/pr/")) for name in git.refs() if name.removeprefix("refs/pr/").isdigit()]
    return max([int(row["last"] or 0) if row else 0, *taken]) + 1


def _insert(
    db: Database, repo: RepoRow, number: int, author: Author, *, pull_base: str | None, status: str = "open"
) -> None:
    with db.transaction() as write:
        write.execute(
            "insert into discussions values(?, ?, ?, ?, ?, ?, ?, ?, null)",
            (repo.id, number, author.title, int(pull_base is not None), status, author.name, now(), pull_base),
        )
    add_event(db, repo, number, "comment", author=author.name, data=comment(author.description, author.name))


def comment(text: str, author: str) -> dict[str, Any]:
    """Return the data of a comment event."""
    latest = {"raw": text, "html": "", "updatedAt": now(), "author": {"name": author}}
    return {"latest": latest, "history": [latest], "hidden": False, "edited": False, "numEdits": 0}


def add_event(
    db: Database, repo: RepoRow, number: int, kind: str, *, author: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Store an event of a discussion and return it as clients read it."""
    event = {"id": secrets.token_hex(12), "type": kind, "createdAt": now(), "author": {"name": author}, "data": data}
    with db.transaction() as write:
        write.execute(
            "insert into events values(?, ?, ?, ?, ?, ?, ?)",
            (event["id"], repo.id, number, kind, author, event["createdAt"], json.dumps(data)),
        )
    return event


def find(db: Database, repo: RepoRow, number: int) -> Row:
    """Return the row of a discussion; raises Refused (404)."""
    row = db.row("select * from discussions where repo = ? and num = ?", repo.id, number)
    if row is None:
        raise Refused(404, f"There is no discussion {number} in {repo.name}.")
    return row


def change(db: Database, repo: RepoRow, number: int, column: str, value: str) -> None:
    """Set title, status or merged of a discussion."""
    if column not in ("title", "status", "merged"):
        raise ValueError(column)
    with db.transaction() as write:
        query = f"update discussions set {column} = ? where repo = ? and num = ?"  # noqa: S608 - checked above
        write.execute(query, (value, repo.id, number))


def summary(row: Row, repo: RepoRow) -> dict[str, Any]:
    """Return a discussion as lists show it."""
    return {
        "title": row["title"],
        "num": row["num"],
        "author": {"name": row["author"], "type": "user"},
        "createdAt": row["created"],
        "status": row["status"],
        "repo": {"name": repo.name, "type": repo.kind},
        "isPullRequest": bool(row["is_pull"]),
    }


def details(db: Database, git: GitRepo, repo: RepoRow, row: Row) -> dict[str, Any]:
    """Return a discussion with its events and, for a pull request, its changes and conflicts."""
    rows = db.rows("select * from events where repo = ? and num = ? order by rowid", repo.id, row["num"])
    events = [
        {
            "id": event["id"],
            "type": event["type"],
            "createdAt": event["created"],
            "author": {"name": event["author"]},
            "data": json.loads(event["data"]),
        }
        for event in rows
    ]
    content = {**summary(row, repo), "events": events}
    if row["is_pull"]:
        content["changes"] = {"base": row["base"], **({"mergeCommitId": row["merged"]} if row["merged"] else {})}
        content["filesWithConflicts"] = [] if row["merged"] else sorted(_merge(git, row)[1])
        content["diff"] = ""
    return content


def merge(git: GitRepo, row: Row, author: str) -> str:
    """Merge a pull request into its base and return the new commit; raises Refused (409) on conflicts."""
    with git.writing:
        changes, conflicts, base_head = *_merge(git, row), git.ref(row["base"])
        if conflicts or base_head is None:
            raise Refused(409, f"Cannot merge: {', '.join(sorted(conflicts)[:10]) or row['base']} changed meanwhile.")
        staging = Staging(git)
        tree = edited_tree(git.tree, staging.add, git.commit(base_head).tree, changes)
        message = Author(name=author, title=f"{row['title']} (#{row['num']})")
        head = git.resolve(f"refs/pr/{row['num']}")
        sha = record(staging, tree, [base_head, head], message)
        if not git.set_ref(row["base"], sha, base_head):
            raise stale_parent()
    return sha


def _merge(git: GitRepo, row: Row) -> tuple[dict[str, Change], set[str]]:
    """Return what the pull request changes since it left its base, and the paths that the base changed differently."""
    base_head = git.ref(row["base"])
    if base_head is None:
        return {}, set()
    head = git.resolve(f"refs/pr/{row['num']}")
    known = {commit.sha for commit in git.history(base_head)}
    fork = next((commit.sha for commit in git.history(head) if commit.sha in known), None)
    before = _file_ids(git, fork)
    ours, theirs = _file_ids(git, base_head), _file_ids(git, head)
    paths = before.keys() | theirs.keys()
    changes: dict[str, Change] = {path: theirs.get(path) for path in paths if theirs.get(path) != before.get(path)}
    conflicts = {p for p in changes if ours.get(p) != before.get(p) and ours.get(p) != changes[p]}
    return changes, conflicts


def _file_ids(git: GitRepo, commit: str | None) -> dict[str, str]:
    if commit is None:
        return {}
    return {path: entry.sha for path, entry in git.walk(git.commit(commit).tree) if not entry.is_folder}
