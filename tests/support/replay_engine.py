"""A real HTTP server that answers completions like vLLM, with recorded texts in pieces, where the engine would be."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.models.engine.server import Server
from support import http_server
from support.http_server import Handler

KEY = "key-of-the-replay-engine"
Answer = tuple[Sequence[str], str]
"""Pieces of a text as they are generated, a token each, and why it ended."""


@dataclass(slots=True, kw_only=True)
class ReplayEngine:
    """What the server does, changed by a test at any time, and what it saw."""

    answer: Callable[[dict[str, Any]], Answer]
    context: int = 4096
    pause: float = 0.0
    """Seconds between two pieces."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    starts: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The process of each start, which stands for the engine: where it ends, the server is gone."""
    abandoned: threading.Event = field(default_factory=threading.Event)
    """Whether a client went away in the middle of a stream."""
    gate: threading.Event | None = None
    """Where set to an event, answers wait for it."""
    loaded: threading.Event | None = None
    """The same of the start."""
    dead: bool = False
    """Whether it ends while it starts."""

    @contextmanager
    def start(self, *_: Any) -> Iterator[Server]:
        """Serve until the end of the block, as `harness.models.engine.server.serving` does."""
        engine = self

        class Completions(Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if engine.loaded and not engine.loaded.is_set():
                    self.send(503, {})
                    return
                self.send(200, {"data": [{"id": "model", "max_model_len": engine.context}]})

            def do_POST(self) -> None:
                request = json.loads(self.body())
                if self.headers["Authorization"] != f"Bearer {KEY}" or process.poll() is not None:
                    self.close_connection = True
                    return
                engine.requests.append(request)
                if engine.gate:
                    engine.gate.wait(20)
                if process.poll() is not None:
                    self.close_connection = True
                elif request.get("stream"):
                    self._stream(request)
                else:
                    self.send(200, _reply(request, [engine.answer(request) for _ in range(request.get("n", 1))]))

            def _stream(self, request: dict[str, Any]) -> None:
                self.close_connection = True
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                answers = [engine.answer(request) for _ in range(request.get("n", 1))]
                try:
                    for index, (pieces, reason) in enumerate(answers):
                        for place, piece in enumerate(pieces):
                            if process.poll() is not None:
                                return
                            ended = reason if place == len(pieces) - 1 else None
                            choice = {"index": index, "text": piece, "token_ids": [place], "finish_reason": ended}
                            self._event({"choices": [choice], "usage": _usage(request, place + 1)})
                            time.sleep(engine.pause)
                    self._event({"choices": [], "usage": _usage(request, sum(len(one) for one, _ in answers))})
                    self.wfile.write(b"data: [DONE]\n\n")
                except OSError:
                    engine.abandoned.set()

            def _event(self, value: dict[str, Any]) -> None:
                self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())
                self.wfile.flush()

        with (
            subprocess.Popen(["false"] if self.dead else ["sleep", "600"]) as process,
            http_server.serving(Completions) as server,
        ):
            self.starts.append(process)
            if self.dead:
                process.wait()
            try:
                yield Server(port=server.server_port, log=Path(os.devnull), process=process, key=KEY)
            finally:
                process.kill()


def _usage(request: dict[str, Any], completion: int) -> dict[str, Any]:
    prompt = len(request["prompt"])
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _reply(request: dict[str, Any], answers: Sequence[Answer]) -> dict[str, Any]:
    choices = [
        {"index": index, "text": "".join(pieces), "token_ids": [*range(len(pieces))], "finish_reason": reason}
        for index, (pieces, reason) in enumerate(answers)
    ]
    return {"choices": choices, "usage": _usage(request, sum(len(pieces) for pieces, _ in answers))}


def pieces(text: str, size: int = 4) -> list[str]:
    """Return a text in pieces of so many characters."""
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
