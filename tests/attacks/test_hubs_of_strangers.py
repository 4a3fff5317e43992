"""What a Hub answers is whatever it likes: the command says so in one sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import CompletedProcess
from typing import Any

import pytest


class Strange(BaseHTTPRequestHandler):
    """Answers by the owner that is asked for."""

    def do_GET(self) -> None:
        _, _, rest = self.path.partition("s/")
        owner = rest.partition("/")[0]
        body = b"[]" if owner == "list" else json.dumps({"id": [owner], "sha": 5, "siblings": 5}).encode()
        self.send_response(307 if owner in ("around", "nowhere") else 200)
        self.send_header("Location", self.path if owner == "around" else "http://[::1/")
        self.send_header("Content-Encoding", "gzip" if owner == "packed" else "identity")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server with this handler and give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("owner", ["around", "nowhere", "packed", "list", "numbers"])
def test_answers_of_no_hub_are_one_sentence(owner: str, tft: Callable[..., CompletedProcess[str]]) -> None:
    with answering(Strange) as address:
        done = tft("lineage", f"{owner}/model", "--kind", "model", HF_ENDPOINT=address, HF_TOKEN="", timeout=30)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(errors)) == (2, 1), done.stderr[-600:]
    assert "Traceback" not in done.stderr


def lists(following: str, seen: list[str]) -> type[BaseHTTPRequestHandler]:
    """Return a Hub whose list of files always goes on at `following` (a part of the way is added): what it is told."""

    class Lists(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            files = "/tree/" in self.path
            answer = [] if files else {"id": "me/traces", "sha": "0" * 40, "siblings": []}
            body = json.dumps(answer).encode()
            self.send_response(200)
            if files:
                self.send_header("Link", f'<{following}{self.path}>; rel="next"')
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    return Lists


def test_a_list_that_goes_on_elsewhere_takes_no_token_there(tft: Callable[..., CompletedProcess[str]]) -> None:
    here: list[str] = []
    there: list[str] = []
    with answering(lists("", there)) as other, answering(lists(other, here)) as address:
        done = tft("inspect-traces", "me/traces", HF_ENDPOINT=address, HF_TOKEN="hf_for_this_hub_only", timeout=60)
    assert "Bearer hf_for_this_hub_only" in here
    assert "Bearer hf_for_this_hub_only" not in there
    assert done.returncode == 2, done.stderr[-600:]
    assert "another server" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_list_without_end_is_not_waited_for(tft: Callable[..., CompletedProcess[str]]) -> None:
    seen: list[str] = []

    class Endless(lists("", seen)):  # type: ignore[misc]
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def send_header(self, keyword: str, value: str) -> None:
            if keyword == "Link":
                value = f'<http://{self.headers["Host"]}{self.path.partition("&page")[0]}&page={len(seen)}>; rel="next"'
            super().send_header(keyword, value)

    with answering(Endless) as address:
        done = tft("inspect-traces", "me/traces", HF_ENDPOINT=address, HF_TOKEN="hf_for_this_hub_only", timeout=60)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-600:]
    assert "pages" in done.stderr
    assert "Traceback" not in done.stderr
