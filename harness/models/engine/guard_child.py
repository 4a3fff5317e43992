"""The child of `guard.py`: calls functions that come on stdin, under limits that it sets itself; answers in JSON lines.

Memory and processor time are limited from the call on: what the libraries themselves take does not count. Systems
without such limits (`resource`) have the deadline of the parent alone.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import json
import os
import pickle
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

HIDE, SHOW = "hide-torch", "show-torch"
"""The first argument."""
LARGEST_FILE = 512 << 20
"""Bytes of a file that may be written where a call allows no larger one."""
_SHOWN = 300
"""Characters of an error of others that are shown."""
_ORPHAN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What a call may take."""

    memory: int
    """Bytes in addition to what the libraries take."""
    seconds: float
    """Of the processor."""
    file: int
    """Bytes of a file that it writes, where that is more than `LARGEST_FILE`."""


class _State:
    """State of the child: where answers go, and what is being read."""

    out: BinaryIO | None = None
    at = "the repository"


def doing(what: str) -> None:
    """Say what is being read now, for the sentence about a limit; outside the child this does nothing."""
    if what != _State.at:
        _State.at = what
        _send({"doing": what})


def shown(error: BaseException) -> str:
    """Return the text of a foreign error as one line of bounded length."""
    text = " ".join(str(error)[: 4 * _SHOWN].split()) or type(error).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _import(modules: Sequence[str]) -> None:
    """Import modules; what is wrong with one is reported where it is needed."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


class _Hiding(importlib.abc.MetaPathFinder):
    """Finds modules as another finder does, but no PyTorch: tokenizers do without, and start in a third of the time."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """See `importlib.abc.MetaPathFinder`."""
        return None if name.partition(".")[0] == "torch" else self._finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def main() -> None:
    """Import the modules that are named as arguments, then call what comes on stdin until that ends."""
    _State.out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    hide, *modules = sys.argv[1:]
    if hide == HIDE:
        sys.meta_path[:] = [_Hiding(finder) for finder in sys.meta_path]
    _import(modules)
    while len(head := sys.stdin.buffer.read(8)) == 8:
        job = sys.stdin.buffer.read(struct.unpack("<Q", head)[0])
        _write(_called(*pickle.loads(job)))  # noqa: S301 -- only the parent writes to this pipe


def _called(function: Callable[..., Any], arguments: tuple[Any, ...], limits: CallLimits) -> str:
    try:
        _limit(limits)
        _send({"doing": _State.at, "limited": True})
        return json.dumps({"result": function(*arguments)})
    except MemoryError:
        return json.dumps({"error": "MemoryError", "text": "", "at": _State.at})
    except Exception as error:  # untrusted files can raise anything
        return json.dumps({"error": type(error).__name__, "text": _text(error), "at": _State.at})
    finally:
        _limit(None)


def _text(error: Exception) -> str:
    from harness.errors import HarnessError

    return str(error) if isinstance(error, HarnessError) else shown(error)


def _send(message: dict[str, Any]) -> None:
    _write(json.dumps(message))


def _write(line: str) -> None:
    if _State.out is not None:
        _State.out.write(line.encode() + b"\n")
        _State.out.flush()


def _limit(limits: CallLimits | None) -> None:
    """Limit memory, processor time and files from now on; None lifts the first two."""
    try:
        import resource
    except ImportError:
        return
    free = resource.RLIM_INFINITY
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    wanted = {
        resource.RLIMIT_AS: _mapped() + limits.memory if limits else free,
        resource.RLIMIT_CPU: spent + max(1, int(limits.seconds)) if limits else free,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: max(LARGEST_FILE, limits.file if limits else 0),
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        soft = value if free in (hard, value) else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of the address space
            resource.setrlimit(kind, (hard if soft == free else soft, hard))


def _mapped() -> int:
    """Return the bytes of address space that are in use."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 1 << 30


def _end_with_parent(parent: int) -> None:
    """End this process once its parent has ended."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN)
    os._exit(1)
