"""Discussions and pull requests: rows in the database, heads at `refs/pr/<n>`, and what outsiders may say in them."""

from __future__ import annotations

import json
import secrets
import sqlite3
from datetime import UTC, datetime, timedelta
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Any

from ..accounts.accounts import User
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
OPEN_LIMIT = 20  # discussions and pull requests that one outsider has open in a repository
DAILY_LIMIT = 200  # comments and other events of one outsider in a repository within a day
TEXT_LIMIT, TITLE_LIMIT = 65_536, 500  # characters of a comment and of a title
CHANGES_SIZE = 64 << 20  # characters of the paths that are compared for a merge; each costs 100 more
EVENTS, EVENTS_SIZE = 10_000, 16 << 20  # of a discussion that clients read: how many, and characters together
_MERGES: Cache[tuple[Path, str, str], tuple[dict[str, Change], set[str]]] = Cache(8 << 20)  # by base and head


def check_text(text: str, *, title: bool = False) -> str:
    """Return a comment or a title; raises Refused (413) if it is too long."""
    limit = TITLE_LIMIT if title else TEXT_LIMIT
    if len(text) > limit:
        raise Refused(413, f"A {'title' if title else 'comment'} has at most {limit} characters, this one {len(text)}.")
    return text


class Discussions:
    """The discussions of all repositories; in each they are numbered from 1."""

    def __init__(self, db: Database, repos: Repos) -> None:
        self._db, self._repos = db, repos

    def check_room(self, repo: RepoRow, user: User, *, opening: bool) -> None:
        """Raise Refused (403) if a user who may not write to the repository has reached its limits for outsiders."""
        if user.member_of(repo.namespace):
            return
        since = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        query = "select count(*) as n from events where repo = ? and author = ? and created > ?"
        said = self._db.row(query, repo.id, user.name, since)
        if said and said["n"] >= DAILY_LIMIT:
            raise Refused(403, f"At most {DAILY_LIMIT} comments and changes a day in {repo.name}; go on tomorrow.")
        query = "select count(*) as n from discussions where repo = ? and author = ? and status in ('open', 'draft')"
        started = self._db.row(query, repo.id, user.name) if opening else None
        if started and started["n"] >= OPEN_LIMIT:
            raise Refused(
                403,
                f"You have {started['n']} discussions and pull requests open in {repo.name}; close some of them first.",
            )

    def open(self, repo: RepoRow, author: Author, *, base: str | None = None, head: str | None = None) -> int:
        """Open a discussion, or a pull request into the ref `base`; returns its number.

        `head` is the commit that a pull request begins with; without one it is a draft at the head of main.
        """
        git = self._repos.git(repo)
        with git.writing:
            number = self._next_number(git, repo)
            if base is not None and not git.set_ref(f"refs/pr/{number}", head or git.resolve("main"), None):
                raise stale_parent()
            status = "draft" if base is not None and head is None else "open"
            values = (repo.id, number, author.title, int(base is not None), status, author.name, now(), base)
            with self._db.transaction() as write:
                write.execute("insert into discussions values(?, ?, ?, ?, ?, ?, ?, ?, null)", values)
                said = comment(author.description, author.name)
                _write_event(write, repo, number, "comment", author=author.name, data=said)
                if head is not None:
                    begun = {"subject": author.title, "oid": head}
                    _write_event(write, repo, number, "commit", author=author.name, data=begun)
        return number

    def _next_number(self, git: GitRepo, repo: RepoRow) -> int:
        row = self._db.row("select max(num) as last from discussions where repo = ?", repo.id)
        number = int(row["last"] or 0) + 1 if row else 1
        while git.ref(f"refs/pr/{number}") is not None:  # made before a crash, and never acknowledged
            number += 1
        return number

    def find(self, repo: RepoRow, number: int) -> Row:
        """Return the row of a discussion; raises Refused (404), also if it was deleted."""
        row = self._db.row("select * from discussions where repo = ? and num = ?", repo.id, number)
        if row is None or row["status"] == DELETED:
            raise Refused(404, f"There is no discussion {number} in {repo.name}.")
        return row

    def listing(self, repo: RepoRow) -> list[Row]:
        """Return the rows of all discussions of a repository, the newest first."""
        query = "select * from discussions where repo = ? and status != ? order by num desc"
        return self._db.rows(query, repo.id, DELETED)

    def add_event(self, repo: RepoRow, number: int, kind: str, author: str, data: dict[str, Any]) -> dict[str, Any]:
        """Store an event of a discussion, with what it changes, and return it as clients read it.

        An event `title-change` sets the title, `status-change` the status; both become visible together.
        """
        column, value = {"title-change": ("title", "to"), "status-change": ("status", "status")}.get(kind, (None, ""))
        with self._db.transaction() as write:
            if column:
                query = f"update discussions set {column} = ? where repo = ? and num = ?"  # noqa: S608 - a fixed name
                write.execute(query, (data[value], repo.id, number))
            return _write_event(write, repo, number, kind, author=author, data=data)

    def events(self, repo: RepoRow, number: int, *, most: int, size: int) -> tuple[list[dict[str, Any]], int]:
        """Return a discussion's first events, up to `most` of `size` bytes together, and how many more there are."""
        where = "from events where repo = ? and num = ?"
        sizes = self._db.rows(
            f"select rowid, length(data) as size {where} order by rowid limit ?", repo.id, number, most
        )
        room = accumulate(one["size"] for one in sizes)
        last = max((one["rowid"] for one, used in zip(sizes, room, strict=True) if used <= size), default=0)
        found = self._db.rows(f"select * {where} and rowid <= ? order by rowid", repo.id, number, last)
        whole = self._db.row(f"select count(*) as number {where}", repo.id, number)
        return [_as_json(event) for event in found], (whole["number"] if whole else 0) - len(found)

    def find_comment(self, repo: RepoRow, number: int, comment: str) -> Row:
        """Return the row of a comment; raises Refused (404)."""
        query = "select * from events where repo = ? and num = ? and id = ? and type = 'comment'"
        row = self._db.row(query, repo.id, number, comment)
        if row is None:
            raise Refused(404, f"There is no comment {comment[:40]!r} in discussion {number} of {repo.name}.")
        return row

    def change_comment(self, row: Row, author: str, text: str | None) -> dict[str, Any]:
        """Change the text of a comment, or hide it permanently (None); returns it as clients read it."""
        data = json.loads(row["data"])
        if text is None:
            latest = _said("This comment has been hidden", author)
            data |= {"latest": latest, "history": [], "hidden": True}
        elif data["hidden"]:
            raise Refused(403, "This comment is hidden; write a new one.")
        else:
            latest = _said(text, author)
            data |= {"latest": latest, "history": [latest], "edited": True, "numEdits": data["numEdits"] + 1}
        with self._db.transaction() as write:
            write.execute("update events set data = ? where id = ?", (json.dumps(data), row["id"]))
        return {**_as_json(row), "data": data}

    def details(self, repo: RepoRow, row: Row) -> dict[str, Any]:
        """Return a discussion with its events and, for a pull request, its changes and conflicts."""
        found, _ = self.events(repo, row["num"], most=EVENTS, size=EVENTS_SIZE)
        content = {**summary(row, repo), "events": found}
        if row["is_pull"]:
            git = self._repos.git(repo)
            merged = {"mergeCommitId": row["merged"]} if row["status"] == MERGED else {}
            content |= {"changes": {"base": row["base"], **merged}, "filesWithConflicts": conflicts(git, row)}
            head = git.resolve(f"refs/pr/{row['num']}")
            content["diff"] = patch(git, fork(git, git.ref(row["base"]), head), head)
        return content

    def merge(self, repo: RepoRow, row: Row, author: str) -> dict[str, Any]:
        """Merge a pull request into its base and return the event of it; raises Refused (409) on conflicts."""
        git = self._repos.git(repo)
        with git.moving(row["base"]):
            changes, conflicts, base_head = *_merge(git, row), git.ref(row["base"])
            if conflicts or base_head is None:
                where = ", ".join(sorted(conflicts)[:10]) or row["base"]
                raise Refused(409, f"Cannot merge: {where} changed meanwhile.")
            staging = Staging(git)
            tree = edited_tree(git.tree, staging.add, git.commit(base_head).tree, changes)
            message = Author(name=author, title=f"{row['title']} (#{row['num']})")
            head = git.resolve(f"refs/pr/{row['num']}")
            sha = record(staging, tree, [base_head, head], message)
            self._intend(repo.id, row["num"], sha)
            if not git.set_ref(row["base"], sha, base_head):
                raise stale_parent()
            return self.add_event(repo, row["num"], "status-change", author, {"status": MERGED})

    def _intend(self, repo_id: str, number: int, commit: str | None) -> None:
        with self._db.transaction() as write:
            write.execute("update discussions set merged = ? where repo = ? and num = ?", (commit, repo_id, number))

    def settle(self) -> None:
        """Finish or forget merges that a crash interrupted: what counts is whether the base has the merge commit."""
        for row in self._db.rows("select * from discussions where merged is not null and status != ?", MERGED):
            repo = self._repos.by_id(row["repo"])
            if repo is None:
                continue
            git = self._repos.git(repo)
            head = git.ref(row["base"])
            if head is not None and any(commit.sha == row["merged"] for commit in git.history(head)):
                self.add_event(repo, row["num"], "status-change", row["author"], {"status": MERGED})
            else:
                self._intend(repo.id, row["num"], None)

    def delete(self, repo: RepoRow, number: int) -> None:
        """Forget what a discussion says and, of a pull request, its commits; its number is not given again."""
        git = self._repos.git(repo)
        with git.writing:
            with self._db.transaction() as write:
                write.execute("delete from events where repo = ? and num = ?", (repo.id, number))
                write.execute(
                    "update discussions set status = ?, title = '', is_pull = 0, base = null, merged = null "
                    "where repo = ? and num = ?",
                    (DELETED, repo.id, number),
                )
            head = git.ref(f"refs/pr/{number}")
            if head is not None:
                git.delete_ref(f"refs/pr/{number}", head)


