"""An OpenAI-compatible endpoint that counts, reached as a proxy, so that its address is the same on every port.

An address is part of what a run and a cached answer are known by.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BASE_URL = "http://endpoint.test/v1"
KEY = "key-of-a-test"


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """What was asked (the last message of each request), and how many are answered before it falls silent."""

    environment: dict[str, str]
    asked: list[str] = field(default_factory=list)
    most: int | None = None
    let_go: threading.Event = field(default_factory=threading.Event)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the message that answers a request, which depends on the request alone."""
    if form := request.get("response_format"):
        return {"role": "assistant", "content": json.dumps(_fill(form["json_schema"]["schema"], request))}
    if not request.get("tools"):
        return {"role": "assistant", "content": "ok"}
    words = f"Answer {hashlib.sha256(json.dumps(request['messages']).encode()).hexdigest()[:8]}."
    function = {"name": "respond_to_user", "arguments": json.dumps({"message": words})}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def _fill(schema: dict[str, Any], request: dict[str, Any]) -> Any:
    """Return a value of the schema: of words the first or, by the request's hash, the second; the highest number."""
    if "enum" in schema:
        if isinstance(schema["enum"][-1], int):
            return max(schema["enum"])
        number = int(hashlib.sha256(json.dumps(request["messages"]).encode()).hexdigest(), 16)
        return schema["enum"][number % min(2, len(schema["enum"]))]
    if schema.get("type") == "object":
        return {name: _fill(part, request) for name, part in schema["properties"].items()}
    return {"integer": 5, "string": "As it says."}[schema["type"]]


@contextmanager
def serving() -> Iterator[Endpoint]:
    """Serve until the end of the block; what asks needs the variables of `environment`."""
    state = Endpoint(environment={})
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                state.asked.append(json.dumps(request["messages"][-1]))
                silent = state.most is not None and len(state.asked) > state.most
            if silent:
                state.let_go.wait()
            choice = {"index": 0, "finish_reason": "stop", "message": _answer(request)}
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            reply = {"id": "0", "object": "chat.completion", "created": 0, "model": request["model"]}
            self._send(reply | {"choices": [choice], "usage": usage})

        def do_GET(self) -> None:
            self._send({"object": "list", "data": []})

        def _send(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that has gone is no error of the server."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy = f"http://127.0.0.1:{server.server_address[1]}"
    state.environment = {
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "OPENAI_API_KEY": KEY,
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
