"""One bare git repository: resolve, read, and move refs atomically. Ids are 40 hex digits, as text."""

from __future__ import annotations

import os
import re
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakValueDictionary

from dulwich.errors import ObjectFormatException
from dulwich.objects import Blob, Commit, ShaFile, Tag, Tree
from dulwich.refs import check_ref_format
from dulwich.repo import Repo

from ..bounds import Cache
from ..errors import Refused, damaged, revision_not_found
from ..root import clear_ref_locks, fsync_folder, fsync_tree
from .blobs import POINTER_LIMIT, read_pointer
from .objects import CommitFacts, FileFacts, IncomingPack, commit_facts, size_of_blob, write_loose
from .reachability import Reach, Writing
from .trees import FOLDER_MODE, Entry
from .usage import grow_repository

FULL_SHA = re.compile(r"[0-9a-f]{40}")
SHORT_SHA = re.compile(r"[0-9a-f]{4,39}")
REF_LIMIT, NAME_LIMIT = 1000, 240  # bytes of a ref and of one of its parts; file systems end at 255
_MOVING: WeakValueDictionary[tuple[Path, str], threading.RLock] = WeakValueDictionary()
_MOVING_LOCK = threading.Lock()
LOOSE_LIMIT = 12  # more new objects than this are written as one pack: one fsync instead of many


def checked_ref(name: str) -> bytes:
    """Return a full ref name as git stores it; raises Refused (400) if git or a file system does not take it."""
    encoded = name.encode()
    too_long = len(encoded) > REF_LIMIT or any(len(part) > NAME_LIMIT for part in encoded.split(b"/"))
    if too_long or not check_ref_format(encoded):
        raise Refused(400, f"Invalid reference name: {name[:200]!r}")
    return encoded


# Git objects never change, so what was read once stays right; by the path of the repository and the object's id.
_TREES: Cache[tuple[str, str], dict[str, Entry]] = Cache(64 << 20)
_COMMITS: Cache[tuple[str, str], CommitFacts] = Cache(32 << 20)
_FACTS: Cache[tuple[str, str], FileFacts] = Cache(32 << 20)