def comment(text: str, author: str) -> dict[str, Any]:
    """Return the data of a comment event."""
    latest = _said(text, author)
    return {"latest": latest, "history": [latest], "hidden": False, "edited": False, "numEdits": 0}


def _said(text: str, author: str) -> dict[str, Any]:
    return {"raw": text, "html": "", "updatedAt": now(), "author": {"name": author}}


def _write_event(
    write: sqlite3.Connection, repo: RepoRow, number: int, kind: str, *, author: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Store an event and return it as clients read it."""
    values = (secrets.token_hex(12), repo.id, number, kind, author, now(), json.dumps(data))
    write.execute("insert into events values(?, ?, ?, ?, ?, ?, ?)", values)
    return _as_json(dict(zip(("id", "repo", "num", "type", "author", "created", "data"), values, strict=True)))


def _as_json(event: Row | dict[str, Any]) -> dict[str, Any]:
    return {
        "id": event["id"],
        "type": event["type"],
        "createdAt": event["created"],
        "author": {"name": event["author"]},
        "data": json.loads(event["data"]),
    }


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


def conflicts(git: GitRepo, row: Row) -> list[str]:
    """Return the paths of an unmerged pull request that its base changed differently, in order."""
    return [] if row["status"] == MERGED else sorted(_merge(git, row)[1])


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
