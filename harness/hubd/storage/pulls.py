"""Discussions and pull requests: rows in the database, heads at `refs/pr/<n>`."""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from ..db import Database, Row, now
from ..errors import Refused, stale_parent
from .commits import Author, Staging, record
from .git import GitRepo
from .patches import patch
from .repos import RepoRow, Repos
from .trees import Change, edited_tree

MAIN = "refs/heads/main"
MERGED, DELETED = "merged", "deleted"


def open_pull(db: Database, git: GitRepo, repo: RepoRow, author: Author, *, base: str, head: str) -> int:
    """Open a pull request whose head is the commit `head`; returns its number."""
    with git.writing:
        number = _next_number(db, git, repo)
        if not git.set_ref(f"refs/pr/{number}", head, None):
            raise stale_parent()
        _insert(db, repo, number, author, _Kind(base=base, head=head))
    return number


def open_discussion(db: Database, git: GitRepo, repo: RepoRow, author: Author, *, pull: bool) -> int:
    """Open a discussion, or a draft pull request at the head of main; returns its number."""
    with git.writing:
        number = _next_number(db, git, repo)
        if pull and not git.set_ref(f"refs/pr/{number}", git.resolve("main"), None):
            raise stale_parent()
        _insert(db, repo, number, author, _Kind(base=MAIN if pull else None, status="draft" if pull else "open"))
    return number


def _next_number(db: Database, git: GitRepo, repo: RepoRow) -> int:
    row = db.row("select max(num) as last from discussions where repo = ?", repo.id)
    number = int(row["last"] or 0) + 1 if row else 1
    while git.ref(f"refs/pr/{number}") is not None:  # made before a crash, and never acknowledged
        number += 1
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What is opened: a pull request where there is a base, else a discussion."""

    base: str | None
    status: str = "open"
    head: str | None = None
    """The commit that a pull request begins with."""


def _insert(db: Database, repo: RepoRow, number: int, author: Author, kind: _Kind) -> None:
    with db.transaction() as write:
        write.execute(
            "insert into discussions values(?, ?, ?, ?, ?, ?, ?, ?, null)",
            (repo.id, number, author.title, int(kind.base is not None), kind.status, author.name, now(), kind.base),
        )
        said = _event("comment", author.name, comment(author.description, author.name))
        _write_event(write, repo, number, said)
        if kind.head is not None:
            begun = {"subject": author.title, "oid": kind.head}
            _write_event(write, repo, number, _event("commit", author.name, begun))


def comment(text: str, author: str) -> dict[str, Any]:
    """Return the data of a comment event."""
    latest = {"raw": text, "html": "", "updatedAt": now(), "author": {"name": author}}
    return {"latest": latest, "history": [latest], "hidden": False, "edited": False, "numEdits": 0}


def add_event(
    db: Database, repo: RepoRow, number: int, kind: str, *, author: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Store an event of a discussion, with what it changes, and return it as clients read it.

    An event `title-change` sets the title, `status-change` the status; both become visible together.
    """
    column, value = {"title-change": ("title", "to"), "status-change": ("status", "status")}.get(kind, (None, ""))
    with db.transaction() as write:
        if column:
            query = f"update discussions set {column} = ? where repo = ? and num = ?"  # noqa: S608 - a fixed name
            write.execute(query, (data[value], repo.id, number))
        event = _event(kind, author, data)
        _write_event(write, repo, number, event)
    return event


def _event(kind: str, author: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"id": secrets.token_hex(12), "type": kind, "createdAt": now(), "author": {"name": author}, "data": data}


def _write_event(write: sqlite3.Connection, repo: RepoRow, number: int, event: dict[str, Any]) -> None:
    who, data = event["author"]["name"], json.dumps(event["data"])
    values = (event["id"], repo.id, number, event["type"], who, event["createdAt"], data)
    write.execute("insert into events values(?, ?, ?, ?, ?, ?, ?)", values)


