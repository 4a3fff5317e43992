"""Checks that a Hub's folder is whole: the database, every git object and ref, every large file by its hash.

Only reads, so it may run beside a server: what a server adds meanwhile is complete before anything names it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from dulwich.errors import NotGitRepository
from dulwich.repo import Repo

from ..db import read_only
from ..root import Root
from .blobs import SHA256, BlobStore
from .git import FULL_SHA
from .objects import DAMAGED, read_objects

MAIN = "refs/heads/main"


@dataclass(slots=True)
class Report:
    """How much was checked (`bytes` of large files), and every problem as a sentence."""

    repositories: int = 0
    objects: int = 0
    files: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def verify(root: Root) -> Report:
    """Check everything below `root` and return what was found; changes nothing."""
    report = Report()
    try:
        rows, demands = _database(root, report)
    except sqlite3.Error as error:
        report.problems.append(f"hub.db: {error}")
        return report
    for row in rows:
        problems, pointed = _repository(root.folder("repos") / f"{row['id']}.git", report)
        if _gone(root, row["id"]):  # deleted by a server while it was read
            continue
        name = f"{row['kind']} {row['name']}"
        report.problems += [f"{name}: {problem}" for problem in problems]
        report.repositories += 1
        for sha256, size in pointed:
            demands.setdefault(sha256, (f"{name} points at it", size))
            if demands[sha256][1] is None:
                demands[sha256] = (demands[sha256][0], size)
            elif demands[sha256][1] != size:
                report.problems.append(f"{name}: a pointer to {sha256} says {size} bytes, another one does not.")
    blobs = BlobStore(root)
    for sha256, (why, expected) in demands.items():
        actual = blobs.size(sha256)
        if actual is None or (expected is not None and actual != expected):
            problem = "missing" if actual is None else f"{actual} bytes instead of {expected}"
            report.problems.append(f"large file {sha256}: {problem} ({why}).")
    report.problems += _large_files(root, report)
    return report


def _database(root: Root, report: Report) -> tuple[list[sqlite3.Row], dict[str, tuple[str, int | None]]]:
    """Return the repositories, and the large files that the database says are here: sha256 -> (why, size or None)."""
    with closing(read_only(root.database)) as connection:
        rows = connection.execute("select * from repos order by kind, name").fetchall()
        demands: dict[str, tuple[str, int | None]] = {}
        tables = {row["name"] for row in connection.execute("select name from sqlite_master where type = 'table'")}
        for table in sorted({"xorb_parts", "xet_files", "holdings", "uploads"} & tables):  # earlier versions lack some
            for found in connection.execute(f"select distinct sha256 from {table}"):  # noqa: S608 - fixed names
                demands[found["sha256"]] = (f"table {table} names it", None)
        if (outcome := connection.execute("pragma integrity_check").fetchone()[0]) != "ok":
            report.problems.append(f"hub.db: {outcome}")
        known = {row["id"] for row in rows}
        query = "select repo, num from discussions where is_pull = 1"
        for found in connection.execute(query):
            pull = root.folder("repos") / f"{found['repo']}.git" / "refs" / "pr" / str(found["num"])
            if found["repo"] not in known or not pull.is_file():
                report.problems.append(f"pull request {found['num']} of repository {found['repo']} has no commits.")
        return rows, demands


def _gone(root: Root, repo_id: str) -> bool:
    with closing(read_only(root.database)) as connection:
        return connection.execute("select 1 from repos where id = ?", (repo_id,)).fetchone() is None


def _repository(folder: Path, report: Report) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the problems of a repository and the (sha256, size) of the large files that its refs lead to."""
    try:
        git = Repo(str(folder))
    except (NotGitRepository, OSError, ValueError) as error:
        return [f"{folder.name} cannot be opened: {error or type(error).__name__}"], []
    try:
        refs = {name.decode(): sha.decode() for name, sha in git.refs.as_dict(b"refs").items()}  # before the objects
        problems = [] if f"{MAIN.removeprefix('refs/')}" in refs else ["the branch main is missing"]
        problems += list(_damaged_refs(folder, refs))
        store = git.object_store
        for pack in store.packs:
            try:
                pack.check_length_and_checksum()
            except DAMAGED as error:
                problems.append(f"pack {pack.name().decode()} is damaged: {error or type(error).__name__}")
        found = read_objects(store, set(store))
        report.objects += len(found.links)
        problems += [f"object {sha} is damaged: {why}" for sha, why in sorted(found.damaged.items())]
        seen, missing = found.reachable(sha for sha in refs.values() if FULL_SHA.fullmatch(sha))
        problems += [
            f"object {sha} is missing (named by {named_by})"
            for sha, named_by in sorted(missing.items())
            if sha not in found.damaged
        ]
        return problems, [found.pointers[sha] for sha in seen & found.pointers.keys()]
    except DAMAGED as error:
        return [f"{folder.name} cannot be read: {error or type(error).__name__}"], []
    finally:
        git.close()


def _damaged_refs(folder: Path, refs: dict[str, str]) -> Iterator[str]:
    for path in sorted((folder / "refs").rglob("*")):
        name = path.relative_to(folder / "refs").as_posix()
        if path.is_file() and path.suffix != ".lock" and not FULL_SHA.fullmatch(refs.get(name, "")):
            yield f"refs/{name} is damaged"


def _large_files(root: Root, report: Report) -> Iterator[str]:
    folder = root.folder("files")
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        place = path.relative_to(folder).as_posix()
        if not SHA256.fullmatch(path.name) or place != f"{path.name[:2]}/{path.name[2:4]}/{path.name}":
            yield f"files/{place} does not belong there."
            continue
        report.files += 1
        report.bytes += path.stat().st_size
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != path.name:
            yield f"large file {path.name}: its content has the sha256 {actual}."
