"""A commit: its body as clients send it, and its operations, applied to a repository in one step."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dulwich.objects import Blob, Commit, ShaFile

from ..errors import Refused, entry_not_found, revision_not_found, stale_parent
from .blobs import SHA256, pointer, read_pointer
from .git import GitRepo
from .trees import Change, checked_path, edited_tree

LINE_LIMIT = 16 << 20  # bytes; clients send files from 10 MiB on as large ones
LINES_LIMIT = 50_000
MESSAGE_LIMIT = 1 << 20
TEXTS, BARE = 100, 4 << 10  # of a line: texts, and bytes outside texts (numbers, brackets, commas)
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.S)
PATHS_SIZE = 16 << 20  # characters of the paths of one commit
STAGED_LIMIT = 16 << 20  # bytes of new objects in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a commit: its author's words, and the parent that the client saw (a commit id or None)."""

    title: str
    description: str
    parent: str | None


def lines_of(body: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (key, value) of each line of an NDJSON body; raises Refused (400 or 413)."""
    with body.open("rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            if len(line) > LINE_LIMIT:
                raise Refused(
                    413,
                    f"Line {number} of the commit is larger than {LINE_LIMIT >> 20} MiB; upload that file as a large "
                    "one (LFS or Xet).",
                )
            if number > LINES_LIMIT:
                raise Refused(413, f"The commit has more than {LINES_LIMIT:,} lines; split it into several commits.")
            if not line.strip():
                continue
            if not _is_plain(line):
                raise Refused(400, f"Line {number} of the commit holds more values than any operation has.")
            try:
                item = json.loads(line.decode())
                key, value = item["key"], item["value"]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise Refused(400, f"Line {number} of the commit is not a JSON object with key and value.") from error
            if not isinstance(key, str) or not isinstance(value, dict):
                raise Refused(400, f"Line {number} of the commit: expected a text as key and an object as value.")
            yield key, value


def _is_plain(line: bytes) -> bool:
    """Return whether a line holds few values: parsed, it could take a hundred times its size."""
    if sum(map(line.count, (b"[", b"{", b","))) <= TEXTS:
        return True
    end = bare = 0
    for number, found in enumerate(_TEXT.finditer(line)):
        bare += found.start() - end
        end = found.end()
        if number > TEXTS or bare > BARE:
            return False
    return bare + len(line) - end <= BARE


def read_header(lines: Iterator[tuple[str, dict[str, Any]]]) -> Header:
    """Return the header line; raises Refused (400)."""
    key, value = next(lines, ("", {}))
    title, description, parent = value.get("summary"), value.get("description") or "", value.get("parentCommit")
    texts = isinstance(title, str) and isinstance(description, str) and isinstance(parent, str | None)
    if key != "header" or not texts or not title:
        raise Refused(
            400, "A commit starts with a header that has a summary, and possibly description and parentCommit."
        )
    if any(0xD800 <= ord(c) <= 0xDFFF for c in title + description):
        raise Refused(400, "The commit message is not valid Unicode.")
    if len(title) + len(description) > MESSAGE_LIMIT:
        raise Refused(413, "The commit message is larger than 1 MiB.")
    return Header(title=str(title), description=str(description), parent=parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who makes a commit, and its title and description."""

    name: str
    title: str
    description: str = ""


@dataclass(slots=True)
class Staging:
    """New git objects of one commit; written to disk in portions, made visible by the ref only."""

    git: GitRepo
    objects: dict[str, ShaFile] = field(default_factory=dict)
    size: int = 0

    def add(self, item: ShaFile) -> str:
        """Take a new object and return its id."""
        sha = str(item.id.decode())
        if sha not in self.objects:
            self.objects[sha] = item
            self.size += item.raw_length()
            if self.size > STAGED_LIMIT:
                self.flush()
        return sha

    def flush(self) -> None:
        """Make everything taken so far durable."""
        self.git.write(self.objects)
        self.objects, self.size = {}, 0


def record(staging: Staging, tree: str, parents: list[str], author: Author) -> str:
    """Write a commit object with the given tree and return its id; no ref is moved."""
    item = Commit()
    item.tree = tree.encode()
    item.parents = [parent.encode() for parent in parents]
    item.author = item.committer = f"{author.name} <{author.name}@users.noreply.localhost>".encode()
    item.author_time = item.commit_time = int(time.time())
    item.author_timezone = item.commit_timezone = 0
    item.encoding = b"UTF-8"
    message = f"{author.title}\n\n{author.description}" if author.description else author.title
    item.message = message.encode("utf-8", "replace").replace(b"\0", b"")
    sha = staging.add(item)
    staging.flush()
    return sha


def first_commit(files: dict[str, bytes], author: Author, git: GitRepo) -> str:
    """Give a fresh repository its first commit on `main`."""
    staging = Staging(git)
    changes: dict[str, Change] = {name: staging.add(Blob.from_string(data)) for name, data in files.items()}
    tree = edited_tree(git.tree, staging.add, None, changes)
    sha = record(staging, tree, [], author)
    git.set_ref("refs/heads/main", sha, None)
    return sha


@dataclass(slots=True)
class Operations:
    """Turns the operations of a commit into changes of a tree; only `commit` has to know on top of which one."""

    staging: Staging
    size_of_large: Callable[[str], int]  # sha256 -> size; raises Refused unless the caller may use it
    changes: dict[str, Change] = field(default_factory=dict)
    deleted: dict[str, bool] = field(default_factory=dict)  # path -> whether it has to be a folder
    large: set[str] = field(default_factory=set)
    room: int = PATHS_SIZE

    def apply(self, key: str, value: dict[str, Any]) -> None:
        """Take one operation; raises Refused (400, 413 or 422)."""
        path = checked_path(value.get("path"))
        self.room -= len(path)
        if self.room < 0:
            raise Refused(413, f"The paths of the commit have more than {PATHS_SIZE >> 20} MiB; split it into several.")
        if key == "file":
            content = _content(path, value)
            if (pointed := read_pointer(content)) is not None:
                self._point(path, *pointed)  # a pointer written by hand leads to no file that the caller may not use
            else:
                self.changes[path] = self.staging.add(Blob.from_string(content))
        elif key == "lfsFile":
            sha256 = value.get("oid")
            if value.get("algo", "sha256") != "sha256" or not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
                raise Refused(400, f"{path}: expected algo sha256 and its 64 hex digits as oid.")
            self._point(path, sha256, value.get("size"))
        elif key in ("deletedFile", "deletedFolder"):
            self.deleted[path] = self.deleted.get(path, False) or key == "deletedFolder"
            self.changes.setdefault(path, None)
        else:
            raise Refused(400, f"Unknown operation {key[:80]!r} in the commit.")

    def _point(self, path: str, sha256: str, announced: object) -> None:
        size = self.size_of_large(sha256)
        if isinstance(announced, int) and announced != size:
            raise Refused(400, f"{path}: the size is {announced}, the uploaded file has {size} bytes.")
        self.changes[path] = self.staging.add(Blob.from_string(pointer(sha256, size)))
        self.large.add(sha256)

    def commit(self, parent: str, author: Author) -> str:
        """Write the commit on top of `parent` and return its id; no ref is moved. Raises Refused (404 or 422)."""
        git = self.staging.git
        for path, folder in self.deleted.items():
            # A folder named in a deletedFile is deleted as well: clients rely on it.
            entry = git.entry(parent, path)
            if entry is None or (folder and not entry.is_folder):
                raise entry_not_found(f"A file or folder with the name {path}", parent)
        tree = git.commit(parent).tree
        if self.changes:
            tree = edited_tree(git.tree, self.staging.add, tree, self.changes)
        return record(self.staging, tree, [parent], author)


def _content(path: str, value: dict[str, Any]) -> bytes:
    content, encoding = value.get("content"), value.get("encoding", "utf-8")
    if not isinstance(content, str) or encoding not in ("base64", "utf-8"):
        raise Refused(400, f"{path}: expected content as text, encoded as base64 or utf-8.")
    try:
        return base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except ValueError as error:
        raise Refused(400, f"{path}: the content is not valid {encoding}.") from error


def branch_ref(git: GitRepo, revision: str) -> tuple[str, str]:
    """Return the full ref name and present head of a branch or pull request; raises Refused (RevisionNotFound)."""
    name = revision if revision.startswith(("refs/heads/", "refs/pr/")) else f"refs/heads/{revision}"
    head = git.ref(name)
    if head is None:
        raise revision_not_found(revision)
    return name, head


def check_parent(header: Header, head: str) -> None:
    """Raise Refused (412) if the client built its commit on another commit than `head`."""
    if header.parent and not (len(header.parent) >= 7 and head.startswith(header.parent)):
        raise stale_parent()


def squash(git: GitRepo, branch: str, author: Author) -> str:
    """Replace the history of a branch by one commit with the same files; returns its id."""
    name, _ = branch_ref(git, branch)
    with git.moving(name):
        name, head = branch_ref(git, branch)
        sha = record(Staging(git), git.commit(head).tree, [], author)
        if not git.set_ref(name, sha, head):
            raise stale_parent()
        return sha
