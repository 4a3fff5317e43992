"""What each namespace stores, and how much it may: `--quota`, and `quota` in the users file.

A namespace pays for the large files that its repositories refer to and those that were uploaded for it, for its git
objects, and for what is under way. Members' work counts for the namespace of the repository, what others bring
(proposals, comments) for themselves. What was uploaded counts until it is removed from the disk, by `hub gc`. Counts
are found on the disk and in the database when they are first needed, and kept up to date from then on.

The request that is being answered is in the context variable ACCOUNT; without one nothing is counted.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..db import Database
from ..errors import Refused
from ..root import Root

ROUND = 4096  # a file takes whole blocks
XET_FREE, XET_RATIO = 128 << 20, 64  # without a quota: bytes that files may have beyond RATIO times what was sent
_HASH = 64  # characters of the name of a large file; other items of `stored` are shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Bytes that a namespace may store: its own number, else the `usual` one; None is no limit."""

    usual: int | None = None
    own: Mapping[str, int] = field(default_factory=dict)
    several: bool = False
    """There are users who need not trust one another."""

    def of(self, namespace: str) -> int | None:
        """Return the quota of a namespace."""
        return self.own.get(namespace.lower(), self.usual)

    @property
    def any(self) -> bool:
        """Return whether anything is limited."""
        return self.usual is not None or bool(self.own)


class Usage:
    """How much every namespace stores. Safe to use from any thread."""

    def __init__(self, root: Root, db: Database, quotas: Quotas) -> None:
        self._root, self._db, self.quotas = root, db, quotas
        self._lock = threading.Lock()
        self._used: dict[str, int] = {}
        self.coming: Counter[str] = Counter()  # bytes of bodies
        self.xorbs: dict[str, tuple[str, int]] = {}  # who pays for those that are not unpacked yet, and their bytes

    def used(self, namespace: str) -> int:
        """Return the bytes that a namespace has stored."""
        key = namespace.lower()
        if key not in self._used:
            found = self._count(key)
            with self._lock:
                self._used.setdefault(key, found)
        return self._used.get(key, 0)

    def _count(self, key: str) -> int:
        files = {row["item"]: row["bytes"] for row in self._db.rows("select * from stored where payer = ?", key)}
        of_ours = "lower(substr(r.name, 1, ?)) = ?"
        query = (
            f"select distinct sha256 from holdings h join repos r on r.id = h.repo where {of_ours} "  # noqa: S608
            "and not exists(select 1 from stored s where s.item = h.sha256)"  # else it is known who pays: a proposer
        )
        for row in self._db.rows(query, len(key) + 1, f"{key}/"):
            name = row["sha256"]
            path = self._root.folder("files") / name[:2] / name[2:4] / name
            files[name] = path.stat().st_size if path.exists() else 0
        total: int = sum(files.values())
        for row in self._db.rows(f"select id from repos r where {of_ours}", len(key) + 1, f"{key}/"):  # noqa: S608
            total += self.objects(row["id"])
        return total

    def objects(self, repo_id: str) -> int:
        """Return the bytes of a repository's git objects, without those that others brought."""
        others = self._db.row("select sum(bytes) as bytes from stored where item = ?", f"git:{repo_id}")
        size = folder_size(self._root.folder("repos") / f"{repo_id}.git")
        return max(size - ((others["bytes"] if others else 0) or 0), 0)

    def recount(self, *namespaces: str) -> None:
        """Count again when it is next needed: something was removed, or got another owner."""
        with self._lock:
            for name in namespaces:
                self._used.pop(name.lower(), None)

    def waiting(self, payer: str) -> int:
        """Return the bytes of xorbs that are not unpacked yet."""
        return sum(size for who, size in list(self.xorbs.values()) if who == payer)

    def add(self, payer: str, item: str, size: int) -> None:
        """Note an item for good: a large file once, anything else on top of what is noted."""
        self.used(payer)  # before it is noted
        once = len(item) == _HASH
        grow = "nothing" if once else "update set bytes = bytes + excluded.bytes"
        with self._db.transaction() as write:
            done = write.execute(
                f"insert into stored values(?, ?, ?) on conflict(payer, item) do {grow}",
                (payer.lower(), item, size),
            )
            if done.rowcount:
                self.grow(payer, size)

    def grow(self, payer: str, size: int) -> None:
        """Count bytes that a later count finds on the disk."""
        with self._lock:
            if payer.lower() in self._used:
                self._used[payer.lower()] += size

    def noted(self, payer: str, item: str) -> int:
        """Return the bytes of an item."""
        row = self._db.row("select bytes from stored where payer = ? and item = ?", payer.lower(), item)
        return int(row["bytes"]) if row else 0


