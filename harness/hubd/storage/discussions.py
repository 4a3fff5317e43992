"""Discussions and pull requests: rows in the database, heads at `refs/pr/<n>`."""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Any

from ..bounds import Cache
from ..db import Database, Row, now
from ..errors import Refused, stale_parent
from .commits import Author, Staging, record
from .diffs import pairs, patch
from .git import GitRepo
from .repos import RepoRow, Repos
from .trees import Change, Entry, edited_tree

MAIN = "refs/heads/main"
MERGED, DELETED = "merged", "deleted"
_MERGES: Cache[tuple[Path, str, str], tuple[dict[str, Change], set[str]]] = Cache(8 << 20)  # by base and head
CHANGES_SIZE = 64 << 20  # characters of the paths that are compared for a merge; each costs 100 more
EVENTS, EVENTS_SIZE = 10_000, 16 << 20  # of a discussion that clients read: how many, and characters together


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


def events(db: Database, repo: RepoRow, row: Row, *, most: int, size: int) -> tuple[list[dict[str, Any]], int]:
    """Return the first events of a discussion, up to `most` of `size` bytes together, and how many more there are."""
    sizes = db.rows(
        "select rowid, length(data) as size from events where repo = ? and num = ? order by rowid limit ?",
        *(repo.id, row["num"], most),
    )
    room = accumulate(one["size"] for one in sizes)
    last = max((one["rowid"] for one, used in zip(sizes, room, strict=True) if used <= size), default=0)
    found = db.rows(
        "select * from events where repo = ? and num = ? and rowid <= ? order by rowid", repo.id, row["num"], last
    )
    whole = db.row("select count(*) as number from events where repo = ? and num = ?", repo.id, row["num"])
    return [_as_json(event) for event in found], (whole["number"] if whole else 0) - len(found)


def _as_json(event: Row) -> dict[str, Any]:
    return {
        "id": event["id"],
        "type": event["type"],
        "createdAt": event["created"],
        "author": {"name": event["author"]},
        "data": json.loads(event["data"]),
    }


def details(db: Database, git: GitRepo, repo: RepoRow, row: Row) -> dict[str, Any]:
    """Return a discussion with its events and, for a pull request, its changes and conflicts."""
    found, _ = events(db, repo, row, most=EVENTS, size=EVENTS_SIZE)
    content = {**summary(row, repo), "events": found}
    if row["is_pull"]:
        content["changes"] = {
            "base": row["base"],
            **({"mergeCommitId": row["merged"]} if row["status"] == MERGED else {}),
        }
        content["filesWithConflicts"] = conflicts(git, row)
        head = git.resolve(f"refs/pr/{row['num']}")
        content["diff"] = patch(git, fork(git, git.ref(row["base"]), head), head)
    return content


def conflicts(git: GitRepo, row: Row) -> list[str]:
    """Return the paths of an unmerged pull request that its base changed differently, in order."""
    return [] if row["status"] == MERGED else sorted(_merge(git, row)[1])


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
    base = git.ref(row["base"])
    if base is None:
        return {}, set()
    head = git.resolve(f"refs/pr/{row['num']}")
    key = (git.path, base, head)
    if (known := _MERGES.get(key)) is not None:
        return known
    parted = fork(git, base, head)
    before = git.commit(parted).tree if parted else None
    ours, theirs = _changed(git, before, base), _changed(git, before, head)
    changes: dict[str, Change] = {path: entry.sha if entry else None for path, entry in theirs.items()}
    found = changes, {path for path in theirs.keys() & ours.keys() if theirs[path] != ours[path]}
    return _MERGES.put(key, found, 1000 + 400 * len(changes))


def _changed(git: GitRepo, before: str | None, commit: str) -> dict[str, Entry | None]:
    """Return path -> file of what changed since the tree `before`; raises Refused (413) if that is too much."""
    found, room = dict[str, Entry | None](), CHANGES_SIZE
    for path, _, entry in pairs(git, before, git.commit(commit).tree):
        found[path] = entry
        room -= len(path) + 100
        if room < 0:
            raise Refused(413, "This pull request, or its branch since then, changed too many files to merge them.")
    return found


def fork(git: GitRepo, base: str | None, head: str) -> str | None:
    """Return the last commit that the base and the pull request have in common (first parents)."""
    ours: set[str] = set()
    theirs: set[str] = set()
    for one, two in zip_longest(git.history(head), git.history(base) if base else ()):
        theirs |= {one.sha} if one else set()
        ours |= {two.sha} if two else set()
        for commit in (one, two):
            if commit is not None and commit.sha in ours and commit.sha in theirs:
                return commit.sha
    return None
