"""An endpoint answers without end, packed, drop by drop, or from somewhere else: an evaluation ends all the same."""

from __future__ import annotations

import gzip
import json
import runpy
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

_ENDPOINTS = runpy.run_path(str(Path(__file__).with_name("endpoints.py")))
Watched = Callable[..., Any]
MEMORY = 600 << 20
_MIB = b" " * (1 << 20)
_PACKED = gzip.compress(_MIB * 400, compresslevel=1)


def endless(handler: Any) -> None:
    """Send 800 MB of white space, which may stand before any JSON."""
    handler.end_headers()
    for _ in range(800):
        handler.wfile.write(_MIB)


def packed(handler: Any) -> None:
    """Send 400 MB in less than two."""
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(_PACKED)))
    handler.end_headers()
    handler.wfile.write(_PACKED)


def dripping(handler: Any) -> None:
    """Send one byte after the other: there is always one before a reader loses its patience."""
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        time.sleep(0.1)


@contextmanager
def serving(send: Callable[[Any], None], *, lists: bool = True, times: int = 9) -> Iterator[str]:
    """Serve an endpoint whose answers `send` writes after the head's first line; it `lists` its models as others do.

    After so many `times` it takes no key any more, so that whoever asks gives up.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            if len(asked) > times:
                self.send_error(401)
            else:
                self._answer(send)

        def do_GET(self) -> None:
            self._answer((lambda one: (one.end_headers(), one.wfile.write(b'{"data": []}'))) if lists else send)

        def _answer(self, write: Callable[[Any], Any]) -> None:
            with suppress(OSError):  # whoever asked has gone
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                write(self)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def test_set(hub: Any) -> str:
    _ENDPOINTS["make_test_set"](hub.client("alice"), "alice/trains", 1)
    return "alice/trains"


@pytest.fixture
def evaluate(watched: Watched, hub: Any, test_set: str) -> Callable[..., Any]:
    def run(url: str, seconds: int = 5, **limits: Any) -> Any:
        command = ["evaluate", "openai:m", "--base-url", url, "--dataset", test_set, "--no-push", "--out", "run"]
        return watched(
            *command, HF_ENDPOINT=hub.url, HF_TOKEN="hf_alice_reads", TFT_EVALUATE_TIMEOUT=str(seconds), **limits
        )

    return run


@pytest.mark.parametrize("send", [endless, packed])
def test_a_large_body_does_not_fill_the_memory(evaluate: Callable[..., Any], send: Any) -> None:
    with serving(send) as url:
        ended = evaluate(url, memory=MEMORY)
    assert ended.memory < MEMORY
    assert ended.status >= 0
    assert "Traceback" not in ended.said


def test_an_answer_that_never_ends_is_given_up(evaluate: Callable[..., Any]) -> None:
    """What the endpoint is asked first (ten seconds at most are promised for that) drips, and all else."""
    with serving(dripping, lists=False, times=1) as url:
        ended = evaluate(url, seconds=1, timeout=22)
    assert ended.status >= 0, f"still waiting after {ended.seconds:.0f} s"
    assert "Traceback" not in ended.said


def test_prompts_are_sent_to_no_address_that_the_endpoint_points_to(evaluate: Callable[..., Any]) -> None:
    seen: list[int] = []

    def answer(number: int) -> Any:
        seen.append(number)
        return _ENDPOINTS["call"](city="Ulm")

    with _ENDPOINTS["speaking"](answer) as elsewhere:

        class Pointing(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(307)
                self.send_header("Location", f"{elsewhere}/chat/completions")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"data": []}).encode())

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Pointing)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            ended = evaluate(f"http://127.0.0.1:{server.server_port}/v1")
        finally:
            server.shutdown()
            server.server_close()
    assert not seen
    assert elsewhere in ended.said, ended.said
