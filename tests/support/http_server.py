"""A real HTTP server in a thread, on a port of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Reads and sends whole bodies, and logs nothing.

    A connection ends with its answer, so that none is left open in this process; whose clients are other processes
    may set `protocol_version` to HTTP/1.1.
    """

    disable_nagle_algorithm = True  # head and body are two writes; the second would wait 40 ms

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def body(self) -> bytes:
        """Return the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(
        self,
        status: int,
        body: Any,
        kind: str = "application/json",
        *,
        headers: Mapping[str, str] = {},
        cut: bool = False,
        pause: float = 0.0,
    ) -> None:
        """Send an answer: a text as it is, anything else as JSON.

        `cut` sends half of it and hangs up; `pause` is the time between two bytes, in seconds.
        """
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        data = data[: len(data) // 2] if cut else data
        for byte in data if pause else ():
            self.wfile.write(bytes([byte]))
            time.sleep(pause)
        self.wfile.write(b"" if pause else data)
        self.close_connection = self.close_connection or cut


class Server(ThreadingHTTPServer):
    """Takes many connections at once, and waits for none of them when it stops."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error of the server."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        """Listen no more; a second call does nothing."""
        self.shutdown()
        self.server_close()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[Server]:
    """Serve until the end of the block, or until `stop` is called."""
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
