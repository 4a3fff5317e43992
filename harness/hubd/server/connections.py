"""All connections of a server: how many there may be, which one makes room for the next, and who was too slow.

Time counts only while the next step is the client's. So a slow disk, a long queue or a busy machine ends no upload,
and how long a client may take does not depend on others.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from typing import Protocol

RESERVE = 128  # descriptors that are no connections: the database, repositories, files
MOST = 1024  # each may hold a head, or a small body, in memory
UNREAD = 128 << 20  # bytes of answers that wait in memory for their clients
SMALL_ANSWER = 64 << 10  # bytes; a smaller answer is not counted there
TICK = 1.0  # seconds between two looks at all connections
HEAD_SECONDS = 10.0
GRACE_SECONDS = 30.0  # of a body, before its rate counts
LEAST_RATE = 4 << 10  # bytes per second of a body after that, on average: eight uploads share a line of 256 kbit/s
SILENT_SECONDS = 60.0  # between two pieces of a body
UNREAD_SECONDS = 120.0  # while a client takes nothing of its answer
SLOW_SECONDS = 5.0  # in which answers waited to be taken; then a connection may have to make room
REST_SECONDS, REST_BYTES = 5.0, 1 << 20  # of a body that is not wanted any more
CLOSE_SECONDS = 10.0


class Phase(IntEnum):
    """What a connection is waiting for; the smaller ones are the first to go where there are too many connections."""

    REST = 0  # the end of a refused body
    HEAD = 1
    IDLE = 2  # the next request, of which nothing is here
    BODY = 3
    ANSWER = 4  # the server


@dataclass(slots=True)
class Pace:
    """One connection's phase, the seconds spent in it at the client's pace, and the bytes that came."""

    phase: Phase = Phase.HEAD
    waited: float = 0.0
    silent: float = 0.0
    received: int = 0
    unsent: int = 0

    def begin(self, phase: Phase) -> None:
        """Enter a phase."""
        self.phase, self.waited, self.silent, self.received, self.unsent = phase, 0.0, 0.0, 0, 0

    def count(self, size: int) -> None:
        """Note that bytes of a body came."""
        self.received += size
        self.silent = 0.0

    def wait(self, seconds: float) -> bool:
        """Count time that the client let pass; return whether it was too much."""
        self.waited += seconds
        self.silent += seconds
        if self.phase is Phase.HEAD:
            return self.waited > HEAD_SECONDS
        if self.phase is Phase.BODY:
            due = (self.waited - GRACE_SECONDS) * LEAST_RATE
            return self.silent > SILENT_SECONDS or self.received < due
        return self.phase is Phase.REST and (self.waited > REST_SECONDS or self.received > REST_BYTES)

    def unread(self, seconds: float, unsent: int) -> bool:
        """Count time in which an answer (`unsent` bytes of it wait) was not taken; return whether it was too much."""
        self.silent = self.silent + seconds if unsent and unsent == self.unsent else 0.0
        self.waited += seconds if unsent else 0.0
        self.unsent = unsent
        return self.silent > UNREAD_SECONDS

    @property
    def on_client(self) -> bool:
        """Return whether it is the client that does not go on, reading its answer or sending."""
        return self.phase is not Phase.ANSWER or self.waited > SLOW_SECONDS

    @property
    def speed(self) -> float:
        """Return the bytes per second of a body so far."""
        return self.received / (self.waited + TICK)


class Watched(Protocol):
    """A connection, as far as it is watched."""

    pace: Pace
    address: str
    transport: asyncio.Transport
    in_memory: bool  # its present answer is a large one, and not read from a file bit by bit

    def tick(self, seconds: float) -> None:
        """Count time that has passed."""
        ...


def descriptors() -> int:
    """Raise this process's limit of open files to what it may have, and return it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 16 if hard == resource.RLIM_INFINITY else min(hard, 1 << 16)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


class Connections:
    """The open connections. `most` follows from the descriptors: each may need a second one for the file it moves.

    One address other than this machine's own may have half of them: behind the latter there may be a proxy, and behind
    the proxy everybody.
    """

    def __init__(self, files: int) -> None:
        self.most = max(32, min(MOST, (files - RESERVE) // 2))
        self._open: set[Watched] = set()
        self._addresses: Counter[str] = Counter()

    def enter(self, connection: Watched) -> None:
        """Take a connection in; where there are too many, some that wait for their clients are ended."""
        self._open.add(connection)
        self._addresses[connection.address] += 1
        if len(self._open) > self.most:
            self._make_room(self._addresses.most_common(1)[0][0], connection)
        elif self._addresses[connection.address] > self.most // 2 and not _is_own(connection.address):
            self._make_room(connection.address, connection)

    def fit(self, newest: Watched, size: int) -> None:
        """Make room in memory for an answer, by ending connections of the address with the most unread bytes."""
        newest.in_memory = size > SMALL_ANSWER
        if not newest.in_memory:
            return
        unread = {one: one.transport.get_write_buffer_size() for one in self._open if one.in_memory}
        while unread and sum(unread.values()) + size > UNREAD:
            held: Counter[str] = Counter()
            for one, waiting in unread.items():
                held[one.address] += waiting
            address = held.most_common(1)[0][0]
            found = [one for one, waiting in unread.items() if waiting and one.address == address and one is not newest]
            if not found:
                return
            worst = max(found, key=lambda one: (one.pace.silent, unread[one]))
            worst.transport.abort()
            self.leave(worst)
            del unread[worst]

    def leave(self, connection: Watched) -> None:
        """Forget a connection that is closed."""
        if connection in self._open:
            self._open.discard(connection)
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]

    def _make_room(self, address: str, newest: Watched) -> None:
        """End some of the connections of an address: those that are least in use, the slowest and oldest first."""
        waiting = [one for one in self._open if one.address == address and one is not newest and one.pace.on_client]
        waiting.sort(key=lambda one: (one.pace.phase, one.pace.speed, -one.pace.waited))
        for one in waiting[: 1 + self.most // 32] or [newest]:
            one.transport.abort()
            self.leave(one)

    async def watch(self) -> None:
        """Tell every connection once per TICK how much time has passed, until cancelled."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            # After a hold-up of this process more time has passed than clients could use.
            passed, before = min(now - before, 2 * TICK), now
            for connection in list(self._open):
                connection.tick(passed)


def _is_own(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # no address: a socket of another kind
        return True
