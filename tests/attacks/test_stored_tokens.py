"""A Hub that a user is talked into naming gets no token that was stored for another one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STORED = "hf_StoredForHuggingFace0001"


def test_a_token_of_hf_auth_login_does_not_go_to_a_named_hub(tft: Callable[..., Any], tmp_path: Path) -> None:
    heard: list[str] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(str(self.headers))
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: Any) -> None: ...

    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(STORED)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        tft("lineage", "owner/model", "--hub", f"http://127.0.0.1:{server.server_port}", timeout=60)
    finally:
        server.shutdown()
        server.server_close()
    assert heard
    assert not [head for head in heard if STORED in head]