@dataclass(slots=True, kw_only=True)
class Account:
    """Who pays for a request; `own`: it is the namespace of the repository itself. `coming`: bytes of its body."""

    usage: Usage
    payer: str
    own: bool
    coming: int = 0

    @property
    def limit(self) -> int | None:
        """Return how much the payer may store."""
        return self.usage.quotas.of(self.payer)

    def check(self, size: int, *, xorbs: bool = True) -> None:
        """Raise Refused (413) if the payer may not store that many more bytes, its other requests' bodies included."""
        limit, key = self.limit, self.payer.lower()
        if limit is None:
            return
        used = self.usage.used(key) + self.usage.coming[key] - self.coming + (self.usage.waiting(key) if xorbs else 0)
        if used + size > limit:
            more = f"{size / 1e6:.1f}" if size < 1 << 60 else "any number of"
            raise Refused(
                413,
                f"{self.payer} may store {limit / 1e6:.1f} MB here and has {used / 1e6:.1f} MB, uploads included: "
                f"{more} MB more do not fit. Delete what is not needed and have `tft hub gc` run, or ask "
                "for a larger quota.",
                code="StorageLimitReached",
            )

    def come(self, size: int) -> None:
        """Count bytes that are about to be stored; negative ones have been."""
        self.coming += size
        self.usage.coming[self.payer.lower()] += size


ACCOUNT: ContextVar[Account | None] = ContextVar("account", default=None)


def check_room(size: int) -> None:
    """Raise Refused (413) if the caller may not store that many more bytes."""
    if (account := ACCOUNT.get()) is not None:
        account.check(size)


def keep_file(sha256: str, size: int) -> None:
    """Count a large file that is about to be kept; raises Refused (413)."""
    account = ACCOUNT.get()
    if account is not None and account.usage.quotas.any:
        if not account.usage.noted(account.payer, sha256):
            account.check(size, xorbs=False)
        account.usage.add(account.payer, sha256, size)
        account.come(-min(size, account.coming))


def grow_repository(repo_id: str, sizes: list[int]) -> None:
    """Count git objects that are about to be written to a repository; raises Refused (413)."""
    account = ACCOUNT.get()
    if account is None or not account.usage.quotas.any:
        return
    size = sum(-(-one // ROUND) * ROUND for one in sizes)
    account.check(size)
    if account.own:
        account.usage.grow(account.payer, size)
    else:
        account.usage.add(account.payer, f"git:{repo_id}", size)


def check_move(repo_id: str, namespace: str) -> None:
    """Raise Refused (413) if a namespace may not store the git objects of a repository that is to become its own."""
    account = ACCOUNT.get()
    if account is not None:
        target = replace(account, payer=namespace, own=True, coming=0)
        target.check(account.usage.objects(repo_id))


def removed(*namespaces: str) -> None:
    """Count again what these namespaces store."""
    if (account := ACCOUNT.get()) is not None:
        account.usage.recount(*namespaces)


def take_xorb(name: str, size: int) -> None:
    """Count a xorb that was received."""
    account = ACCOUNT.get()
    if account is None:
        return
    account.usage.xorbs[name] = (account.payer.lower(), size)
    if account.limit is None and account.usage.quotas.several:
        account.usage.add(account.payer, "xet-sent", size)


def drop_xorb(name: str) -> None:
    """Forget a xorb that is gone, or has become a file."""
    if (account := ACCOUNT.get()) is not None:
        account.usage.xorbs.pop(name, None)


def make_of_xorbs(size: int, parts: int) -> None:
    """Count a file that is about to be put together of what was uploaded (`parts` segments); raises Refused (413).

    Without a quota it may not be out of all proportion to what its maker has sent.
    """
    account = ACCOUNT.get()
    if account is None:
        return
    account.check(size, xorbs=False)
    account.come(size)
    if account.limit is None and account.usage.quotas.several:
        usage, payer = account.usage, account.payer
        sent = usage.noted(payer, "xet-sent") + parts * 48
        if usage.noted(payer, "xet-made") + size > XET_FREE + XET_RATIO * sent:
            raise Refused(
                413,
                f"The files that {payer} made by Xet have more than {XET_RATIO} times the bytes that were sent; set "
                "HF_HUB_DISABLE_XET=1 to send this one as it is.",
            )
        usage.add(payer, "xet-made", size)


def folder_size(folder: Path) -> int:
    """Return the bytes that the files below a folder take on the disk."""
    total = 0
    for level, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(level) / name).st_blocks * 512
            except FileNotFoundError:  # it has just been replaced
                continue
    return total
