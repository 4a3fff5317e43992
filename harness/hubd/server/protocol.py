"""The HTTP protocol of uvicorn, with bounds on the size and time of what clients send, and a way past its parser.

A large body of known length goes from the socket straight into the buffer that is written: for its duration a
`DirectBody` stands where the HTTP parser otherwise does, which would copy each byte several times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from httptools import HttpRequestParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..storage.blobs import Buffer
from .connections import CLOSE_SECONDS, Connections, Pace, Phase

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
SMALL_REST = 64 << 10  # bytes of a body that are read, although it was refused, to go on with the connection
CONNECTION = "connection"  # its name in the state of a request
STEP = 2 << 20
REST_STEP = 64 << 10
LARGE = 256 << 10  # bytes from which a body is worth it
DIRECT_BODY = "direct_body"  # its name in the state of a request


class DirectBody(asyncio.BufferedProtocol):
    """The body of one request, `length` bytes: what the parser has of it, then what comes from the socket."""

    def __init__(self, connection: Bounded, cycle: RequestResponseCycle, length: int) -> None:
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
            self._connection.transport.set_protocol(self._connection)
            self._connection.body_ended()
            self._connection.flow.resume_reading()
        if self._full is not None and not self._full.done():
            self._full.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the waiting reader."""
        if self._full is not None and not self._full.done():
            self._full.set_exception(ClientDisconnect())
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on to the connection."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on to the connection."""
        self._connection.resume_writing()


async def steps(request: Request, step: int = STEP) -> AsyncGenerator[list[Buffer]]:
    """Yield the body, about `step` bytes at a time, each good until the next is asked for; raises ClientDisconnect."""
    direct: DirectBody | None = request.scope.get("state", {}).get(DIRECT_BODY)
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


def _end(status: str, message: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nX-Error-Message: {message}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    return head.encode()


_TOO_LARGE = _end("431 Request Header Fields Too Large", "The head of the request is too large.")
_TOO_SLOW = _end("408 Request Timeout", "The request came too slowly; send it again over a better line.")


def bounded_protocol(connections: Connections) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, which itself knows no bounds, with them; its connections enter `connections`."""

    return type("Connected", (Bounded,), {"all_connections": connections})


class Bounded(HttpToolsProtocol):
    """Ends a connection whose request takes too much or too long."""

    all_connections: Connections
    address = ""
    in_memory = False
    in_head = True
    head_size = 0
    parsed = 0
    length = 0  # bytes of the present body, -1 if it comes in chunks
    body_open = False  # the parser has not seen the end of the present request
    ending = False  # closed after the present answer, once the client had time to read it
    closing = 0.0  # seconds since it was closed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.pace = Pace()
        self.address = str(self.client[0]) if self.client else ""
        self.all_connections.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.all_connections.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.pace.phase is Phase.IDLE:
            self.pace.begin(Phase.HEAD)
        super().data_received(data)
        self.head_size += len(data)
        if self.in_head and self.head_size > HEAD_LIMIT and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self.in_head, self.head_size = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.in_head, self.parsed, self.body_open = False, 0, True
        self.pace.begin(Phase.BODY)
        super().on_headers_complete()
        self.length = _length(self.headers)
        self.scope["state"][CONNECTION] = self
        if self.length >= LARGE:
            self.scope["state"][DIRECT_BODY] = DirectBody(self, self.cycle, self.length)

    def on_body(self, body: bytes) -> None:
        self.count(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.body_open = False
        super().on_message_complete()
        if self.ending and self.cycle.response_complete:
            self.transport.close()
        self.pace.begin(Phase.IDLE if self.cycle.response_complete else Phase.ANSWER)

    def on_response_complete(self) -> None:
        queued = bool(self.pipeline)
        super().on_response_complete()
        if queued:
            self.pace.begin(Phase.BODY if self.body_open else Phase.ANSWER)
        elif self.body_open:
            self.pace.begin(Phase.REST)
            if self.ending and not self.transport.is_closing():
                self.transport.write_eof()
        else:
            self.pace.begin(Phase.HEAD if self.in_head and self.head_size else Phase.IDLE)

    def count(self, size: int) -> None:
        """Note that bytes of the present body came, by the parser or past it."""
        self.parsed += size
        self.pace.count(size)

    def body_follows(self) -> None:
        """Do not end the connection because it is idle."""
        self._unset_keepalive_if_required()

    def body_ended(self) -> None:
        """Go on with the next request: the body did not pass the parser."""
        # The parser still waits for the body; a fresh one, with uvicorn's settings, expects a request.
        self.parser = HttpRequestParser(self)
        with suppress(AttributeError):  # httptools before 0.6.3
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.on_message_complete()

    def tick(self, seconds: float) -> None:
        """End the connection where its client has let too much time pass."""
        transport = self.transport
        if transport.is_closing():
            self.closing += seconds  # what was sent last is waiting for the client to take it
            if self.closing > CLOSE_SECONDS:
                transport.abort()
        elif self.pace.phase is Phase.ANSWER:
            if self.pace.unread(seconds, transport.get_write_buffer_size()):
                transport.abort()
        elif not self._held_up() and self.pace.wait(seconds):
            if self.cycle is None or self.pace.phase is Phase.HEAD or not self.cycle.response_started:
                transport.write(_TOO_SLOW)
            transport.close()

    def _held_up(self) -> bool:
        """Return whether it is the server that does not read, or has not asked yet."""
        asked = self.cycle is None or self.pace.phase is not Phase.BODY or not self.cycle.waiting_for_100_continue
        return self.flow.read_paused or not asked

    def answering(self, send: Send, size: int) -> tuple[Send, dict[str, str]]:
        """Return how to send an answer now, of which `size` bytes lie in memory, and the headers that it needs.

        Where the body of the request is still under way, a short rest of it is read and thrown away. Otherwise the
        connection ends, but only after the client had time to read why.
        """
        self.all_connections.fit(self, size)
        cycle = self.cycle
        if not self.body_open or self.pipeline:
            return send, {}
        left = self.length - self.parsed
        if 0 <= left <= SMALL_REST and cycle.keep_alive and not cycle.waiting_for_100_continue and self.length >= 0:
            return send, {}

        async def then_linger(message: Message) -> None:
            if message["type"] == "http.response.body":
                cycle.keep_alive = True  # or uvicorn would close at once, and what is unread would undo the answer
                self.ending = self.body_open
            await send(message)

        return then_linger, {"Connection": "close"}


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    """Return the Content-Length, which the parser has checked, 0 without one; -1 if the body comes in chunks."""
    named: dict[bytes, Any] = dict(headers)
    return -1 if b"transfer-encoding" in named else int(named.get(b"content-length", b"0"))
