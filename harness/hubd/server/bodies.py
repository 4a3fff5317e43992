"""Request bodies on their way to a file, a step at a time.

A large body of known length goes from the socket straight into the buffer that is written: for its duration a
`DirectBody` stands where the HTTP parser otherwise does, which would copy each byte several times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Protocol

from starlette.requests import ClientDisconnect, Request

from ..storage.blobs import Buffer

if TYPE_CHECKING:
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

STEP = 2 << 20
REST_STEP = 64 << 10
LARGE = 256 << 10  # bytes from which a body is worth it
STATE = "direct_body"  # its name in the state of a request


class Connection(Protocol):
    """What a DirectBody needs of the protocol that parses a connection's requests."""

    transport: asyncio.Transport
    flow: FlowControl
    parsed: int  # bytes of the present body that the parser has seen

    def count(self, size: int) -> None:
        """Note that bytes of the present body came."""
        ...

    def body_follows(self) -> None:
        """Do not end the connection because it is idle."""
        ...

    def body_ended(self) -> None:
        """Go on with the next request: the body did not pass the parser."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        ...

    def pause_writing(self) -> None:
        """See asyncio."""
        ...

    def resume_writing(self) -> None:
        """See asyncio."""
        ...


class DirectBody(asyncio.BufferedProtocol):
    """The body of one request, `length` bytes: what the parser has of it, then what comes from the socket."""

    def __init__(self, connection: Connection, cycle: RequestResponseCycle, length: int) -> None:
        self._connection, self._cycle, self.length = connection, cycle, length
        self._left = -1  # bytes still to come, once this stands before the parser
        self._buffer = memoryview(b"")
        self._filled = 0
        self._full: asyncio.Future[None] | None = None

    async def fill(self, buffer: memoryview) -> int:
        """Receive until the buffer is full or the body ends, return the bytes; raises ClientDisconnect."""
        size = min(len(self._cycle.body), len(buffer))
        buffer[:size] = self._cycle.body[:size]
        del self._cycle.body[:size]
        if size == len(buffer) or not self._cycle.more_body:
            return size
        if self._cycle.disconnected or self._connection.transport.is_closing():
            raise ClientDisconnect
        if self._left < 0:
            self._take_over()
        self._buffer, self._filled = buffer, size
        self._full = asyncio.get_running_loop().create_future()
        self._connection.flow.resume_reading()
        await self._full
        return self._filled

    def release(self) -> None:
        """Receive no more into buffers: what is still to come is thrown away."""
        self._full, self._filled = None, 0
        self._buffer = memoryview(bytearray(REST_STEP) if self._left > 0 else b"")
        if self._left > 0:
            self._connection.flow.resume_reading()

    def _take_over(self) -> None:
        if self._cycle.waiting_for_100_continue:
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._cycle.waiting_for_100_continue = False
        self._left = self.length - self._connection.parsed
        self._connection.flow.pause_reading()  # a transport asks its protocol's kind when it starts reading
        self._connection.transport.set_protocol(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the signature of asyncio
        """Return where the next bytes of the body go; what follows the body stays in the socket."""
        return self._buffer[self._filled : self._filled + self._left]

    def buffer_updated(self, nbytes: int) -> None:
        """Count what was received."""
        self._left -= nbytes
        self._connection.count(nbytes)
        if self._full is None:
            self._connection.body_follows()
        else:
            self._filled += nbytes
        if self._left and self._filled < len(self._buffer):
            return
        self._connection.flow.pause_reading()
        if not self._left:
            self._connection.transport.set_protocol(self._connection)  # type: ignore[arg-type]
            self._connection.body_ended()
            self._connection.flow.resume_reading()
        if self._full is not None and not self._full.done():
            self._full.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let whoever waits know."""
        if self._full is not None and not self._full.done():
            self._full.set_exception(ClientDisconnect())
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._connection.resume_writing()


async def steps(request: Request, step: int = STEP) -> AsyncGenerator[list[Buffer]]:
    """Yield the body, about `step` bytes at a time, each good until the next is asked for; raises ClientDisconnect."""
    direct: DirectBody | None = request.scope.get("state", {}).get(STATE)
    if direct is None:
        pending: list[Buffer] = []
        size = 0
        async for data in request.stream():
            pending.append(data)
            size += len(data)
            if size >= step:
                yield pending
                pending, size = [], 0
        yield pending
        return
    buffer = memoryview(bytearray(min(step, direct.length)))
    try:
        while size := await direct.fill(buffer):
            yield [buffer[:size]]
    finally:
        direct.release()
