"""Frees what nothing leads to any more: half uploads, large files, git objects, repositories that were never finished.

It needs the root for itself: a server may be about to commit what was uploaded a moment ago. What is younger than the
grace period stays, so that a client that uploads before and commits after a collection loses nothing either.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from dulwich.objects import ObjectID
from dulwich.pack import full_unpacked_object
from dulwich.repo import Repo

from ..db import Database, readable_database
from ..errors import HubStartError
from ..root import FOLDERS, Root, existing_root, fsync_folder
from .blobs import BlobStore
from .objects import read_objects
from .usage import folder_size
from .xet_uploads import XetStore, forget

PACKS_LIMIT, LOOSE_LIMIT = 20, 1000  # more files than this in a repository become one pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection removed, and by how many bytes the folder is smaller."""

    repositories: int
    files: int
    objects: int
    bytes: int


def collect(path: Path, *, grace: float) -> Collected:
    """Collect what is unused below `path` and older than `grace` seconds.

    Raises HubStartError if the folder holds no Hub, if a server runs on it, or if something it needs is damaged.
    """
    before = _size(path)
    root = existing_root(path, locked=True)  # clears half uploads, deleted repositories and temporary files
    try:
        with readable_database(root.database):
            return _collect(root, before, grace)
    finally:
        root.close()


def _collect(root: Root, before: int, grace: float) -> Collected:
    db = Database(root.database)
    blobs = BlobStore(root)
    XetStore(root, db, blobs)  # clears xorbs without a shard
    limit = time.time() - grace
    known = {row["id"] for row in db.rows("select id from repos")}
    repositories = sum(
        _remove_orphan(folder, limit) for folder in root.folder("repos").glob("*.git") if folder.stem not in known
    )
    needed: set[str] = set()
    objects = 0
    for name in sorted(known):
        used, removed = _collect_git(root.folder("repos") / f"{name}.git", _pulls(db, name), limit)
        needed |= used
        objects += removed
        _shrink_notes(root, db, name)
    files = _collect_files(root, db, needed, limit)
    return Collected(repositories=repositories, files=files, objects=objects, bytes=max(before - _size(root.path), 0))


def _size(path: Path) -> int:
    """Return the bytes in the folders of a root; the database is not counted."""
    walked = (found for folder in FOLDERS for found in os.walk(path / folder))
    return sum(os.lstat(Path(level) / name).st_size for level, _, names in walked for name in names)


def _remove_orphan(folder: Path, limit: float) -> bool:
    if folder.stat().st_mtime > limit:
        return False
    shutil.rmtree(folder)
    return True


def _pulls(db: Database, repo_id: str) -> set[bytes]:
    """Return the refs of the pull requests that are registered; any other was never acknowledged."""
    rows = db.rows("select num from discussions where repo = ? and is_pull = 1", repo_id)
    return {f"refs/pr/{row['num']}".encode() for row in rows}


def _collect_git(folder: Path, pulls: set[bytes], limit: float) -> tuple[set[str], int]:
    """Drop what the refs of a repository do not lead to; returns the large files it needs and the objects dropped."""
    git = Repo(str(folder))
    try:
        git.object_store.fsync_object_files = True
        refs = {name: sha for name, sha in git.refs.as_dict().items() if name != b"HEAD"}
        for name in [name for name in refs if name.startswith(b"refs/pr/") and name not in pulls]:
            git.refs.remove_if_equals(name, refs.pop(name))
        found = read_objects(git.object_store, set(git.object_store))
        seen, missing = found.reachable(sha.decode() for sha in refs.values())
        if missing or found.damaged:
            raise HubStartError(f"{folder.name} is damaged, nothing of it was collected; see `hub verify --root ...`.")
        kept = {sha.encode() for sha in seen}
        removed = _repack(git, folder / "objects", kept, limit)
        # A young object that is spared may still be committed again, together with what it points at.
        there = seen | {sha.decode() for sha in git.object_store}
        return {found.pointers[sha][0] for sha in there & found.pointers.keys()}, removed
    finally:
        git.close()


def _repack(git: Repo, folder: Path, kept: set[bytes], limit: float) -> int:
    """Replace the files of `folder` that are older than `limit` by one pack of the objects to keep, where it pays."""
    loose = [path for path in folder.glob("??/*") if path.stat().st_mtime <= limit]
    packs = [path for path in (folder / "pack").glob("*.pack") if path.stat().st_mtime <= limit]
    store, names = git.object_store, {path.stem for path in packs}
    held = {ObjectID(f"{path.parent.name}{path.name}".encode()) for path in loose}
    held |= {name for pack in store.packs if Path(pack.data.filename).stem in names for name in pack}
    if held <= kept and len(loose) <= LOOSE_LIMIT and len(packs) <= PACKS_LIMIT:
        return 0
    new = store.add_pack_data(len(kept), (full_unpacked_object(store[ObjectID(name)]) for name in sorted(kept)))
    fsync_folder(folder / "pack")
    fresh = Path(new.data.filename).stem if new else ""
    for path in loose:
        path.unlink()
    for path in packs:
        if path.stem != fresh:
            # The index first: without it a pack is not there.
            path.with_suffix(".idx").unlink()
            path.unlink()
    store.close()  # forget the packs that are gone
    return len(held - kept)


def _shrink_notes(root: Root, db: Database, repo_id: str) -> None:
    """Let those who brought objects to a repository of others pay for no more than it takes now."""
    item, size = f"git:{repo_id}", folder_size(root.folder("repos") / f"{repo_id}.git")
    row = db.row("select sum(bytes) as bytes from stored where item = ?", item)
    if row is not None and (row["bytes"] or 0) > size:
        with db.transaction() as write:
            write.execute("update stored set bytes = bytes * ? / ? where item = ?", (size, row["bytes"], item))


def _collect_files(root: Root, db: Database, needed: set[str], limit: float) -> int:
    unused = [
        path
        for path in root.folder("files").glob("??/??/*")
        if path.name not in needed and path.stat().st_mtime <= limit
    ]
    if unused:
        forget(db, [path.name for path in unused])  # first, so that nothing names what is gone
        for path in unused:
            path.unlink()
    return len(unused)
