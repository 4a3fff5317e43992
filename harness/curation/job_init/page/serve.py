"""Runs the page on uvicorn until Ctrl-C, on the loopback interface, with bounds on how many connections how long."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import FrameType
from typing import ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.curation.job_init.corrections import ReviewDesk
from harness.curation.job_init.page.app import make_app
from harness.curation.job_init.page.guard import RequestGuard
from harness.errors import UsageError

HOST = "127.0.0.1"
SECONDS = 30.0
"""How long a connection may last; each answers one request."""
CONNECTIONS = 64
HEAD_LIMIT = 64 << 10
OPENER = "open-review.html"
"""Leads the browser to the page. Other users can see the arguments of programs, so the address is none of them."""
OPENER_SECONDS = 30.0
"""After which it is deleted, as it is at the end."""


class _Brief(H11Protocol):
    """A connection that ends in time; the oldest one makes room where there are too many."""

    open: ClassVar[dict[_Brief, None]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end = self.loop.call_later(SECONDS, transport.abort)
        self.open[self] = None
        if len(self.open) > CONNECTIONS:
            oldest = next(iter(self.open))
            del self.open[oldest]
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self.open.pop(self, None)
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of uvicorn
        """Stop; a second signal does not wait for open requests. Ending on request is success: nothing is re-raised."""
        self.force_exit = self.should_exit
        self.should_exit = True


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A page that is being served."""

    url: str
    """Its address, with the secret that opens it."""
    server: _Server
    listener: socket.socket

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, or until `server.should_exit` is set."""
        self.server.run(sockets=[self.listener])


@contextmanager
def review_page(desk: ReviewDesk, port: int = 0, ready: Callable[[str], object] = str) -> Iterator[ReviewPage]:
    """Yield the page of a desk, to be run; `ready` gets its address once it answers. Port 0 takes a free one.

    Raises UsageError where the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(CONNECTIONS)
        except OSError as error:
            raise UsageError(
                f"cannot listen on port {port}: {error.strerror}; choose another --port (0: any)"
            ) from error
        number, token = listener.getsockname()[1], secrets.token_urlsafe(24)
        url = f"http://{HOST}:{number}/{token}/"
        config = uvicorn.Config(
            RequestGuard(make_app(desk), token=token, port=number),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
            http=_Brief,
            h11_max_incomplete_event_size=HEAD_LIMIT,
            ws="none",
        )
        yield ReviewPage(url, _Server(config, lambda: ready(url)), listener)


def serve_review(folder: Path, *, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Serve the page of a job folder until Ctrl-C, and open it in a browser; `say` gets its address.

    Raises DataError where the folder's files cannot be read, UsageError where the port is taken.
    """
    desk, opener = ReviewDesk(folder), folder / OPENER

    def ready(url: str) -> None:
        say(url)
        if browser and _has_screen():
            _write_opener(opener, url)
            threading.Thread(target=_open, args=(opener,), daemon=True).start()

    with review_page(desk, port, ready) as page:
        try:
            page.run()
        finally:
            opener.unlink(missing_ok=True)


def _open(opener: Path) -> None:
    webbrowser.open(opener.resolve().as_uri())
    time.sleep(OPENER_SECONDS)
    opener.unlink(missing_ok=True)


def _has_screen() -> bool:
    """Return whether a browser has a window to open; one in the terminal would take its place."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in named)


def _write_opener(path: Path, url: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        link = escape(url)
        stream.write(
            '<!doctype html><meta charset="utf-8"><title>Review</title>'
            f'<meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Review page</a>\n'
        )
