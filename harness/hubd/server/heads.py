"""The HTTP parser that uvicorn uses, with an end to how long the head of a request may grow, and a way past it.

A large body need not pass the parser: see `bodies`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .bodies import LARGE, STATE, DirectBody

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nX-Error-Message: The head of the request is too large.\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


def bounded_protocol() -> type[asyncio.Protocol] | str:
    """Return uvicorn's quick protocol, which itself knows no limit, with one; h11, which has its own, without it."""
    try:
        from httptools import HttpRequestParser
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return "h11"

    class Bounded(HttpToolsProtocol):
        """Ends a connection whose request does not come to the end of its head."""

        in_head = True
        head_size = 0
        parsed = 0

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.head_size += len(data)
            if self.in_head and self.head_size > HEAD_LIMIT and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

        def on_message_begin(self) -> None:
            self.in_head, self.head_size = True, 0
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self.in_head, self.parsed = False, 0
            super().on_headers_complete()
            length = _length(self.headers)
            if length >= LARGE:
                self.scope["state"][STATE] = DirectBody(self, self.cycle, length)

        def on_body(self, body: bytes) -> None:
            self.parsed += len(body)
            super().on_body(body)

        def body_follows(self) -> None:
            self._unset_keepalive_if_required()

        def body_ended(self) -> None:
            # The parser still waits for the body; a fresh one, with uvicorn's settings, expects a request.
            self.parser = HttpRequestParser(self)
            with suppress(AttributeError):  # httptools before 0.6.3
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.on_message_complete()

    return Bounded


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    """Return the Content-Length, which the parser has checked; 0 without one, or if the body comes in chunks."""
    named = dict(headers)
    return 0 if b"transfer-encoding" in named else int(named.get(b"content-length", b"0"))
