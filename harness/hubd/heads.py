"""The HTTP parser that uvicorn uses, with an end to how long the head of a request may grow."""

from __future__ import annotations

import asyncio

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nX-Error-Message: The head of the request is too large.\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


def bounded_protocol() -> type[asyncio.Protocol] | str:
    """Return uvicorn's quick protocol, which itself knows no limit, with one; h11, which has its own, without it."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return "h11"

    class Bounded(HttpToolsProtocol):
        """Ends a connection whose request does not come to the end of its head."""

        in_head = True
        head_size = 0

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
            self.in_head = False
            super().on_headers_complete()

    return Bounded
