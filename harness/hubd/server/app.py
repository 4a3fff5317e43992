"""The ASGI application: reads the body, runs the handler in a thread, turns refusals into answers."""

from __future__ import annotations

import secrets
import sys
import time
from contextlib import aclosing
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ..api.request import Call, Services
from ..api.rights import authorize
from ..api.route import Match, Route
from ..errors import Refused, failed, repo_not_found
from ..pages.errors import error_page, wants_page
from ..storage.blobs import Draft
from .bodies import steps
from .router import match

HEADERS_LIMIT = 32 << 10


class HubApp:
    """The embedded Hub as an ASGI application."""

    def __init__(self, services: Services, *, verbose: bool = False) -> None:
        self._services = services
        self._verbose = verbose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (or the lifespan protocol)."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        started = time.monotonic()
        request = Request(scope, receive)
        raw_path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").split("?")[0]
        response = await self._answer(request, raw_path)
        response.headers["X-Request-Id"] = secrets.token_hex(8)
        if self._verbose:
            took = (time.monotonic() - started) * 1000
            print(f"{request.method} {raw_path} {response.status_code} {took:.0f} ms", file=sys.stderr)  # noqa: T201
        await response(scope, receive, send)

    async def _answer(self, request: Request, raw_path: str) -> Response:
        upload: Draft | None = None
        call: Call | None = None
        try:
            found = match(request.method, raw_path)
            call = self._call(request, raw_path, found)
            _check_size(request)
            if request.method not in ("GET", "HEAD"):
                await run_in_threadpool(authorize, call, found.route.needs)  # before the body
            if found.route.upload:
                upload = call.upload = await self._receive(request, found.route)
            else:
                call.body = await _small_body(request, found.route.limit)
            return await run_in_threadpool(_handle, call, found.route)
        except Refused as error:
            if wants_page(request.headers, raw_path):
                return error_page(error, raw_path)
            return JSONResponse(error.body, status_code=error.status, headers=error.all_headers())
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            gone = call is not None and call.repository_is_gone()  # deleted while it was read
            refused = repo_not_found(anonymous=False) if gone else failed(error)
            return JSONResponse(refused.body, status_code=refused.status, headers=refused.all_headers())
        finally:
            if upload is not None:
                upload.discard()

    def _call(self, request: Request, raw_path: str, found: Match) -> Call:
        headers = Headers(scope=request.scope)
        host = headers.get("host") or "localhost"
        return Call(
            services=self._services,
            method=request.method,
            base=f"{request.url.scheme}://{host}",
            raw_path=raw_path,
            segments=found.segments,
            query=QueryParams(request.scope.get("query_string", b"")),
            headers=headers,
            kind=found.kind,
            name=found.name,
            cookie=found.route.cookie,
        )

    async def _receive(self, request: Request, route: Route) -> Draft:
        """Write the body to a file as it comes; memory holds one step of it."""
        draft = self._services.blobs.draft(hashed=route.hashed)
        try:
            async with aclosing(steps(request)) as parts:
                async for part in parts:
                    if route.limit and draft.size + sum(map(len, part)) > route.limit:
                        raise Refused(413, f"The upload is larger than {route.limit >> 20} MiB.")
                    await run_in_threadpool(draft.write, part)
        except BaseException:
            draft.discard()
            raise
        return draft


def _handle(call: Call, route: Route) -> Response:
    """Answer the request if its caller may (still, after a body that took long) do that."""
    call.forget()
    authorize(call, route.needs)
    return route.handler(call)


def _check_size(request: Request) -> None:
    size = sum(len(name) + len(value) for name, value in request.headers.raw)
    if size > HEADERS_LIMIT:
        raise Refused(431, f"The headers have {size} bytes; this Hub takes {HEADERS_LIMIT}.")
    if len(request.scope.get("query_string", b"")) > HEADERS_LIMIT:
        raise Refused(414, f"The query is longer than {HEADERS_LIMIT} bytes.")


async def _small_body(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for data in request.stream():
        size += len(data)
        if size > limit:
            raise Refused(413, f"The body is larger than {limit >> 20} MiB.")
        parts.append(data)
    return b"".join(parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message: Any = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
