"""Folders and files that one process at a time may write to, and how it shows that it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from harness.errors import UsageError

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where traces are read and predictions are scored
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""In a folder that a process writes to, for as long as it does; one that a kill left behind locks nothing."""


def lock_file(path: Path) -> BinaryIO | None:
    """Open a file for this process alone, unbuffered and to append to; None where another process has it.

    On a system without such locks (Windows) no process is kept out.
    """
    file = path.open("ab", buffering=0)
    if fcntl is None:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder, which is made where it is not there and goes again if it stays empty.

    Raises UsageError where one has it. A lock ends with its process, however that ends.
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


def hold(path: Path) -> int:
    """Return a file or folder opened and locked: which shows that a process works on it. OSError if another does."""
    place = os.open(path, os.O_RDONLY)
    try:
        if fcntl is None:
            raise OSError("this system has no locks of folders")
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(place)
        raise
    return place
