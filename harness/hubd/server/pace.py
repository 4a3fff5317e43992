"""How long a connection may make the Hub wait: for a head, a body, the rest of a refused body, and while it reads.

Time counts only while the next step is the client's. So a slow disk, a long queue or a busy machine ends nobody's
upload, and what a client may take depends on nothing that others do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

TICK = 1.0  # seconds between two looks at all connections
HEAD_SECONDS = 10.0
GRACE_SECONDS = 30.0  # of a body, before its rate counts
LEAST_RATE = 4 << 10  # bytes a second of a body after that, on average: eight uploads share a line of 256 kbit/s
SILENT_SECONDS = 60.0  # between two pieces of a body
UNREAD_SECONDS = 120.0  # while a client takes nothing of its answer
SLOW_SECONDS = 5.0  # in which answers waited to be taken; then a connection may have to make room
REST_SECONDS, REST_BYTES = 5.0, 1 << 20  # of a body that is not wanted any more
CLOSE_SECONDS = 10.0


class Phase(IntEnum):
    """What a connection is waiting for; the smaller ones are the first to go where there are too many connections."""

    REST = 0  # the end of a body that nobody wants
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
        """Return the bytes a second of a body so far."""
        return self.received / (self.waited + TICK)
