"""A real OpenAI-compatible endpoint in a thread: answers that depend on the request alone, counts, faults on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support import http_server
from support.http_server import Handler

KEY = "key-of-the-endpoint"
PASSWORD = "pass-word-of-the-address"
MODEL = "counting-model"
_TRUSTED = (f"Bearer {KEY}", "Bearer none", f"Basic {b64encode(f'user:{PASSWORD}'.encode()).decode()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is sent in place of an answer. `cut` sends half of the body; `drop` closes the connection."""

    status: int = 200
    body: str = ""
    """`{authorization}` in it quotes the request's header."""
    kind: str = "application/json"
    cut: bool = False
    drop: bool = False


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """What the thread does, changed by a test at any time, and what it saw."""

    url: str = ""
    delay: float = 0.0
    """Seconds from a question to its answer."""
    talk: str = ""
    """Text sent in place of a call, with `{call}` where the call belongs; empty: a call in `tool_calls`."""
    heeds_seeds: bool = False
    """Whether an answer also depends on the seed that it is asked with."""
    faults: Callable[[str, int], Fault | None] = lambda _question, _time: None
    """Question (hash of its messages) and how often it has been asked before -> what goes wrong."""
    fault: type[Fault] = Fault
    refuses: Callable[[dict[str, Any]], str | None] = lambda _request: None
    """A request -> why the endpoint does not take its form."""
    asked: Counter[str] = field(default_factory=Counter)
    requests: list[dict[str, Any]] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None
    """Let go of all connections, and listen no more."""
    most_at_once: int = 0
    _now: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    @contextmanager
    def counted(self, request: dict[str, Any]) -> Iterator[tuple[str, int]]:
        """Count a question for as long as it is under way; yields its hash and how often it was asked before."""
        question = question_hash(request["messages"])
        with self._lock:
            before = self.asked[question]
            self.asked[question] += 1
            self.requests.append(request)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield question, before
        finally:
            with self._lock:
                self._now -= 1


def question_hash(messages: Any) -> str:
    """Return the hash by which a question is known: the harness records the same."""
    return hashlib.sha256(json.dumps(messages, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def answer(question: str, talk: str) -> dict[str, Any]:
    """Return the reply to a question: a search or some words, by its hash."""
    if int(question[0], 16) < 8:
        name, arguments = "FindRestaurants", {"city": "Tarn Ferris", "cuisine": question[:6]}
    else:
        name, arguments = "respond_to_user", {"message": f"Answer {question[:12]}."}
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if talk:
        call = json.dumps({"name": name, "parameters": arguments})
        message["content"] = talk.replace("{call}", f"<tool_call>{call}</tool_call>")
    else:
        function = {"name": name, "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": "call_0", "type": "function", "function": function}]
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"id": "0", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice], "usage": usage}


@contextmanager
def serving() -> Iterator[Endpoint]:
    """Serve until the end of the block."""
    state = Endpoint()

    class Model(Handler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            request = json.loads(self.body())
            if self.headers["Authorization"] not in _TRUSTED:
                self._send(401, _error("Incorrect API key provided"))
            elif request["model"] != MODEL:
                self._send(404, _error(f"The model {request['model']!r} does not exist"))
            else:
                with state.counted(request) as (question, before):
                    if problem := state.refuses(request):
                        self._send(400, _error(problem))
                    else:
                        self._reply(question, before, request.get("seed"))

        def _reply(self, question: str, before: int, seed: int | None) -> None:
            time.sleep(state.delay)
            fault = state.faults(question, before)
            if fault is None:
                drawn = question_hash([question, seed]) if state.heeds_seeds and seed is not None else question
                self._send(200, answer(drawn, state.talk))
            elif fault.drop:
                self.close_connection = True
            else:
                body = fault.body.replace("{authorization}", self.headers["Authorization"])
                self._send(fault.status, body, fault.kind, cut=fault.cut)

        def _send(self, status: int, body: Any, kind: str = "application/json", *, cut: bool = False) -> None:
            # The client waits as long as it is told.
            self.send(status, body, kind, headers={"Retry-After-Ms": "10"}, cut=cut)

    with http_server.serving(Model) as server:
        state.url = f"{server.url}/v1"

        def stop() -> None:
            state.faults = lambda _question, _before: Fault(drop=True)
            server.stop()

        state.stop = stop
        try:
            yield state
        finally:
            stop()


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"}}
