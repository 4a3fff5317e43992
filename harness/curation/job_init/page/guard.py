"""Which requests are answered at all. The rules are those of the embedded Hub, and stricter: one person, one browser.

Other users of the machine can connect, so every address begins with a secret. Pages of other sites can make a browser
send requests, and by changing what their own name resolves to (DNS rebinding) read the answers; both show in headers.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

BODY_LIMIT = 1 << 20
"""Bytes of a request's body."""
HEADERS_LIMIT = 32 << 10
FORM = "application/x-www-form-urlencoded"
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",
}

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestGuard:
    """An ASGI application before another one, which sees only requests of the page itself, with whole bodies."""

    def __init__(self, app: App, *, token: str, port: int) -> None:
        """Let through what asks for this machine on `port`, below `/TOKEN/`, where the other application is mounted."""
        self._app = app
        self._token = token.encode("ascii")
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in SECURITY.items()]
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        refused = self._refusal(scope)
        if refused is None:
            try:
                body = await _body(receive)
            except ClientDisconnect:
                return
            if body is not None:
                scope["root_path"] = f"/{self._token.decode()}"
                await self._app(scope, _replay(body), send_safely)
                return
            refused = _sentence(413, f"The request has more than {BODY_LIMIT >> 20} MiB; edit the file instead.")
        await refused(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return what to answer instead, None for a request of the page itself."""
        headers, method = Headers(scope=scope), scope["method"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _sentence(421, f"This page has the address http://{self._hosts[0]} and no other.")
        if sum(len(name) + len(value) for name, value in headers.raw) > HEADERS_LIMIT:
            return _sentence(431, f"The headers have more than {HEADERS_LIMIT >> 10} KiB.")
        first, slash, _ = scope["path"].lstrip("/").partition("/")
        if not slash or not hmac.compare_digest(first.encode("utf-8", "surrogateescape"), self._token):
            return _sentence(404, "Nothing is here; open the address that the command printed.")
        if method not in ("GET", "HEAD", "POST"):
            return _sentence(405, "Only GET and POST are taken here.", Allow="GET, HEAD, POST")
        return _other_site(headers, method, hosts[0])


def _other_site(headers: Headers, method: str, host: str) -> Response | None:
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    # The command opens the page from a file, which counts as another site: as a whole page, and only to look.
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    foreign = site not in ("same-origin", "none") and (method == "POST" or not opened)
    if foreign or (origin is not None and origin.lower() != f"http://{host.lower()}"):
        return _sentence(403, "A page of another site sent this request; open the address that the command printed.")
    if method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return _sentence(415, f"A POST here is a form; send {FORM}.")
    return None


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, None for one that is too large; raises ClientDisconnect."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += bytes(message.get("body", b""))
        if len(body) > BODY_LIMIT:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _sentence(status: int, text: str, **headers: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status, headers=headers)
