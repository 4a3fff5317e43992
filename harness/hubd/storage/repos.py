"""Which repositories exist, under which name, and who may read or write them."""

from __future__ import annotations

import re
import secrets
import shutil
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dulwich.errors import NotGitRepository

from ..accounts.accounts import User
from ..db import Database, Row, now
from ..errors import Refused, login_required, repo_not_found
from ..root import Root, fsync_folder
from .git import FULL_SHA, GitRepo
from .reachability import Writing
from .usage import removed

KINDS = ("model", "dataset", "space")
REPO_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
OPEN_REPOS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoRow:
    """A repository: `id` never changes, `name` (namespace/name) may. `gated` is auto, manual or None."""

    id: str
    kind: str
    name: str
    private: bool
    gated: str | None
    sdk: str | None
    created: str
    author: str

    @property
    def namespace(self) -> str:
        """Return the user or organisation it belongs to."""
        return self.name.split("/")[0]

    @property
    def web_path(self) -> str:
        """Return its address below the endpoint, e.g. datasets/ns/name."""
        return self.name if self.kind == "model" else f"{self.kind}s/{self.name}"


def _row(row: Row) -> RepoRow:
    return RepoRow(**{**dict(row), "private": bool(row["private"])})


class Repos:
    """The registry, and the open git repositories."""

    def __init__(self, root: Root, db: Database) -> None:
        self._root = root
        self._db = db
        self._open: OrderedDict[str, GitRepo] = OrderedDict()
        self._opening = threading.Lock()
        self._writing: dict[str, Writing] = {}

    def git(self, repo: RepoRow) -> GitRepo:
        """Return the git repository, kept open between requests; raises Refused (404) if it was just deleted."""
        with self._opening:
            found = self._open.pop(repo.id, None)
            if found is None:
                # The lock outlives the opened repository: a thread that still holds an evicted one is kept out, too.
                try:
                    found = GitRepo(self.folder(repo.id), self._writing.setdefault(repo.id, Writing()))
                except NotGitRepository as error:
                    if self.by_id(repo.id) is None:
                        raise repo_not_found(anonymous=False) from error
                    raise
            self._open[repo.id] = found
            if len(self._open) > OPEN_REPOS:
                self._open.popitem(last=False)  # not closed: another thread may still read from it
            return found

    def head(self, repo: RepoRow) -> str | None:
        """Return the head of main, without opening the repository where its ref is a file of its own."""
        try:
            text = (self.folder(repo.id) / "refs" / "heads" / "main").read_text("ascii").strip()
        except (OSError, ValueError):
            text = ""
        return text if FULL_SHA.fullmatch(text) else self.git(repo).ref("refs/heads/main")

    def folder(self, repo_id: str) -> Path:
        """Return the folder of the bare repository."""
        return self._root.folder("repos") / f"{repo_id}.git"

    def find(self, kind: str, name: str) -> RepoRow | None:
        """Return the repository of that name, present or former; letter case does not matter."""
        row = self._db.row("select * from repos where kind = ? and name = ?", kind, name)
        if row is None:
            query = "select r.* from renames n join repos r on r.id = n.repo where n.kind = ? and n.old = ?"
            row = self._db.row(query, kind, name)
        return _row(row) if row else None

    def find_visible(self, kind: str, name: str, user: User | None) -> RepoRow | None:
        """Return the repository of that name, None if there is none whose existence the caller may know."""
        repo = self.find(kind, name)
        return repo if repo is not None and visible(repo, user) else None

    def by_id(self, repo_id: str) -> RepoRow | None:
        """Return the repository with that internal id, or None."""
        row = self._db.row("select * from repos where id = ?", repo_id)
        return _row(row) if row else None

    def readable(self, kind: str, name: str, user: User | None) -> RepoRow:
        """Return a repository whose existence the caller may know; raises Refused (RepoNotFound)."""
        repo = self.find_visible(kind, name, user)
        if repo is None:
            raise repo_not_found(anonymous=user is None)
        return repo

    def writable(self, kind: str, name: str, user: User | None) -> RepoRow:
        """Return a repository that the caller may change, by its present name; raises Refused."""
        repo = self.readable(kind, name, user)
        check_write(repo.namespace, user, f"the {kind} {repo.name}")
        check_present_name(repo, name)
        return repo

    def listing(self, kind: str, user: User | None) -> Iterator[RepoRow]:
        """Yield every repository of a kind that the caller may see, newest first."""
        for row in self._db.rows("select * from repos where kind = ? order by created desc, rowid desc", kind):
            repo = _row(row)
            if visible(repo, user):
                yield repo

    def add(self, repo: RepoRow, prepared: Path) -> None:
        """Register a repository whose prepared folder is then moved to its place; raises Refused (409) if taken."""
        fsync_folder(prepared)
        prepared.replace(self.folder(repo.id))
        fsync_folder(self._root.folder("repos"))
        try:
            with self._db.transaction() as write:
                write.execute(
                    "insert into repos(id, kind, name, private, gated, sdk, created, author) values(?,?,?,?,?,?,?,?)",
                    (repo.id, repo.kind, repo.name, repo.private, repo.gated, repo.sdk, repo.created, repo.author),
                )
                write.execute("delete from renames where kind = ? and old = ?", (repo.kind, repo.name))
        except sqlite3.IntegrityError as error:
            self._trash(repo.id)
            raise taken(repo.kind, repo.name) from error

    def update(self, repo: RepoRow, *, private: bool | None, gated: str | None) -> None:
        """Change visibility and gating (`gated`: None leaves it, "" lifts it)."""
        with self._db.transaction() as write:
            if private is not None:
                write.execute("update repos set private = ? where id = ?", (int(private), repo.id))
            if gated is not None:
                write.execute("update repos set gated = ? where id = ?", (gated or None, repo.id))

    def rename(self, repo: RepoRow, name: str) -> None:
        """Rename a repository; its old name keeps leading to it. Raises Refused (409) if taken."""
        try:
            with self._db.transaction() as write:
                write.execute("update repos set name = ? where id = ?", (name, repo.id))
                write.execute("delete from renames where kind = ? and old = ?", (repo.kind, name))
                if name.lower() != repo.name.lower():
                    write.execute("insert or replace into renames values(?, ?, ?)", (repo.kind, repo.name, repo.id))
        except sqlite3.IntegrityError as error:
            raise taken(repo.kind, name) from error
        removed(repo.namespace, name.split("/", maxsplit=1)[0])

    def delete(self, repo: RepoRow) -> None:
        """Forget a repository, then remove its folder; raises Refused (404) if it is gone already."""
        with self._db.transaction() as write:
            if write.execute("delete from repos where id = ?", (repo.id,)).rowcount == 0:
                raise repo_not_found(anonymous=False)
            write.execute("delete from stored where item = ?", (f"git:{repo.id}",))
            for table in ("renames", "holdings", "uploads", "events", "discussions"):
                write.execute(f"delete from {table} where repo = ?", (repo.id,))  # noqa: S608 - fixed names
        with self._opening:
            self._open.pop(repo.id, None)
        self._trash(repo.id)
        removed(repo.namespace)

    def _trash(self, repo_id: str) -> None:
        target = self._root.folder("trash") / repo_id
        self.folder(repo_id).replace(target)
        shutil.rmtree(target)


