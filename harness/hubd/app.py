"""The ASGI application: reads the body, runs the handler in a thread, turns refusals into answers."""

from __future__ import annotations

import errno
import secrets
import sys
import time
import traceback
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from harness.hubd.blobs import Draft
from harness.hubd.call import Call, Services
from harness.hubd.errors import Refused
from harness.hubd.router import Match, Route, match

UPLOAD_STEP = 4 << 20
OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
        try:
            found = match(request.method, raw_path)
            call = self._call(request, raw_path, found)
            if found.route.upload:
                upload = call.upload = await self._receive(request, found.route)
            else:
                call.body = await _small_body(request, found.route.limit)
            return await run_in_threadpool(found.route.handler, call)
        except Refused as error:
            return JSONResponse(error.body, status_code=error.status, headers=error.all_headers())
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return _failure(error)
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
        )

    async def _receive(self, request: Request, route: Route) -> Draft:
        """Write the body to a file as it comes; memory holds one step of it."""
        draft = self._services.blobs.draft(hashed=route.hashed)
        try:
            pending: list[bytes] = []
            size = 0
            async for data in request.stream():
                pending.append(data)
                size += len(data)
                if route.limit and draft.size + size > route.limit:
                    raise Refused(413, f"The upload is larger than {route.limit >> 20} MiB.")
                if size >= UPLOAD_STEP:
                    await run_in_threadpool(draft.write, b"".join(pending))
                    pending, size = [], 0
            await run_in_threadpool(draft.write, b"".join(pending))
        except BaseException:
            draft.discard()
            raise
        return draft


def _failure(error: Exception) -> Response:
    if (isinstance(error, OSError) and error.errno in OUT_OF_SPACE) or "database or disk is full" in str(error):
        status, message = 507, "The disk of this Hub is full; free some space and try again. Nothing was changed."
    else:
        traceback.print_exception(error, file=sys.stderr)
        status, message = 500, "Internal error of this Hub; its log says more."
    return JSONResponse({"error": message}, status_code=status, headers={"X-Error-Message": message})


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
