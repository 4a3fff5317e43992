"""A child process for everything that a model's repository decides: its files are read, loaded and rendered there.

A chat template, a tokenizer or a configuration of others can take any memory and any time. In the child that costs a
limit, which ends the call with one sentence; see `guarded.py` for its side.
"""

from __future__ import annotations

import asyncio
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
from collections.abc import Callable, Sequence
from typing import IO, Any, Self

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
_BYE = 2.0
"""Seconds in which a process ends that has closed its pipes."""
_BUSY = 0.01
"""Seconds after which an event loop looks again whether a call of another thread is over."""
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
            job, call = self._begin(function, arguments, seconds, memory, file)
            try:
                return self._answer(self._exchange(job, call))
            except _Limit as met:
                self.close()
                raise ModelError(f"{call.doing} of {self._name} {met}") from None

    async def call_async(self, function: Callable[..., Any], /, *arguments: Any, seconds: float = 0.0) -> Any:
        """Do the same on an event loop, which goes on meanwhile; a call that is cancelled ends the child."""
        while not self._lock.acquire(blocking=False):
            await asyncio.sleep(_BUSY)
        try:
            job, call = self._begin(function, arguments, seconds, 0, 0)
            return self._answer(await self._exchange_async(job, call))
        except _Limit as met:
            self.close()
            raise ModelError(f"{call.doing} of {self._name} {met}") from None
        except asyncio.CancelledError:  # its answer would be taken for that of the next call
            self.close()
            raise
        finally:
            self._lock.release()

    def _begin(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float, memory: int, file: int
    ) -> tuple[bytes, _Call]:
        """Return what is sent to the child, which is started where it is not there, and its account."""
        self.start()
        allowed, most = self._seconds + seconds, int(self._memory * _GIB) + memory
        job = pickle.dumps((function, arguments, CallLimits(memory=most, seconds=allowed, file=file)))
        return struct.pack("<Q", len(job)) + job, _Call(allowed)

    def _exchange(self, job: bytes, call: _Call) -> dict[str, Any]:
        process, into, out = self._pipes()
        try:
            into.write(job)
            into.flush()
        except BrokenPipeError:
            raise _Limit(self._ended(process)) from None
        lines = _Lines(out.fileno())
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while not lines.ended:
                if not selector.select(max(0.0, call.deadline - time.monotonic())):
                    raise _Limit(self._too_slow(call.allowed))
                if (answer := call.answer(lines.read())) is not None:
                    return answer
        raise _Limit(self._ended(process, call.allowed))

    async def _exchange_async(self, job: bytes, call: _Call) -> dict[str, Any]:
        process, into, out = self._pipes()
        loop = asyncio.get_running_loop()
        lines = _Lines(out.fileno())
        try:
            async with asyncio.timeout(_START) as deadline:
                await _write(loop, into.fileno(), job)
                while not lines.ended:
                    await _ready(loop.add_reader, loop.remove_reader, out.fileno())
                    before = call.deadline
                    if (answer := call.answer(lines.read())) is not None:
                        return answer
                    if call.deadline != before:
                        deadline.reschedule(loop.time() + call.deadline - time.monotonic())
        except TimeoutError:
            raise _Limit(self._too_slow(call.allowed)) from None
        except BrokenPipeError:
            pass
        raise _Limit(self._ended(process, call.allowed))

    def _pipes(self) -> tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ValueError("the child was not started")
        return process, process.stdin, process.stdout

    def _ended(self, process: subprocess.Popen[bytes], allowed: float = 0.0) -> str:
        try:
            status = process.wait(_BYE)
        except subprocess.TimeoutExpired:  # it has closed its pipes only
            process.kill()
            status = 0
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
            raise _Limit(self._too_large())
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
    """That the child met a limit, in words."""


class _Call:
    """What is known of a call that the child answers."""

    def __init__(self, allowed: float) -> None:
        """`allowed` are seconds of the processor."""
        self.allowed = allowed
        self.deadline = time.monotonic() + _START
        self.doing = "the repository"

    def answer(self, lines: Sequence[bytes]) -> dict[str, Any] | None:
        """Take lines of the child, and return its answer where it is among them; raises _Limit for one too long."""
        for line in lines:
            if len(line) > _REPLY:
                raise _Limit(f"leads to more than {_REPLY:,} bytes; use another model")
            message: dict[str, Any] = json.loads(line)
            if "doing" not in message:
                return message
            self.doing = message["doing"]
            if message.get("limited"):
                self.deadline = time.monotonic() + _WAIT * self.allowed
        return None


class _Lines:
    """The lines that come from a pipe, and a longer one than `_REPLY` before its end."""

    def __init__(self, descriptor: int) -> None:
        self.ended = False
        self._descriptor = descriptor
        self._buffer = bytearray()

    def read(self) -> list[bytes]:
        """Return the lines that are whole now; waits where the pipe has nothing."""
        read = os.read(self._descriptor, 1 << 20)
        self.ended = not read
        *whole, rest = read.split(b"\n")
        if whole:
            whole[0] = bytes(self._buffer) + whole[0]
            self._buffer.clear()
        self._buffer += rest
        return [*whole, bytes(self._buffer)] if len(self._buffer) > _REPLY else whole


async def _write(loop: asyncio.AbstractEventLoop, descriptor: int, data: bytes) -> None:
    """Write to a pipe whose reader may be slow."""
    rest = memoryview(data)
    os.set_blocking(descriptor, False)
    try:
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                await _ready(loop.add_writer, loop.remove_writer, descriptor)
    finally:
        os.set_blocking(descriptor, True)


async def _ready(watch: Callable[..., Any], leave: Callable[[int], Any], descriptor: int) -> None:
    """Wait until a pipe can be read from, or written to."""
    ready = asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        leave(descriptor)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was still to be written
                stream.close()
    process.wait()
