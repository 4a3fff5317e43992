"""The two kinds of errors: the server cannot start, and a request that is refused."""

from __future__ import annotations

import errno
import sqlite3
import sys
import traceback
from typing import Any


class HubStartError(Exception):
    """The server cannot start; `str(error)` is one sentence with the next step."""


class Refused(Exception):
    """A request that is refused, with the status and the headers that clients map to their own errors."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = dict(headers or {})
        self.body = {"error": message, **(body or {})}

    def all_headers(self) -> dict[str, str]:
        """Return the response headers, `X-Error-Code` and `X-Error-Message` among them (ASCII only)."""
        printable = "".join(c if c.isprintable() else " " for c in self.message)
        headers = {**self.headers, "X-Error-Message": printable.encode("ascii", "replace").decode()[:1000]}
        if self.code:
            headers["X-Error-Code"] = self.code
        return headers


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DATABASE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def failed(error: Exception) -> Refused:
    """Return the answer for an unexpected error: 507 if the disk is full, else 500 and a line in the log."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in _DATABASE_FULL or (isinstance(error, OSError) and error.errno in _FULL):
        return Refused(507, "The disk of this Hub is full; free some space and try again. Nothing was changed.")
    traceback.print_exception(error, file=sys.stderr)
    return Refused(500, "Internal error of this Hub; its log says more.")


def damaged() -> Refused:
    """Return the answer for a repository that holds what git cannot read."""
    return Refused(500, "This repository is damaged on the disk of this Hub; its `tft hub verify` says where.")


def repo_not_found(*, anonymous: bool) -> Refused:
    """Return the answer for a repository that does not exist, or that the caller may not know of."""
    if anonymous:
        return Refused(401, "Invalid username or password.", code="RepoNotFound")
    return Refused(404, "Repository not found", code="RepoNotFound")


def revision_not_found(revision: str) -> Refused:
    """Return the answer for a branch, tag or commit that does not exist."""
    return Refused(404, f"Invalid rev id: {revision}", code="RevisionNotFound")


def entry_not_found(path: str, commit: str) -> Refused:
    """Return the answer for a path that does not exist at `commit` (40 hex)."""
    return Refused(404, f"{path or 'Entry'} does not exist", code="EntryNotFound", headers={"X-Repo-Commit": commit})


def login_required() -> Refused:
    """Return the answer for an anonymous caller where a token is needed."""
    return Refused(401, "Invalid username or password.")


def stale_parent() -> Refused:
    """Return the answer for a commit whose parent is no longer the head of the branch."""
    return Refused(
        412,
        "A commit has happened since. The branch was updated since you opened this page. Please refresh and try again.",
    )
