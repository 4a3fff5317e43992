"""The ASGI application: reads the body, runs the handler in a thread, turns refusals into answers."""

from __future__ import annotations

import secrets
import sys
import time
from contextlib import aclosing
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ..api.request import Call, Services
from ..api.rights import authorize
from ..api.route import Match
from ..errors import Refused, failed, repo_not_found
from ..pages.errors import error_page, wants_page
from ..storage.blobs import Draft
from .admission import body_limit, check_media
from .bodies import steps
from .heads import CONNECTION
from .lanes import Lanes
from .origin import Hosts, check_site, checked_host
from .router import match

HEADERS_LIMIT = 32 << 10


class HubApp:
    """The embedded Hub as an ASGI application."""

    def __init__(self, services: Services, *, hosts: Hosts | None = None, verbose: bool = False) -> None:
        """Answer from `services`, under the names in `hosts` (None: any)."""
        self._services = services
        self._hosts = hosts
        self._verbose = verbose
        self._lanes = Lanes()

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
        if (connection := scope.get("state", {}).get(CONNECTION)) is not None:
            send, further = connection.answering(send)
            response.headers.update(further)
        response.headers["X-Content-Type-Options"] = "nosniff"
        if self._verbose:
            took = (time.monotonic() - started) * 1000
            print(f"{request.method} {raw_path} {response.status_code} {took:.0f} ms", file=sys.stderr)  # noqa: T201
        await response(scope, receive, send)

    async def _answer(self, request: Request, raw_path: str) -> Response:
        upload: Draft | None = None
        call: Call | None = None
        try:
            host = checked_host(request.headers, self._hosts)
            check_site(request.method, request.headers, host, self._hosts)
            found = match(request.method, raw_path)
            call = self._call(request, raw_path, host, found)
            _check_size(request)
            if found.route.upload or _has_body(request):
                check_media(found.route, call)
                await run_in_threadpool(authorize, call, found.route.needs)
                limit = body_limit(found.route, call)
                _check_length(request, limit)
                if found.route.upload:
                    upload = call.upload = await self._receive(request, limit, hashed=found.route.hashed)
                else:
                    call.body = await _small_body(request, limit)
            return await self._lanes.run(found.route, call, request)
        except Refused as error:
            return _refusal(error, request, raw_path)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            gone = call is not None and call.repository_is_gone()  # deleted while it was read
            return _refusal(repo_not_found(anonymous=False) if gone else failed(error), request, raw_path)
        finally:
            if upload is not None:
                upload.discard()

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

    async def _receive(self, request: Request, limit: int, *, hashed: bool) -> Draft:
        """Write the body to a file as it comes; memory holds one step of it."""
        draft = self._services.blobs.draft(hashed=hashed)
        try:
            async with aclosing(steps(request)) as parts:
                async for part in parts:
                    if draft.size + sum(map(len, part)) > limit:
                        raise _too_large(limit)
                    await run_in_threadpool(draft.write, part)
        except BaseException:
            draft.discard()
            raise
        return draft


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


def _has_body(request: Request) -> bool:
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _check_length(request: Request, limit: int) -> None:
    """Raise Refused (413) if the body is announced as larger than `limit` bytes."""
    length = request.headers.get("content-length", "0")
    if len(length) > 18 or not length.isascii() or not length.isdigit() or int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Refused:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
    return Refused(413, f"The body of this request may have {size} at most.")


async def _small_body(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for data in request.stream():
        size += len(data)
        if size > limit:
            raise _too_large(limit)
        parts.append(data)
    return b"".join(parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message: Any = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
