"""The ASGI application: has the body received, runs the handler in a thread, turns refusals into answers."""

from __future__ import annotations

import secrets
import sys
import time
from contextlib import AsyncExitStack

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ..api.request import Call, Services
from ..errors import Refused, failed, repo_not_found
from ..pages.page import error_page, wants_page
from .lanes import Lanes
from .origin import Hosts, check_site, checked_host
from .protocol import CONNECTION
from .receiving import Receiver
from .routes import Match, match

HEADERS_LIMIT = 32 << 10


class HubApp:
    """The embedded Hub as an ASGI application."""

    def __init__(self, services: Services, *, hosts: Hosts | None = None, verbose: bool = False) -> None:
        """Answer from `services`, under the names in `hosts` (None: any)."""
        self._services = services
        self._hosts = hosts
        self._verbose = verbose
        self._lanes = Lanes()
        self._receiver = Receiver(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.monotonic()
        request = Request(scope, receive)
        raw_path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").split("?")[0]
        async with AsyncExitStack() as held:
            response = await self._answer(request, raw_path, held)
            await self._send(response, scope, receive, send)
        if self._verbose:
            took = (time.monotonic() - started) * 1000
            print(f"{request.method} {raw_path} {response.status_code} {took:.0f} ms", file=sys.stderr)  # noqa: T201

    async def _send(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        response.headers["X-Request-Id"] = secrets.token_hex(8)
        if (connection := scope.get("state", {}).get(CONNECTION)) is not None:
            send, further = connection.answering(send, len(getattr(response, "body", b"")))
            response.headers.update(further)
        response.headers["X-Content-Type-Options"] = "nosniff"
        await response(scope, receive, send)

    async def _answer(self, request: Request, raw_path: str, held: AsyncExitStack) -> Response:
        call: Call | None = None
        try:
            host = checked_host(request.headers, self._hosts)
            check_site(request.method, request.headers, host, self._hosts)
            found = match(request.method, raw_path)
            call = self._call(request, raw_path, host, found)
            _check_size(request)
            await self._receiver.receive(request, call, found, held)
            return await self._lanes.run(found.route, call, request)
        except Refused as error:
            return _refusal(error, request, raw_path)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            gone = call is not None and call.repository_is_gone()  # deleted while it was read
            return _refusal(repo_not_found(anonymous=False) if gone else failed(error), request, raw_path)

    def _call(self, request: Request, raw_path: str, host: str, found: Match) -> Call:
        return Call(
            services=self._services,
            method=request.method,
            base=f"{request.url.scheme}://{host}",
            raw_path=raw_path,
            segments=found.segments,
            query=QueryParams(request.scope.get("query_string", b"")),
            headers=request.headers,
            kind=found.kind,
            name=found.name,
            cookie=found.route.cookie,
        )


def _refusal(error: Refused, request: Request, raw_path: str) -> Response:
    if wants_page(request.headers, raw_path):
        return error_page(error, raw_path)
    return JSONResponse(error.body, status_code=error.status, headers=error.all_headers())


def _check_size(request: Request) -> None:
    size = sum(len(name) + len(value) for name, value in request.headers.raw)
    if size > HEADERS_LIMIT:
        raise Refused(431, f"The headers have {size} bytes; this Hub takes {HEADERS_LIMIT}.")
    if len(request.scope.get("query_string", b"")) > HEADERS_LIMIT:
        raise Refused(414, f"The query is longer than {HEADERS_LIMIT} bytes.")
