"""A child process for everything that a model's repository decides: its files are read, loaded and rendered there.

A chat template, a tokenizer or a configuration of others can take any memory and any time. In the child that costs a
limit, which ends the call with one sentence; see `guarded.py` for its side.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from harness import errors
from harness.errors import HarnessError, ModelError
from harness.models.engine.environment import limit, without_secrets
from harness.models.engine.guard_child import HIDE, SHOW, CallLimits

MEMORY, SECONDS = "TFT_MODEL_MEMORY", "TFT_MODEL_SECONDS"
"""Variables of the environment: GiB and seconds of the processor that the files of one model may take."""
_GIB = 1 << 30
_MEMORY = 2.0
_SECONDS = 10.0
_WAIT = 5.0
"""Wall time allowed for each second of the processor: the machine may be busy."""
_START = 300.0
_REPLY = 1 << 30
"""Most bytes of an answer."""
_MAIN = "from harness.models.engine.guard_child import main; main()"
_OUT_OF_MEMORY, _OUT_OF_TIME = (-6, -9), -24
"""Statuses after SIGABRT (of an allocator that gets nothing), SIGKILL and SIGXCPU, which not all systems have."""


class Guard:
    """Calls functions in a child with limits, which starts with the first call and lives until `close`."""

    def __init__(self, name: str) -> None:
        """`name` is the model's, for messages."""
        self._name = name
        self._memory = limit(MEMORY, _MEMORY)
        self._seconds = limit(SECONDS, _SECONDS)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, *modules: str, torch: bool = False) -> None:
        """Start the child, which imports these modules at once: nothing waits for it. It has PyTorch only if wanted."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, SHOW if torch else HIDE, *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=without_secrets(),
                start_new_session=True,  # Ctrl-C reaches the harness alone
            )
            weakref.finalize(self, _end, self._process)

    def call(
        self, function: Callable[..., Any], /, *arguments: Any, seconds: float = 0.0, memory: int = 0, file: int = 0
    ) -> Any:
        """Return what a function of a module returns there, as JSON has it.

        `seconds` and bytes of `memory` are allowed in addition, and a `file` of so many bytes may be written.

        Raises what the function raises of the harness's own errors, and ModelError where it fails otherwise or meets
        a limit.
        """
        with self._lock:
            self.start()
            allowed, most = self._seconds + seconds, int(self._memory * _GIB) + memory
            job = pickle.dumps((function, arguments, CallLimits(memory=most, seconds=allowed, file=file)))
            try:
                return self._answer(self._exchange(job, allowed))
            except _Limit as met:
                self.close()
                raise ModelError(f"{met.doing} of {self._name} {met}") from None

    def _exchange(self, job: bytes, allowed: float) -> dict[str, Any]:
        process, doing = self._process, "the repository"
        if process is None or process.stdin is None or process.stdout is None:
            raise ValueError("the child was not started")
        try:
            process.stdin.write(struct.pack("<Q", len(job)) + job)
            process.stdin.flush()
        except BrokenPipeError:
            raise _Limit(doing, self._ended(process)) from None
        deadline = [time.monotonic() + _START]
        for line in _lines(process.stdout.fileno(), deadline):
            if line is None:
                raise _Limit(doing, self._too_slow(allowed))
            if len(line) > _REPLY:
                raise _Limit(doing, f"leads to more than {_REPLY:,} bytes; use another model")
            message: dict[str, Any] = json.loads(line)
            if "doing" not in message:
                return message
            doing = message["doing"]
            if message.get("limited"):
                deadline[0] = time.monotonic() + _WAIT * allowed
        raise _Limit(doing, self._ended(process, allowed))

    def _ended(self, process: subprocess.Popen[bytes], allowed: float = 0.0) -> str:
        status = process.wait()
        if status == _OUT_OF_TIME:
            return self._too_slow(allowed)
        if status in _OUT_OF_MEMORY:
            return self._too_large()
        return f"ended the process that read it (status {status}); use another model, or correct its repository"

    def _too_slow(self, allowed: float) -> str:
        return (
            f"took more than {allowed:g} seconds; use another model, or allow more with {SECONDS} "
            f"(now {self._seconds:g}) where you trust this one"
        )

    def _too_large(self) -> str:
        return (
            f"took more than {self._memory:g} GiB of memory; use another model, or allow more with {MEMORY} where you "
            "trust this one"
        )

    def _answer(self, message: dict[str, Any]) -> Any:
        if "result" in message:
            return message["result"]
        kind, doing, text = message["error"], message.get("at", "the repository"), message["text"]
        if kind == "MemoryError":
            raise _Limit(doing, self._too_large())
        known = getattr(errors, kind, None)
        if isinstance(known, type) and issubclass(known, HarnessError):
            raise known(text)
        raise ModelError(f"{doing} of {self._name} cannot be used ({kind}: {text}); correct its repository")

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)


class _Limit(Exception):
    """What was being done when the child met a limit; the text says which."""

    def __init__(self, doing: str, text: str) -> None:
        super().__init__(text)
        self.doing = doing


def _lines(descriptor: int, deadline: Sequence[float]) -> Iterator[bytes | bytearray | None]:
    """Yield the lines that come, None once it is the deadline, and a longer one than `_REPLY` before its end.

    The deadline may move. Ends with the pipe.
    """
    buffer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline[0] - time.monotonic())):
            read = os.read(descriptor, 1 << 20)
            *whole, rest = read.split(b"\n")
            for line in whole:
                yield bytes(buffer) + line
                buffer.clear()
            buffer += rest
            if not read:
                return
            if len(buffer) > _REPLY:
                yield buffer
    yield None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was still to be written
                stream.close()
    process.wait()