def find(db: Database, repo: RepoRow, number: int) -> Row:
    """Return the row of a discussion; raises Refused (404), also if it was deleted."""
    row = db.row("select * from discussions where repo = ? and num = ?", repo.id, number)
    if row is None or row["status"] == DELETED:
        raise Refused(404, f"There is no discussion {number} in {repo.name}.")
    return row


def everything(db: Database, repo: RepoRow) -> list[Row]:
    """Return the rows of all discussions of a repository, the newest first."""
    query = "select * from discussions where repo = ? and status != ? order by num desc"
    return db.rows(query, repo.id, DELETED)


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
        content["changes"] = {
            "base": row["base"],
            **({"mergeCommitId": row["merged"]} if row["status"] == MERGED else {}),
        }
        content["filesWithConflicts"] = [] if row["status"] == MERGED else sorted(_merge(git, row)[1])
        head = git.resolve(f"refs/pr/{row['num']}")
        content["diff"] = patch(git, _fork(git, git.ref(row["base"]), head), head)
    return content


def merge(db: Database, git: GitRepo, repo: RepoRow, row: Row, author: str) -> dict[str, Any]:
    """Merge a pull request into its base and return the event of it; raises Refused (409) on conflicts."""
    with git.moving(row["base"]):
        changes, conflicts, base_head = *_merge(git, row), git.ref(row["base"])
        if conflicts or base_head is None:
            raise Refused(409, f"Cannot merge: {', '.join(sorted(conflicts)[:10]) or row['base']} changed meanwhile.")
        staging = Staging(git)
        tree = edited_tree(git.tree, staging.add, git.commit(base_head).tree, changes)
        message = Author(name=author, title=f"{row['title']} (#{row['num']})")
        head = git.resolve(f"refs/pr/{row['num']}")
        sha = record(staging, tree, [base_head, head], message)
        _intend(db, repo.id, row["num"], sha)
        if not git.set_ref(row["base"], sha, base_head):
            raise stale_parent()
        return add_event(db, repo, row["num"], "status-change", author=author, data={"status": MERGED})


def _intend(db: Database, repo_id: str, number: int, commit: str | None) -> None:
    with db.transaction() as write:
        write.execute("update discussions set merged = ? where repo = ? and num = ?", (commit, repo_id, number))


def settle(db: Database, repos: Repos) -> None:
    """Finish or forget merges that a crash interrupted: what counts is whether the base has the merge commit."""
    for row in db.rows("select * from discussions where merged is not null and status != ?", MERGED):
        repo = repos.by_id(row["repo"])
        if repo is None:
            continue
        git = repos.git(repo)
        head = git.ref(row["base"])
        if head is not None and any(commit.sha == row["merged"] for commit in git.history(head)):
            add_event(db, repo, row["num"], "status-change", author=row["author"], data={"status": MERGED})
        else:
            _intend(db, repo.id, row["num"], None)


def _merge(git: GitRepo, row: Row) -> tuple[dict[str, Change], set[str]]:
    """Return what the pull request changes since it left its base, and the paths that the base changed differently."""
    base_head = git.ref(row["base"])
    if base_head is None:
        return {}, set()
    head = git.resolve(f"refs/pr/{row['num']}")
    before = _file_ids(git, _fork(git, base_head, head))
    ours, theirs = _file_ids(git, base_head), _file_ids(git, head)
    paths = before.keys() | theirs.keys()
    changes: dict[str, Change] = {path: theirs.get(path) for path in paths if theirs.get(path) != before.get(path)}
    conflicts = {p for p in changes if ours.get(p) != before.get(p) and ours.get(p) != changes[p]}
    return changes, conflicts


def _fork(git: GitRepo, base_head: str | None, head: str) -> str | None:
    """Return the last commit that the base and the pull request have in common (first parents)."""
    known = {commit.sha for commit in git.history(base_head)} if base_head else set()
    return next((commit.sha for commit in git.history(head) if commit.sha in known), None)


def _file_ids(git: GitRepo, commit: str | None) -> dict[str, str]:
    if commit is None:
        return {}
    return {path: entry.sha for path, entry in git.walk(git.commit(commit).tree) if not entry.is_folder}
