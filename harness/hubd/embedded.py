"""A Hub for the duration of a block: a child process that speaks real HTTP."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .accounts.users_file import load_users
from .errors import HubStartError

STOP_SECONDS = 10
READY = "Hub ready: "


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedHub:
    """A running Hub: its endpoint, a token that may write, its folder."""

    url: str
    token: str
    root: Path


@contextmanager
def running(root: Path, *, users: Path | None = None, port: int = 0) -> Iterator[EmbeddedHub]:
    """Start a Hub on `root` and a loopback port; stop it at the end of the block, or when this process dies.

    Port 0 takes a free one. Without `users` it has one user, `local`. Raises HubStartError if it does not start, with
    what it said.
    """
    command = [sys.executable, "-m", str(__package__), "--root", str(root), "--port", str(port), "--stop-with-stdin"]
    command += ["--users", str(users)] if users else []
    with tempfile.TemporaryFile() as said:
        # A session of its own: Ctrl-C reaches the caller, who may still need the Hub to clean up.
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
        try:
            yield EmbeddedHub(url=_ready(child, said), token=_token(root, users), root=root)
        finally:
            _stop(child)


def _ready(child: subprocess.Popen[bytes], said: object) -> str:
    line = child.stdout.readline().decode() if child.stdout else ""
    if line.startswith(READY):
        return line.removeprefix(READY).strip()
    child.wait(STOP_SECONDS)
    said.seek(0)  # type: ignore[attr-defined]
    message = said.read().decode(errors="replace").strip()  # type: ignore[attr-defined]
    raise HubStartError(message.splitlines()[-1].removeprefix("error: ") if message else "The Hub did not start.")


def _token(root: Path, users: Path | None) -> str:
    if users is not None:
        token = load_users(users).first_write_token()
        if token is None:
            raise HubStartError(f"{users}: no user has a token with the role write.")
        return token
    try:
        return (root / "token").read_text().strip()
    except FileNotFoundError as error:
        raise HubStartError(f"{root} was used with a users file before; start it with that file again.") from error


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Close its stdin, which stops it; after STOP_SECONDS kill it."""
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
