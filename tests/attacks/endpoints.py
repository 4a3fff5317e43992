"""A model behind an endpoint that says whatever a test lets it say, and a small test set on a Hub to ask it about."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": name,
            "parameters": {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]},
        },
    }
    for name, key in (("find_train", "city"), ("respond_to_user", "message"))
]
_JOB = {"task_description": "Trains.", "llm_as_a_judge_instructions": "Compare.", "tools": _TOOLS}
Reply = tuple[int, dict[str, Any]]


def message(**fields: Any) -> Reply:
    """Return a usual completion with this message."""
    said = {"role": "assistant", "content": None, **fields}
    choice = {"index": 0, "finish_reason": "stop", "message": said}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    return 200, {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def call(name: str = "find_train", **arguments: str) -> Reply:
    """Return a completion that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return message(tool_calls=[{"id": "c1", "type": "function", "function": function}])


@contextmanager
def speaking(answer: Callable[[int], Reply], *, get: bool = False) -> Iterator[str]:
    """Serve an endpoint; `answer` gets the number of a question, from 0. Yields its address. With `get` as a Hub is."""
    numbers: dict[str, int] = {}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or '{"messages": []}')
            with lock:
                number = numbers.setdefault(json.dumps(asked["messages"]), len(numbers))
            status, body = answer(number)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

        if get:
            do_GET = do_POST

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _turn(number: int, turn: int) -> list[dict[str, Any]]:
    function = {"name": "find_train", "arguments": json.dumps({"city": f"Town {number}"})}
    return [
        {"role": "user", "content": f"A train to Town {number}, question {turn}?", "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]},
    ]


def make_test_set(alice: Any, repo_id: str, pairs: int = 8) -> None:
    """Push a test set of so many questions."""
    conversations = [{"id": f"c-{number}", "source": "test", "messages": _turn(number, 0)} for number in range(pairs)]
    made = alice.post(
        "/api/repos/create", json={"type": "dataset", "name": repo_id.partition("/")[2], "organization": None}
    )
    assert made.status_code in (200, 409), made.text
    push(
        alice,
        f"datasets/{repo_id}",
        {
            "job_description.json": json.dumps(_JOB),
            "data/conversations/test.jsonl": "".join(json.dumps(one) + "\n" for one in conversations),
        },
    )


def push(user: Any, repo: str, files: dict[str, str | bytes]) -> None:
    """Commit files; `repo` as in the addresses of the API (`datasets/owner/name`, `models/owner/name`)."""
    lines: list[dict[str, Any]] = [{"key": "header", "value": {"summary": "files", "description": ""}}]
    for path, body in files.items():
        data = body.encode() if isinstance(body, str) else body
        lines.append(
            {"key": "file", "value": {"path": path, "content": base64.b64encode(data).decode(), "encoding": "base64"}}
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = user.post(f"/api/{repo}/commit/main", content=text, headers={"Content-Type": "application/x-ndjson"})
    assert done.status_code == 200, done.text


def pushed(user: Any, repo: str) -> dict[str, bytes]:
    """Return the names and contents of the files that a repository holds."""
    listed = user.get(f"/api/{repo}/tree/main?recursive=true").json()
    place = repo.removeprefix("models/")
    files = [one["path"] for one in listed if one["type"] == "file"]
    return {path: user.get(f"/{place}/resolve/main/{path}", follow_redirects=True).content for path in files}
