"""The engine's process: how it starts, its memory, whether it makes progress, and that it ends with the harness.

An engine cannot have limits of its own: what it maps says nothing about what it uses. Where there is no `/proc`,
nothing is watched. The kernel's own signal for orphans (`PR_SET_PDEATHSIG`) comes once, and a process that ignores
SIGTERM at that moment, as vLLM does while it starts its engine, lives on for good. So a small process waits on a pipe,
which breaks when the harness is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import runpy
import signal
import subprocess
import sys
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
    """Ends a process group that takes more than `limit` bytes (None: no limit), and says so in `exceeded`."""

    def __init__(self, group: int, limit: int | None) -> None:
        self.exceeded = False
        self._group = group
        self.limit = limit
        self._done = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch within the block."""
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


_DONE = b"done"
GRACE = 5.0  # seconds an orphan has to end by itself; nothing reads its output any more

_WATCH = """
import os, signal, sys, time
group, grace, done = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
if sys.stdin.read() != done:
    try:
        os.killpg(group, signal.SIGTERM)
        end = time.monotonic() + grace
        while time.monotonic() < end:
            time.sleep(0.1)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@contextmanager
def kill_with_parent(group: int) -> Iterator[None]:
    """Within the block, the process group `group` is stopped if this process dies.

    After the block nothing is sent: the number may belong to others by then.
    """
    watch = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH, str(group), str(GRACE), _DONE.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what is sent to this process and its group must not reach it
    )
    try:
        yield
    finally:
        watch.communicate(_DONE)


SERVER = "vllm.entrypoints.openai.api_server"  # `vllm serve` does not start with the CPU build's package name
LOAD = b"load\n"


def main() -> None:
    """Import, wait, and run the server on the arguments of this process."""
    with contextlib.suppress(Exception):  # what is wrong is said, with its traceback, where the server is run
        importlib.import_module(SERVER)
    if sys.stdin.buffer.readline() != LOAD:
        return
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.modules.pop(SERVER, None)  # it is run as a program, and programs are not imported before
    runpy.run_module(SERVER, run_name="__main__", alter_sys=True)
