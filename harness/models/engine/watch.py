"""Watches what a process group takes of the memory, and whether a server gets on with its work.

An engine cannot have limits of its own: what it maps says nothing about what it uses. Where there is no `/proc`,
nothing is watched.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.errors import EngineError

_EVERY = 0.25
_LOOK = 2.0
"""Seconds between looks for new processes of the group."""
_POLL = 15.0
_PATIENCE = 600.0
"""Seconds in which a server that has questions must at least make a token."""


class MemoryWatch:
    """Ends a process group that takes more than `limit` bytes (None: whatever it takes), and says so in `exceeded`."""

    def __init__(self, group: int, limit: int | None) -> None:
        self.exceeded = False
        self._group = group
        self.limit = limit
        self._done = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch for the time of the block."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _watch(self) -> None:
        members: list[Path] = []
        looked = -_LOOK
        while not self._done.wait(_EVERY):
            if time.monotonic() - looked >= _LOOK:
                members, looked = list(_members(self._group)), time.monotonic()
            if self.limit is not None and memory_of(members) > self.limit:
                self.exceeded = True
                with suppress(ProcessLookupError):
                    os.killpg(self._group, signal.SIGKILL)
                return


def _members(group: int) -> Iterator[Path]:
    """Yield the folders in /proc of a group's processes."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):  # ended meanwhile
            if int((place / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                yield place


def memory_of(members: list[Path]) -> int:
    """Return the bytes that processes use: not files that they have mapped, and what they share once."""
    own, shared = 0, 0
    for place in members:
        with suppress(OSError):
            for line in (place / "status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    own += int(line.split()[1]) << 10
                elif line.startswith("RssShmem:"):
                    shared = max(shared, int(line.split()[1]) << 10)
    return own + shared


async def while_progressing(work: Coroutine[Any, Any, None], progress: Callable[[], object]) -> None:
    """Await `work`; EngineError where `progress` returns the same for ten minutes."""
    task = asyncio.ensure_future(work)
    last, since = progress(), time.monotonic()
    try:
        while not (await asyncio.wait({task}, timeout=_POLL))[0]:
            now = await asyncio.to_thread(progress)
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > _PATIENCE:
                raise EngineError(
                    f"the inference engine has made no token for {_PATIENCE / 60:.0f} minutes; see its log, and ask "
                    "again with --resume"
                )
        await task
    finally:
        task.cancel()
