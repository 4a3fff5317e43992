"""The folder of a Hub: its layout, the lock that keeps a second server out, and its secret key."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import HubStartError

KEY_BYTES = 32
INCOMING = "incoming-"  # how the names of folders begin that hold new objects of a repository
FOLDERS = ("repos", "files", "xorbs", "tmp", "trash")


def default_root() -> Path:
    """Return `$XDG_CACHE_HOME/tft/hub`, by default `~/.cache/tft/hub`."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "tft" / "hub"


def _fsync(path: Path, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    """Make renames and new names inside `folder` survive a power cut."""
    _fsync(folder, os.O_DIRECTORY)


def fsync_tree(folder: Path) -> None:
    """Make everything inside `folder` survive a power cut."""
    for level, _, names in os.walk(folder):
        for name in names:
            _fsync(Path(level) / name)
        fsync_folder(Path(level))


def write_whole(path: Path, content: bytes, *, draft: Path, mode: int) -> None:
    """Write a file, in `draft` first: durable and whole under its name, or not at all. Its folder is not yet synced."""
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_private(path: Path, content: bytes) -> None:
    """Write `content` to `path`, atomically and durably, readable by the owner only."""
    write_whole(path, content, draft=path.with_name(f".{path.name}.{secrets.token_hex(4)}"), mode=0o600)
    fsync_folder(path.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """An opened root folder, locked unless it is only read (`lock` None, no key).

    `repos/<id>.git` are bare git repositories, `files/ab/cd/<sha256>` large files, `xorbs/` Xet uploads not yet
    unpacked, `tmp/` uploads in progress, `trash/` deleted repositories until they are gone; `hub.db`, `key`, `token`.
    """

    path: Path
    key: bytes
    lock: int | None

    def folder(self, name: str) -> Path:
        """Return one of the folders in FOLDERS."""
        return self.path / name

    @property
    def database(self) -> Path:
        """Return the SQLite file."""
        return self.path / "hub.db"

    @property
    def token_file(self) -> Path:
        """Return the file with the first token (mode 0600); it exists only without a users file."""
        return self.path / "token"

    def draft(self) -> Path:
        """Return a fresh name in `tmp/`."""
        return self.folder("tmp") / secrets.token_hex(16)

    def close(self) -> None:
        """Release the lock, so that another server may start."""
        if self.lock is not None:
            os.close(self.lock)


def open_root(path: Path) -> Root:
    """Create the layout where it is missing, lock it, and clear what a crash left behind.

    Raises HubStartError if the folder cannot be written or another server uses it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True, mode=0o700)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HubStartError(f"{path}: {error.strerror}; choose another folder with --root.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise HubStartError(f"{path} is in use by another Hub; stop that one, or choose another --root.") from error
    try:
        for name in FOLDERS:
            (path / name).mkdir(exist_ok=True, mode=0o700)
        _close_to_others(path)
        fsync_folder(path)
        root = Root(path=path.resolve(), key=_key(path / "key"), lock=lock)
        _clear_leftovers(root)
    except OSError as error:
        os.close(lock)
        raise HubStartError(f"{path}: {error.strerror}; free it, or choose another folder with --root.") from error
    return root


def existing_root(path: Path, *, locked: bool) -> Root:
    """Return the root of a Hub that was used before, `locked` against a server or only to be read.

    Raises HubStartError if there is none, or if it is to be locked and a server uses it.
    """
    if not (path / "hub.db").is_file():
        raise HubStartError(f"{path} holds no Hub; give the folder that `hub serve` prints or was given, with --root.")
    return open_root(path) if locked else Root(path=path.resolve(), key=b"", lock=None)


def _close_to_others(path: Path) -> None:
    """Close the folder to all but its owner; where it was open before, say so."""
    mode = path.stat().st_mode
    if mode & 0o077 and not mode & stat.S_ISVTX:  # never a shared folder like /tmp
        _note(f"{path} could be read by others on this machine; it is closed to them now (mode 700).")
        path.chmod(0o700)
    for name in FOLDERS:
        (path / name).chmod(0o700)
    os.close(os.open(path / "hub.db", os.O_RDWR | os.O_CREAT, 0o600))
    (path / "hub.db").chmod(0o600)


def _key(path: Path) -> bytes:
    """Return the key, made again where there is none or it is damaged."""
    key = path.read_bytes() if path.exists() else None
    if key is not None and len(key) >= KEY_BYTES:
        return key
    if key is not None:
        _note(f"{path} has {len(key)} bytes instead of {KEY_BYTES}: a new key is made, links and sign-ins end.")
    write_private(path, secrets.token_bytes(KEY_BYTES))
    return path.read_bytes()


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)  # noqa: T201


def _clear_leftovers(root: Root) -> None:
    for folder in ("tmp", "trash"):
        for leftover in root.folder(folder).iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
    # We hold the root's lock, so no git lock below can belong to a living writer.
    for repository in root.folder("repos").iterdir():
        clear_git_leftovers(repository)


def clear_git_leftovers(repository: Path) -> None:
    """Remove locks and half-written objects and packs from a bare repository that has no other writer."""
    clear_ref_locks(repository)
    packs = repository / "objects" / "pack"
    leftovers = [*packs.glob("*.lock"), *repository.glob("objects/tmp_*"), *packs.glob("tmp*")]
    leftovers += [pack for pack in packs.glob("*.pack") if not pack.with_suffix(".idx").exists()]
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    for folder in repository.glob(f"{INCOMING}*"):
        shutil.rmtree(folder)


def clear_ref_locks(repository: Path) -> None:
    """Remove the locks of refs from a bare repository whose refs have no other writer."""
    for lock in (*repository.glob("*.lock"), *repository.glob("refs/**/*.lock")):
        lock.unlink(missing_ok=True)