class GitRepo:
    """A bare repository on disk; safe to use from any thread. `writing` serialises the moves of its refs.

    It is held for moments only, never while a commit is built: that is what `moving` is for.
    """

    def __init__(self, path: Path, writing: Writing | None = None) -> None:
        self.path = path
        self.writing = writing or Writing()
        self.reach = Reach(self)
        self._reading = threading.Lock()
        self._repo = Repo(str(path))
        self._repo.object_store.fsync_object_files = True
        self._name = str(path)

    @classmethod
    def create(cls, path: Path) -> None:
        """Make an empty bare repository with the branch `main`."""
        path.mkdir(parents=True)
        Repo.init_bare(str(path), default_branch=b"main").close()
        fsync_tree(path)

    def _object(self, sha: str) -> ShaFile:
        try:
            with self._reading:
                return self._repo.object_store[sha.encode()]
        except (ObjectFormatException, zlib.error) as error:
            raise damaged() from error

    def refs(self) -> dict[str, str]:
        """Return every ref but HEAD with the id it points at (annotated tags not yet peeled)."""
        found = self._repo.refs.as_dict()
        return {name.decode(): sha.decode() for name, sha in found.items() if name != b"HEAD"}

    def ref(self, name: str) -> str | None:
        """Return the id that a full ref name points at, or None."""
        try:
            sha = self._repo.refs.read_ref(name.encode()) if check_ref_format(name.encode()) else None
        except (OSError, ValueError):  # e.g. the name of a folder of refs
            return None
        return sha.decode() if sha else None

    def resolve(self, revision: str) -> str:
        """Return the commit of a branch, tag, full ref, or (short) commit id; raises Refused (RevisionNotFound).

        A commit counts only while a ref leads to it.
        """
        # As in git, a full id is never the name of a branch; clients ask for every file of a snapshot by its id.
        if FULL_SHA.fullmatch(revision) and (commit := self._as_commit(revision)) is not None:
            return commit
        candidates = [f"refs/heads/{revision}", f"refs/tags/{revision}"]
        if revision.startswith("refs/"):
            candidates.insert(0, revision)
        for name in candidates:
            if (sha := self.ref(name)) is not None:
                return self.peel(sha)
        sha = revision if FULL_SHA.fullmatch(revision) else self._complete(revision)
        commit = self._as_commit(sha) if sha else None
        if commit is None:
            raise revision_not_found(revision)
        return commit

    def _complete(self, short: str) -> str | None:
        if not SHORT_SHA.fullmatch(short):
            return None
        commits = [sha for sha in self.reach.commits() if sha.startswith(short)]
        return commits[0] if len(commits) == 1 else None

    def _as_commit(self, sha: str) -> str | None:
        """Return the commit of that id, or of the annotated tag; None if there is none that a ref leads to."""
        if self.reach.has_commit(sha):
            return sha
        try:
            found = self._object(sha)
        except KeyError:
            return None
        commit = self.peel(sha) if isinstance(found, Tag) else None
        return commit if commit and self.reach.has_commit(commit) else None

    def peel(self, sha: str) -> str:
        """Return the commit behind an annotated tag; a commit is returned as it is."""
        found = self._object(sha)
        while isinstance(found, Tag):
            found = self._object(found.object[1].decode())
        return str(found.id.decode())

    def commit(self, sha: str) -> CommitFacts:
        """Return a commit, its words cut where they are very long; raises Refused (RevisionNotFound)."""
        if (known := _COMMITS.get((self._name, sha))) is not None:
            return known
        found = self._object(sha)
        if not isinstance(found, Commit):
            raise revision_not_found(sha)
        facts = commit_facts(sha, found)
        return _COMMITS.put((self._name, sha), facts, 800 + 2 * len(facts.title) + 2 * len(facts.message))

    def tree(self, sha: str) -> dict[str, Entry]:
        """Return name -> entry of a folder; raises KeyError if there is none. The mapping is shared: copy to change."""
        if (known := _TREES.get((self._name, sha))) is not None:
            return known
        found = self._object(sha)
        if not isinstance(found, Tree):
            raise KeyError(sha)
        entries = {
            item.path.decode("utf-8", "surrogateescape"): Entry(mode=item.mode, sha=item.sha.decode())
            for item in found.iteritems()
        }
        return _TREES.put((self._name, sha), entries, 500 + 350 * len(entries))

    def facts(self, sha: str) -> FileFacts:
        """Return what a blob is, read no further than that takes; raises KeyError if there is none."""
        return _FACTS.get((self._name, sha)) or _FACTS.put((self._name, sha), self._read_facts(sha), 500)

    def _read_facts(self, sha: str) -> FileFacts:
        with self._reading:
            size = size_of_blob(self._repo.object_store, sha)
        if size is not None and size > POINTER_LIMIT:
            return FileFacts(sha=sha, size=size)
        data = self.blob(sha)
        pointed = read_pointer(data)
        if pointed is None:
            return FileFacts(sha=sha, size=len(data))
        return FileFacts(sha=sha, size=pointed[1], sha256=pointed[0], pointer_size=len(data))

    def blob(self, sha: str) -> bytes:
        """Return the bytes of a blob; raises KeyError if there is none."""
        found = self._object(sha)
        if not isinstance(found, Blob):
            raise KeyError(sha)
        return bytes(found.data)

    def entry(self, commit: str, path: str) -> Entry | None:
        """Return what lies at `path` ("" is the root folder) in a commit, or None."""
        entry = Entry(mode=FOLDER_MODE, sha=self.commit(commit).tree)
        for name in path.split("/") if path else []:
            found = self.tree(entry.sha).get(name) if entry.is_folder else None
            if found is None:
                return None
            entry = found
        return entry

    def text(self, commit: str, path: str, *, limit: int = 1 << 20) -> str | None:
        """Return a regular file of at most `limit` bytes as text, None if there is none."""
        entry = self.entry(commit, path)
        if entry is None or entry.is_folder or self.facts(entry.sha).size > limit or self.facts(entry.sha).sha256:
            return None
        return self.blob(entry.sha).decode("utf-8", "replace")

    def walk(self, tree: str, prefix: str = "", *, recursive: bool = True) -> Iterator[tuple[str, Entry]]:
        """Yield (path, entry) of a folder in git's order, folders before what is in them."""
        for name, entry in self.tree(tree).items():
            yield f"{prefix}{name}", entry
            if recursive and entry.is_folder:
                yield from self.walk(entry.sha, f"{prefix}{name}/")

    def files(self, commit: str) -> Iterator[tuple[str, FileFacts]]:
        """Yield (path, facts) of every file of a commit."""
        for path, entry in self.walk(self.commit(commit).tree):
            if not entry.is_folder:
                yield path, self.facts(entry.sha)

    def history(self, commit: str) -> Iterator[CommitFacts]:
        """Yield the commit and its first parents, newest first."""
        facts = self.commit(commit)
        yield facts
        while facts.parents:
            facts = self.commit(facts.parents[0])
            yield facts

    def write(self, objects: dict[str, ShaFile]) -> None:
        """Make new objects durable; they are visible only once a ref leads to them. Holds no lock while it writes.

        Raises Refused (413) if the caller may not store as much.
        """
        grow_repository(self.path.stem, [item.raw_length() for item in objects.values()])
        folder = self.path / "objects"
        if len(objects) > LOOSE_LIMIT:
            pack = IncomingPack(self.path, objects.values())
            try:
                with self.writing:
                    pack.move()
            finally:
                pack.discard()
            return
        for sha, item in objects.items():
            write_loose(folder, sha, item)
        for name in {sha[:2] for sha in objects}:
            fsync_folder(folder / name)
        fsync_folder(folder)

    def moving(self, name: str) -> threading.RLock:
        """Return the lock for building the next commit of a ref; only writers of the same ref wait for it."""
        with _MOVING_LOCK:
            lock = _MOVING.get((self.path, name))
            if lock is None:
                lock = _MOVING[self.path, name] = threading.RLock()
            return lock

    def set_ref(self, name: str, new: str, old: str | None) -> bool:
        """Move a ref from `old` (None: it must not exist yet) to `new`; return False if it was not at `old`."""
        encoded = checked_ref(name)
        with self.writing:
            try:
                if old is None:
                    moved = self._repo.refs.add_if_new(encoded, new.encode())
                else:
                    moved = self._repo.refs.set_if_equals(encoded, old.encode(), new.encode())
            except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
                raise Refused(
                    409, f"Reference {name} collides with another one: one is a folder of the other."
                ) from error
            except OSError:
                clear_ref_locks(self.path)
                raise
            self.writing.moves += 1
            self._sync_ref(name)
        return bool(moved)

    def delete_ref(self, name: str, old: str) -> bool:
        """Remove a ref that is at `old`; return False if it is not."""
        with self.writing:
            removed = bool(self._repo.refs.remove_if_equals(name.encode(), old.encode()))
            self.writing.moves += 1
            self._sync_ref(name)
        return removed

    def _sync_ref(self, name: str) -> None:
        folder = (self.path / os.fsdecode(name)).parent
        while folder != self.path:
            if folder.exists():  # the folder of a removed ref goes with its last one
                fsync_folder(folder)
            folder = folder.parent

    def close(self) -> None:
        """Release the open packs."""
        self._repo.close()
