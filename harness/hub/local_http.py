"""The embedded Hub's HTTP server for other servers of the harness: the same bounds, and the same rules for requests."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Scope, Send

from harness.errors import UsageError
from harness.hubd.errors import HubStartError, Refused
from harness.hubd.server.app import HEADERS_LIMIT
from harness.hubd.server.origin import LOOPBACK, Hosts, check_site, checked_host
from harness.hubd.server.protocol import CONNECTION
from harness.hubd.server.serve import bounded_server
from harness.hubd.server.serve import listen as _listen
from harness.hubd.server.traffic import Traffic

__all__ = ["LOOPBACK", "Refused", "RequestRules", "listen", "paced", "serve_until_told"]

_OF_FORMS = ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded")
"""Kinds of bodies that every page of the web may send anywhere."""
_KEEP_ALIVE_SECONDS = 120
"""Agents ask again after their tools have run: a connection that ends just then fails a request."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, port 0 taking a free one; UsageError where there is none to be had."""
    try:
        return _listen(host, port)
    except HubStartError as error:
        raise UsageError(str(error).rstrip(".")) from error


def paced(scope: Scope, send: Send, size: int) -> tuple[Send, dict[str, str]]:
    """Return how to send an answer of which `size` bytes lie in memory, and the headers that it needs.

    What is left of the request's body is read, or the connection ends after its client had time to read why.
    """
    connection = scope.get("state", {}).get(CONNECTION)
    return connection.answering(send, size) if connection is not None else (send, {})


class RequestRules:
    """Under which names a server may be asked, by which pages, and how large its requests are."""

    def __init__(self, server: str, host: str, allowed: Sequence[str], *, body_limit: int) -> None:
        """`server` is what it is called in its answers; it listens on `host` and goes by the names `allowed` too."""
        self._server = server
        self._hosts = Hosts.of(host, allowed)
        self._limit = body_limit
        self._traffic = Traffic(Path(tempfile.gettempdir()))  # nothing of it goes to a file

    def check(self, request: Request) -> None:
        """Raise Refused for another name (421), a page of another site (403), too long a head (431) or query (414)."""
        headers = request.headers
        host = checked_host(headers, self._hosts, self._server)
        check_site(request.method, headers, host, self._hosts, "ask from a program, or from a page behind --allow-host")
        if sum(len(name) + len(value) for name, value in headers.raw) > HEADERS_LIMIT:
            raise Refused(431, f"The headers have more than {HEADERS_LIMIT >> 10} KiB; send fewer.")
        if len(request.scope.get("query_string", b"")) > HEADERS_LIMIT:
            raise Refused(414, f"The query is longer than {HEADERS_LIMIT >> 10} KiB; send it in the body.")

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """Receive a body of JSON, whose memory is counted within the block; Refused (413, 415, 503) where it is not.

        Raises ClientDisconnect where the client goes away.
        """
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media in _OF_FORMS:
            raise Refused(
                415, f"A body of the kind {media} is not taken; send JSON with Content-Type application/json."
            )
        length = request.headers.get("content-length", "0")
        if len(length) > 18 or not length.isdecimal() or int(length) > self._limit:
            raise self._too_large()
        caller = f"host {request.client.host if request.client else ''}"
        with self._traffic.body(caller, signed_in=False) as counted:
            parts: list[bytes] = []
            async for data in request.stream():
                counted.keep(len(data))
                if counted.size > self._limit:
                    raise self._too_large()
                parts.append(data)
            yield b"".join(parts)

    def _too_large(self) -> Refused:
        return Refused(413, f"The body of a request may have {self._limit >> 20} MiB at most; send a shorter one.")


def serve_until_told(
    app: ASGIApp, listener: socket.socket, ready: Callable[[Any], None], closing: Callable[[], Awaitable[None]]
) -> None:
    """Serve on a listening socket until Ctrl-C or SIGTERM; `ready` gets the server, whose `should_exit` ends it.

    `closing` is awaited when the last answer is done.
    """
    server = bounded_server(app, lambda: ready(server), closing, keep_alive=_KEEP_ALIVE_SECONDS)
    server.run(sockets=[listener])
