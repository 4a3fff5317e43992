"""Bodies under way: how many of one caller, how much memory they take together, and whether the disk has room."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Refused

BODIES = 64  # of one user at once, as many as the Xet client sends
FREE = 16 << 10  # bytes of a body that are not counted: there are never more connections than `connections` allows
CALLER_BYTES, ALL_BYTES = 48 << 20, 128 << 20  # of bodies in memory
BUFFERS = 64 << 20  # for all that go to a file
LARGEST_STEP, SMALLEST_STEP = 2 << 20, 128 << 10
RETRY_SECONDS = 2


@dataclass(slots=True)
class Traffic:
    """All bodies that are being received. A caller is a user, or the address of an anonymous client."""

    folder: Path
    memory: int = 0
    files: int = 0
    _bodies: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)  # bytes in memory
    coming: Counter[str] = field(default_factory=Counter)  # bytes that are announced for files and not here yet

    @contextmanager
    def body(self, caller: str, *, signed_in: bool) -> Iterator[Body]:
        """Count one body for the block; raises Refused (429) if the caller sends too many at once."""
        if signed_in and self._bodies[caller] >= BODIES:
            raise _busy(429, f"{BODIES} uploads of yours are under way")
        body = Body(traffic=self, caller=caller)
        self._bodies[caller] += 1
        try:
            yield body
        finally:
            self._bodies[caller] -= 1
            self.memory -= body.held
            self.kept[caller] -= body.held
            self.coming[caller] -= body.expected
            self.files -= body.in_file
            for counter in (self._bodies, self.kept, self.coming):
                if not counter[caller]:
                    del counter[caller]

    def step(self) -> int:
        """Return how large a buffer one body may have on its way to a file."""
        return min(max(BUFFERS // max(self.files, 1), SMALLEST_STEP), LARGEST_STEP)


@dataclass(slots=True)
class Body:
    """What one body has taken of the whole."""

    traffic: Traffic
    caller: str
    size: int = 0
    held: int = 0
    expected: int = 0
    in_file: bool = False

    def keep(self, size: int) -> None:
        """Count further bytes that stay in memory; raises Refused (503) if there are too many."""
        self.size += size
        traffic, more = self.traffic, max(self.size - FREE, 0) - self.held
        if more <= 0:
            return
        if traffic.kept[self.caller] + more > CALLER_BYTES or traffic.memory + more > ALL_BYTES:
            raise _busy(503, "it holds as many bodies of requests as its memory has room for")
        traffic.kept[self.caller] += more
        traffic.memory += more
        self.held += more

    def to_file(self, length: int) -> None:
        """Count the body as one that goes to a file, `length` bytes if that is known.

        Raises Refused (507) if the disk has no room for them. What others have announced takes no room: they need not
        mean it.
        """
        traffic = self.traffic
        if traffic.coming[self.caller] + length > shutil.disk_usage(traffic.folder).free:
            raise Refused(
                507, "The disk of this Hub is too full and has no room for this upload; free some space, try again."
            )
        traffic.coming[self.caller] += length
        self.expected, self.in_file = length, True
        traffic.files += 1

    def wrote(self, size: int) -> None:
        """Count bytes that are in the file now."""
        here = min(size, self.expected)
        self.expected -= here
        self.traffic.coming[self.caller] -= here


def _busy(status: int, why: str) -> Refused:
    return Refused(
        status,
        f"This Hub is busy: {why}. Try again in {RETRY_SECONDS} seconds.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