def visible(repo: RepoRow, user: User | None) -> bool:
    """Return whether the caller may know that the repository exists."""
    return not repo.private or (user is not None and user.member_of(repo.namespace))


def may_read_content(repo: RepoRow, user: User | None) -> bool:
    """Return whether the caller may read what a repository holds: it is visible, and not gated unless for members."""
    return visible(repo, user) and (not repo.gated or (user is not None and user.member_of(repo.namespace)))


def check_write(namespace: str, user: User | None, what: str) -> User:
    """Return the caller if they may write below `namespace`; raises Refused (401 or 403)."""
    if user is None:
        raise login_required()
    if not user.member_of(namespace):
        raise Refused(403, f"Forbidden: {user.name} has no write access to {what}.")
    if user.role != "write":
        raise Refused(403, f"Forbidden: this token can only read; use a write token to change {what}.")
    return user


def check_content(repo: RepoRow, user: User | None) -> None:
    """Raise Refused (RepoNotFound or GatedRepo) unless the caller may read what the repository holds."""
    if may_read_content(repo, user):
        return
    if not visible(repo, user):
        raise repo_not_found(anonymous=user is None)
    raise Refused(
        403 if user else 401,
        f"Access to {repo.kind} {repo.name} is restricted and you are not in the authorized list. "
        f"Visit {repo.web_path} to ask for access.",
        code="GatedRepo",
    )


def check_present_name(repo: RepoRow, name: str) -> None:
    """Raise Refused (404) if a repository that is to be changed was addressed by a name that it had formerly."""
    if repo.name.lower() != name.lower():
        raise Refused(
            404,
            f"The {repo.kind} {name} is called {repo.name} now. Its old name leads readers to it; use the new one to "
            f"change it.",
            code="RepoNotFound",
        )


def check_name(name: object) -> str:
    """Return a valid repository name (without namespace); raises Refused (400)."""
    if (
        not isinstance(name, str)
        or not REPO_NAME.fullmatch(name)
        or ".." in name
        or "--" in name
        or name.endswith(".git")
    ):
        raise Refused(
            400,
            f"Invalid repository name {str(name)[:100]!r}: letters, digits, '-', '_' and '.', at most 96 characters.",
        )
    return name


def taken(kind: str, name: str) -> Refused:
    """Return the answer for a name that another repository has."""
    return Refused(409, f"A {kind} repository called {name} already exists")


def new_row(kind: str, name: str, *, private: bool, author: str, sdk: str | None) -> RepoRow:
    """Return the row of a repository that is about to be made."""
    return RepoRow(
        id=secrets.token_hex(12),
        kind=kind,
        name=name,
        private=private,
        gated=None,
        sdk=sdk,
        created=now(),
        author=author,
    )
