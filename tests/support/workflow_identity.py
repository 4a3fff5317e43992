"""In front of a Hub: GitHub's identity tokens, the exchange for a token of the Hub, and everything else passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support import http_server
from support.http_server import Handler

REQUEST_TOKEN = "token-of-the-runner"


@contextmanager
def serving(hub: str, token: str) -> Iterator[Any]:
    """Serve on a loopback port; the value has the `url`, and the `exchanges` that were made for `token`."""

    exchanges: list[dict[str, Any]] = []

    class Front(Handler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.body()
            address = urlsplit(self.path)
            if address.path == "/github" and self.headers["Authorization"].lower() != f"bearer {REQUEST_TOKEN}":
                self._say(401, b"{}")
            elif address.path == "/github":
                self._say(200, json.dumps({"value": f"jwt for {parse_qs(address.query)['audience'][0]}"}).encode())
            elif address.path == "/oauth/token":
                exchanges.append(json.loads(body))
                self._say(200, json.dumps({"access_token": token, "expires_in": 3600}).encode())
            else:
                self._pass_on(body)

        do_POST = do_HEAD = do_GET

        def _pass_on(self, body: bytes) -> None:
            connection = HTTPConnection(urlsplit(hub).netloc)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            self._say(answer.status, answer.read(), answer.getheaders())
            connection.close()

        def _say(self, status: int, body: bytes, headers: Any = (("Content-Type", "application/json"),)) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection") or self.command == "HEAD":
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http_server.serving(Front) as server:
        yield SimpleNamespace(url=server.url, exchanges=exchanges)
