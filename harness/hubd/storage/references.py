"""Which large files a caller may name by their hash: what committed trees refer to, and what they uploaded themselves.

A large file lies in the store once, however often it was uploaded. Knowing a hash gives no access: it counts where the
files of a repository that the caller may read refer to it and, until it is committed, for its uploader in the
repository it is meant for.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..accounts.accounts import User
from ..db import Database
from .blobs import BlobStore
from .repos import RepoRow, Repos, may_read_content


class References:
    """The tables `uploads`, and `holdings`: what was ever committed to a repository, or was about to be."""

    def __init__(self, db: Database, repos: Repos, blobs: BlobStore) -> None:
        self._db, self._repos, self._blobs = db, repos, blobs

    def uploaded(self, repo: RepoRow, user: str, *files: str) -> None:
        """Note that a user uploaded large files (their sha256) for a repository."""
        with self._db.transaction() as write:
            values = [(repo.id, user, sha256) for sha256 in files]
            write.executemany("insert or ignore into uploads values(?, ?, ?)", values)

    def committing(self, repo: RepoRow, *files: str) -> None:
        """Note that a commit which is about to be made points at large files (their sha256)."""
        if files:
            with self._db.transaction() as write:
                values = [(repo.id, sha256) for sha256 in files]
                write.executemany("insert or ignore into holdings values(?, ?)", values)

    def committed(self, repo: RepoRow, sha256: str) -> bool:
        """Return whether the files of a repository refer to a large file, in any revision that a ref leads to."""
        if self._db.row("select 1 from holdings where repo = ? and sha256 = ?", repo.id, sha256) is None:
            return False
        return self._repos.git(repo).reach.points_at(sha256, lambda: self._held(repo))

    def _held(self, repo: RepoRow) -> Iterator[tuple[str, int]]:
        for row in self._db.rows("select sha256 from holdings where repo = ?", repo.id):
            if (size := self._blobs.size(row["sha256"])) is not None:
                yield row["sha256"], size

    def may_use(self, user: User | None, repo: RepoRow, sha256: str) -> bool:
        """Return whether the caller may refer to a large file in a repository.

        That is who uploaded it for that repository, and who may read another one with it.
        """
        if self._blobs.size(sha256) is None:
            return False
        query = "select 1 from uploads where repo = ? and user = ? and sha256 = ?"
        if user is not None and self._db.row(query, repo.id, user.name, sha256) is not None:
            return True
        holders = self._db.rows("select repo from holdings where sha256 = ?", sha256)
        found = (self._repos.by_id(row["repo"]) for row in holders)
        readable = [other for other in found if other is not None and may_read_content(other, user)]
        readable.sort(key=lambda other: other.id != repo.id)
        return any(self.committed(other, sha256) for other in readable)
