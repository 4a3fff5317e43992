"""The HTTP parser that uvicorn uses, with bounds for size and time of what clients send, and a way past it.

A large body need not pass the parser: see `bodies`. What is too slow is ended: see `pace`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from httptools import HttpRequestParser
from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .bodies import LARGE, STATE, DirectBody
from .connections import Connections
from .pace import CLOSE_SECONDS, Pace, Phase

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
SMALL_REST = 64 << 10  # bytes of a body that are read, although it was refused, to go on with the connection
CONNECTION = "connection"  # its name in the state of a request


def _end(status: str, message: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nX-Error-Message: {message}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    return head.encode()


_TOO_LARGE = _end("431 Request Header Fields Too Large", "The head of the request is too large.")
_TOO_SLOW = _end("408 Request Timeout", "The request came too slowly; send it again over a better line.")


def bounded_protocol(connections: Connections) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, which itself knows no bounds, with them; its connections enter `connections`."""

    class Connected(Bounded):
        all_connections = connections

    return Connected


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
            self.scope["state"][STATE] = DirectBody(self, self.cycle, self.length)

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
