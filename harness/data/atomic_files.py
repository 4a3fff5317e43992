"""Files and folders that appear whole or not at all; what killed processes leave behind is restored or deleted."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from harness.data.locks import hold

_MARK = ".tft-"
"""In the names of what lies beside its place: `.made.tft-0f3a9c21`. Its maker has a lock on it, a leftover has none."""
_OLD, _EMPTIED, _DONE = "old-", "emptied-", "done-"
"""What was in the place before: as it was, its files alone (the place itself had to stay), and no longer wanted."""
_NEW = ".tft-new"
"""Among the files of a place that was emptied: the names of those that take their place."""


@contextmanager
def scratch_folder(place: Path) -> Iterator[Path]:
    """Yield a new folder on the disk of `place`, to be moved there; what is left of it afterwards is deleted.

    So is what processes that were killed have left there.
    """
    settle(place)
    folder, lock = _aside(place), None
    try:
        while not folder.exists():  # one that is not held yet may be taken for a leftover
            folder.mkdir()
            _release(lock)
            lock = _hold_if_possible(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _release(lock)


@contextmanager
def atomic_file(place: Path) -> Iterator[TextIO]:
    """Yield a text stream whose file takes its `place` when it is whole; otherwise nothing is left of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    settle(place)
    made, lock = _aside(place), None
    try:
        with made.open("x", encoding="utf-8", newline="\n") as stream:
            lock = _hold_if_possible(made)
            yield stream
        made.replace(place)
    except BaseException as error:
        made.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(place)  # a full disk does not say of which file
        raise
    finally:
        _release(lock)


def settle(place: Path) -> None:
    """Delete what killed processes were making for `place`; what one had moved aside there comes back.

    What a living process holds stays, and so does everything whose name the harness did not give.
    """
    for left in sorted(place.parent.glob(f".{glob.escape(place.name)}{_MARK}*")):
        with suppress(OSError):
            lock = hold(left)
            try:
                _settle_one(left, place)
            finally:
                os.close(lock)


def _settle_one(left: Path, place: Path) -> None:
    kind = left.name.removeprefix(f".{place.name}{_MARK}")
    if left.is_file():
        left.unlink()
    elif kind.startswith(_OLD) and not place.exists():
        left.rename(place)
    elif kind.startswith(_EMPTIED) and place.is_dir():
        _fill_again(left, place)
    else:
        shutil.rmtree(left)


def replace_folder(folder: Path, place: Path) -> None:
    """Put `folder` in place of another, whose files go aside, come back where that fails, and are deleted last.

    After a kill in between the old result or the new one is there, or `settle` brings the old one back.
    """
    if place == Path.cwd() or place.is_mount():  # the folder itself has to stay: a process may be in it
        _replace_files(folder, place)
        return
    if not place.exists():
        folder.rename(place)
        return
    old = _aside(place, _OLD)
    lock = _hold_if_possible(place)
    try:
        place.rename(old)
        try:
            folder.rename(place)
        except BaseException:
            old.rename(place)
            raise
        shutil.rmtree(old)
    finally:
        _release(lock)


def _replace_files(folder: Path, place: Path) -> None:
    emptied = _aside(place, _EMPTIED)
    emptied.mkdir()
    lock = _hold_if_possible(emptied)
    try:
        for path in list(place.iterdir()):
            shutil.move(path, emptied / path.name)
        (emptied / _NEW).write_text("\0".join(path.name for path in folder.iterdir()), encoding="utf-8")
        for path in list(folder.iterdir()):
            shutil.move(path, place / path.name)
        done = emptied.rename(_aside(place, _DONE))
        shutil.rmtree(done)
    except BaseException:
        if emptied.exists():
            _fill_again(emptied, place)
        raise
    finally:
        _release(lock)


def _fill_again(emptied: Path, place: Path) -> None:
    """Put the files back that a place had before, in place of those that had come already."""
    names = (emptied / _NEW).read_text(encoding="utf-8").split("\0") if (emptied / _NEW).is_file() else []
    for name in filter(None, names):
        _delete(place / name)
    (emptied / _NEW).unlink(missing_ok=True)
    for path in list(emptied.iterdir()):
        shutil.move(path, place / path.name)
    emptied.rmdir()


def _aside(place: Path, kind: str = "") -> Path:
    return place.with_name(f".{place.name}{_MARK}{kind}{secrets.token_hex(4)}")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _hold_if_possible(path: Path) -> int | None:
    """Return the lock; None on a file system without locks, where leftovers are not deleted either."""
    try:
        return hold(path)
    except OSError:
        return None


def _release(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
