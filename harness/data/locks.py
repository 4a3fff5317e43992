"""Folders that one process at a time may write to, and folders in the making whose process is gone."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from harness.errors import UsageError

LOCK = ".lock"
"""In a folder that a process writes to, for as long as it does; one that a kill left behind locks nothing."""


def lock_file(path: Path) -> BinaryIO | None:
    """Open a file for this process alone, unbuffered and to append to; None where another process has it."""
    file = path.open("ab", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder, which is made where it is not there and goes again if it stays empty.

    Raises UsageError where one has it. A lock ends with its process, whatever ends that.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file = lock_file(path)
    while file is not None and not _is_still(path, file):  # the process before has just taken its lock away
        file.close()
        file = lock_file(path)
    if file is None:
        raise UsageError(f"another process writes to {folder}; wait for it, or give another folder")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()
        with suppress(OSError):
            for one in made:
                one.rmdir()


def _is_still(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


@contextmanager
def scratch_beside(out: Path) -> Iterator[Path]:
    """Yield a new folder on the disk of `out`, to be moved there; what is left of it afterwards is deleted.

    So is what processes that were killed have left there.
    """
    for left in out.parent.glob(f".{glob.escape(out.name)}.tft-*"):
        with suppress(OSError):
            place = _hold(left)
            shutil.rmtree(left)
            os.close(place)
    folder: Path | None = None
    lock: int | None = None
    while folder is None or not folder.exists():  # one that is not held yet may be taken for a leftover
        folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.tft-"))
        with suppress(OSError):  # a file system without locks: then nobody deletes leftovers either
            lock = _hold(folder)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _hold(folder: Path) -> int:
    """Return the open folder, locked: it shows that a process works in it without a file there. OSError if one does."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(place)
        raise
    return place
