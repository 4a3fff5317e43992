"""Large files, addressed by their sha256: written once, durable before they are named."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..errors import Refused
from ..root import Root, fsync_folder
from .usage import keep_file

SHA256 = re.compile(r"[0-9a-f]{64}")
POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n?")
POINTER_LIMIT = 300
STEP = 1 << 20
PARTS_AT_ONCE = 512  # the kernel takes 1024
# A larger write gets larger pieces of memory for the file's cache. Those are free only where memory was long unused: it
# is cold, and a virtual machine may have given it back to its host. 2 MiB took four times the processor time.
WRITE_STEP = 256 << 10
Buffer = bytes | bytearray | memoryview
SYNC_STEP = 64 << 20  # a large file goes to the disk while it is received, not all at its end
_WRITERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="write")


@dataclass(slots=True)
class Draft:
    """A file being received in `tmp/`: its bytes, their size and, if `hashed`, their sha256 so far."""

    path: Path
    file: BinaryIO
    hashed: bool = True
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _syncing: Future[None] | None = None
    _synced: int = 0

    def write(self, parts: Sequence[Buffer]) -> None:
        """Append the parts in order; raises OSError. They are written and hashed at the same time: both take long."""
        self.size += sum(map(len, parts))
        if not self.hashed:
            _write_all(self.file.fileno(), parts)
            return
        writing = _WRITERS.submit(_write_all, self.file.fileno(), parts)
        try:
            for part in parts:
                self.digest.update(part)
        finally:
            writing.result()
        if self.size - self._synced >= SYNC_STEP:
            self._settle()
            self._syncing, self._synced = _WRITERS.submit(os.fdatasync, self.file.fileno()), self.size

    def sync(self) -> None:
        """Make what was written durable; raises OSError."""
        self._settle()
        os.fsync(self.file.fileno())

    def _settle(self) -> None:
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            syncing.result()

    @property
    def sha256(self) -> str:
        """Return the hash (64 hex) of what was written so far."""
        return self.digest.hexdigest()

    def discard(self) -> None:
        """Forget the file."""
        with suppress(OSError):  # a full disk; the file is not wanted any more
            self._settle()
        self.file.close()
        self.path.unlink(missing_ok=True)


class BlobStore:
    """The folder `files/`."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._folder = root.folder("files")

    def path(self, sha256: str) -> Path:
        """Return the place of a file, there or not, by its hash; raises Refused (422) if that is not 64 hex digits."""
        if not SHA256.fullmatch(sha256):
            raise Refused(422, f"{sha256!r} is not a sha256: expected 64 lower-case hex digits.")
        return self._folder / sha256[:2] / sha256[2:4] / sha256

    def size(self, sha256: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def draft(self, *, hashed: bool = True) -> Draft:
        """Start a new file; only a hashed one can be kept."""
        path = self._root.draft()
        return Draft(path=path, file=path.open("w+b", buffering=0), hashed=hashed)

    def keep(self, draft: Draft, *, sha256: str | None = None) -> str:
        """Move a finished draft into the store and return its hash.

        Raises Refused (400 if it is not the announced `sha256`, 413 if the caller may not store as much); the draft is
        gone either way.
        """
        actual = draft.sha256
        if sha256 is not None and actual != sha256:
            draft.discard()
            raise Refused(400, f"The content received has sha256 {actual}, announced was {sha256}; upload it again.")
        target = self.path(actual)
        try:
            keep_file(actual, draft.size)
        except Refused:
            draft.discard()
            raise
        if target.exists():
            draft.discard()
            self.touch(actual)
            fsync_folder(target.parent)  # the thread that moved it there may not have come that far yet
            return actual
        draft.sync()
        draft.file.close()
        self._make_folders(target.parent)
        draft.path.chmod(0o444)
        draft.path.replace(target)
        fsync_folder(target.parent)
        return actual

    def touch(self, sha256: str) -> None:
        """Note that a file is wanted: a collection spares what was new or wanted lately."""
        os.utime(self.path(sha256))

    def _make_folders(self, folder: Path) -> None:
        for level in (folder.parent, folder):
            if not level.exists():
                level.mkdir(exist_ok=True)
                fsync_folder(level.parent)

    def read(self, sha256: str, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`; raises FileNotFoundError if there is no such file."""
        with self.path(sha256).open("rb") as file:
            file.seek(start)
            return file.read(length)


def _write_all(descriptor: int, parts: Sequence[Buffer]) -> None:
    batch: list[memoryview] = []
    size = 0
    for part in parts:
        view = memoryview(part)
        for at in range(0, len(view), WRITE_STEP):
            piece = view[at : at + WRITE_STEP]
            if size + len(piece) > WRITE_STEP or len(batch) == PARTS_AT_ONCE:
                _write_batch(descriptor, batch)
                batch, size = [], 0
            batch.append(piece)
            size += len(piece)
    _write_batch(descriptor, batch)


def _write_batch(descriptor: int, batch: list[memoryview]) -> None:
    while batch:
        written = os.writev(descriptor, batch)
        while batch and written >= len(batch[0]):
            written -= len(batch.pop(0))
        if batch:
            batch[0] = batch[0][written:]


def stream(path: Path, start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes of a file from `start`, in steps of 1 MiB."""
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (data := file.read(min(STEP, length))):
            length -= len(data)
            yield data


def pointer(sha256: str, size: int) -> bytes:
    """Return the git blob that stands for a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def read_pointer(data: bytes) -> tuple[str, int] | None:
    """Return (sha256, size in bytes) if `data` is a pointer, else None."""
    found = POINTER.fullmatch(data) if len(data) <= POINTER_LIMIT else None
    return (found[1].decode(), int(found[2])) if found else None
