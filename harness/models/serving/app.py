"""The endpoint as an ASGI application: OpenAI's routes, who may ask, and refusals in OpenAI's form."""

from __future__ import annotations

import asyncio
import hmac
import json
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from harness.hub.local_http import Refused, RequestRules, paced
from harness.models.serving.requests import read_request, refused
from harness.models.serving.service import ChatService, PreparedTurn
from harness.terminal import say

BODY_LIMIT = 8 << 20
"""Bytes of a request: the longest contexts have a fraction of that."""
WARNING = "X-TFT-Warning"
ROUTES = {"/v1/chat/completions": "POST", "/v1/models": "GET", "/health": "GET"}
Found = TypeVar("Found")


class JsonReply(JSONResponse):
    """JSON in ASCII: requests and answers of models may hold halves of characters, which UTF-8 has none of."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


class ChatApp:
    """Answers `ROUTES`."""

    def __init__(self, service: ChatService, rules: RequestRules, key: str | None) -> None:
        """`key` is what requests have to carry; None: nothing."""
        self._service = service
        self._rules = rules
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Refused as error:
            response = _refusal(error)
        except ClientDisconnect:
            return
        except Exception:
            say(f"an error of this endpoint:\n{traceback.format_exc()}", lines=True)
            response = _refusal(refused("an error of this endpoint; its log says more", status=500))
        send, further = paced(scope, send, len(getattr(response, "body", b"")))
        response.headers.update({"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **further})
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        self._rules.check(request)
        path = request.scope["path"]
        if (method := ROUTES.get(path)) is None:
            raise refused(f"nothing is at this address; there are {', '.join(ROUTES)}", status=404)
        if request.method not in (method, "HEAD" if method == "GET" else method):
            raise refused(f"{path} takes {method}", status=405)
        if path == "/health":
            ready = self._service.engine.server is not None
            return JsonReply({"status": "ok" if ready else "starting"}, status_code=200 if ready else 503)
        self._check_key(request)
        return self._models() if path == "/v1/models" else await self._complete(request)

    def _check_key(self, request: Request) -> None:
        if self._key is None:
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._key.encode())
        if kind.lower() != "bearer" or not right:
            raise refused(
                "the key is missing or not that of this endpoint; send Authorization: Bearer with the key of --api-key",
                status=401,
                code="invalid_api_key",
            )

    def _models(self) -> Response:
        context = self._service.engine.context
        found = [
            {
                "id": model.names[0],
                "object": "model",
                "created": 0,
                "owned_by": model.artifact.repo_id.partition("/")[0],
            }
            | {"revision": model.artifact.revision, "max_model_len": context}
            for model in self._service.models
        ]
        return JsonReply({"object": "list", "data": found})

    async def _complete(self, request: Request) -> Response:
        async with self._rules.body(request) as data:
            turn = read_request(data)
            prepared = await self._service.prepare(turn)
        if not turn.body.stream:
            reply = await _while_connected(request, self._service.answer(prepared))
            return JsonReply(reply, headers=_warnings(prepared))
        events = self._service.chunks(prepared)
        started = await _while_connected(request, _started(events))
        return StreamingResponse(
            self._sent(prepared, started, events), media_type="text/event-stream", headers=_warnings(prepared)
        )

    async def _sent(
        self, prepared: PreparedTurn, started: list[dict[str, Any]], events: AsyncGenerator[dict[str, Any]]
    ) -> AsyncIterator[str]:
        """Yield the events of a stream; what goes wrong after its beginning is an event, too."""
        try:
            async with aclosing(events):
                for chunk in started:
                    yield _event(chunk)
                async for chunk in events:
                    yield _event(chunk)
        except Refused as error:
            say(f"{prepared.id}: {error.message}")
            yield _event(error.body)
        yield "data: [DONE]\n\n"


async def _started(events: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first chunks, up to the first that the engine has part in: before it, a refusal has a status."""
    found: list[dict[str, Any]] = []
    async for chunk in events:
        found.append(chunk)
        if chunk["choices"] and chunk["choices"][0]["delta"].get("role") is None:
            break
    return found


async def _while_connected(request: Request, work: Awaitable[Found]) -> Found:
    """Await work for a client; raises ClientDisconnect where it goes away, and the work is ended."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _gone(receive: Receive) -> None:
    message: Message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()


def _event(value: Any) -> str:
    return f"data: {json.dumps(value, ensure_ascii=True, separators=(',', ':'))}\n\n"


def _warnings(prepared: PreparedTurn) -> dict[str, str]:
    """Return the header that says what a client should know, in ASCII and on one line."""
    text = "; ".join(prepared.warnings)
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)
    return {WARNING: plain[:1000]} if plain else {}


def _refusal(error: Refused) -> Response:
    body = error.body
    if not isinstance(body.get("error"), dict):  # a refusal of the shared rules
        kind = "invalid_request_error" if error.status < 500 else "server_error"
        body = {"error": {"message": error.message, "type": kind, "param": None, "code": error.code}}
    return JsonReply(body, status_code=error.status, headers=error.headers)
