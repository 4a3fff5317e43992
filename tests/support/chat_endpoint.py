"""A real OpenAI-compatible endpoint in a thread that goes wrong in all the ways that endpoints do, as it is told."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support import http_server
from support.http_server import Handler

KEY = "sk-the-secret-of-the-tests"
MODEL = "verdict-model"
PASSING = (
    *("429", "429 in 30 ms", "500", "503", "slow", "cut body", "cut text", "fenced", "two objects", "refusal"),
    *("empty", "dropped", "length", "no choice", "html", "error in 200", "nested", "504"),
)
"""Faults after which another try may work."""
USELESS = ("cut text", "fenced", "two objects", "refusal", "empty", "length")
"""Those of them in which the endpoint did its part: then a question is asked once more, and not again."""
_STATUS = {
    "429": "Rate limit reached",
    "500": "The server had an error",
    "503": "The engine is overloaded",
    "504": "Gateway timeout",
    "529": "Overloaded",
    "404": "No such route",
    "401": "Incorrect API key provided",
    "403": "This project has no access to the model",
    "400": "This request cannot be taken",
}


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """What the thread does, changed by a test at any time, and what it saw."""

    url: str = ""
    kinds: tuple[str, ...] = PASSING
    delay: float = 0.0
    """Seconds from a question to its answer."""
    slow: float = 0.6
    """The same, for the fault `slow`."""
    capacity: int = 10_000
    """More questions at once are refused with 429."""
    formats: tuple[str, ...] = ("json_schema", "json_object")
    """The response formats that it knows."""
    length_name: str = "max_tokens"
    refuses: Callable[[dict[str, Any]], str | None] = lambda _request: None
    """A request -> why the endpoint does not take its form."""
    usage: Any = None
    """The tokens that it says it took; None: the usual ones."""
    answer: Callable[[dict[str, Any]], str] = lambda request: right_text(request["messages"])
    """The right answer to a request."""
    faults: Callable[[str, int], str | None] = lambda _question, _before: None
    """Question (hash of its messages) and how often it was asked before -> what goes wrong; other words are a 400."""
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    """Questions by how often their right answer was sent."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    load: list[tuple[float, int]] = field(default_factory=list)
    """Time (monotonic, s) and questions under way, at every arrival."""
    stop: Callable[[], None] = lambda: None
    """Let go of all connections, and listen no more."""
    _now: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    @property
    def most_at_once(self) -> int:
        return max((now for _, now in self.load), default=0)

    @contextmanager
    def counted(self, request: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
        """Count a question while it is under way; yields its hash, the earlier times, and how many are under way."""
        question = question_hash(request["messages"])
        with self._lock:
            before = self.asked[question]
            self.asked[question] += 1
            self.requests.append(request)
            self._now += 1
            now = self._now
            self.load.append((time.monotonic(), now))
        try:
            yield question, before, now
        finally:
            with self._lock:
                self._now -= 1

    def refusal_of(self, request: dict[str, Any]) -> str | None:
        """Return what is wrong with the form of a request."""
        wanted = request.get("response_format", {}).get("type")
        if wanted is not None and wanted not in self.formats:
            return f"Invalid parameter: 'response_format' of type '{wanted}' is not supported with this model."
        other = ({"max_tokens", "max_completion_tokens"} - {self.length_name}).pop()
        if other in request:
            return f"Unsupported parameter: '{other}' is not supported. Use '{self.length_name}' instead."
        return self.refuses(request)


def question_hash(messages: Any) -> str:
    """Return the hash by which a question is known, asked for the first time or again in other words."""
    *earlier, last = messages
    messages = [*earlier, {**last, "content": last["content"].partition("\n\n# ASKED AGAIN")[0]}]
    return hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()


def right_text(messages: Any) -> str:
    """Return the answer to a question, which depends on the question alone."""
    question = question_hash(messages)
    verdict = "good" if int(question[0], 16) < 8 else "bad"
    return json.dumps({"reason": f"As {question[:12]} shows.", "verdict": verdict})


USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


def _completion(text: str | None, reason: str = "stop", refusal: str | None = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choice = {"index": 0, "finish_reason": reason, "message": message}
    return {"id": "0", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice], "usage": USAGE}


def _wrong_reply(fault: str, text: str) -> dict[str, Any] | None:
    """Return a reply whose HTTP is right and whose answer cannot be used."""
    texts = {"cut text": text[:20], "fenced": f"```json\n{text}\n```", "two objects": f"{text}\n{text}", "empty": ""}
    if fault in texts:
        return _completion(texts[fault])
    if fault == "refusal":
        return _completion(None, refusal="I cannot judge this.")
    if fault == "length":
        return _completion(text[:20], reason="length")
    if fault == "loop":
        return _completion(text[:20] + " and the plan has outcomes" * 40, reason="length")
    if fault == "content filter":
        return _completion(None, reason="content_filter")
    if fault == "error in 200":
        return {"error": {"message": "The provider returned an error", "code": 502}}
    if fault == "no choice":
        return _completion(text) | {"choices": []}
    return None


@contextmanager
def serving() -> Iterator[Endpoint]:
    """Serve until the end of the block."""
    state = Endpoint()

    class Chat(Handler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.body())
            key = self.headers["Authorization"].removeprefix("Bearer ")
            if key not in (KEY, "none"):
                self._refuse(401, f"Incorrect API key provided: {key}")
            elif request["model"] != MODEL:
                self._refuse(404, f"The model `{request['model']}` does not exist.")
            else:
                with state.counted(request) as (question, before, now):
                    fault = state.faults(question, before)
                    time.sleep(state.slow if fault == "slow" else state.delay)
                self._reply(request, now, fault)  # no longer counted: the client may send the next before this returns

        def _reply(self, request: dict[str, Any], now: int, fault: str | None) -> None:
            text = state.answer(request)
            if problem := state.refusal_of(request):
                self._refuse(400, problem)
            elif now > state.capacity:
                self._refuse(429, "Rate limit reached")
            elif fault is None:
                state.answered[question_hash(request["messages"])] += 1
                self.send(200, _completion(text) | ({"usage": state.usage} if state.usage else {}))
            elif (wrong := _wrong_reply(fault, text)) is not None:
                self.send(200, wrong)
            else:
                self._break(fault, text)

        def _break(self, fault: str, text: str) -> None:
            """Fail below the level of answers."""
            status, _, wait = fault.partition(" in ")
            if fault in ("dropped", "slow"):
                self.close_connection = True
            elif fault == "cut body":
                self.send(200, _completion(text), cut=True)
            elif fault == "trickle":
                self.send(200, _completion(text), pause=0.05)
            elif fault == "nested":
                self.send(200, "[" * 100_000)
            elif fault == "html":
                self.send(200, "<html>A gateway</html>", "text/html")
            elif status in _STATUS:
                headers = {}
                if wait:
                    number, unit = wait.split()
                    headers = {"Retry-After-Ms" if unit == "ms" else "Retry-After": number}
                self._refuse(int(status), _STATUS[status], headers)
            else:
                self._refuse(400, fault)

        def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
            error = {"message": message, "type": "error", "code": None, "key": self.headers["Authorization"]}
            self.send(status, {"error": error}, headers=headers or {})

    with http_server.serving(Chat) as server:
        state.url = f"{server.url}/v1"

        def stop() -> None:
            state.faults = lambda _question, _before: "dropped"
            server.stop()

        state.stop = stop
        try:
            yield state
        finally:
            stop()
