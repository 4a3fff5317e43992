"""What a Hub answers is whatever it likes: the command says so in one sentence."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
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


@pytest.mark.parametrize("owner", ["around", "nowhere", "packed", "list", "numbers"])
def test_answers_of_no_hub_are_one_sentence(owner: str, tft: Callable[..., CompletedProcess[str]]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        done = tft("lineage", f"{owner}/model", "--kind", "model", HF_ENDPOINT=address, HF_TOKEN="", timeout=30)
    finally:
        server.shutdown()
        server.server_close()
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(errors)) == (2, 1), done.stderr[-600:]
    assert "Traceback" not in done.stderr
