"""Arbitrary JSON in every field of an endpoint's completions: `tft evaluate` ends with every pair scored or explained.

    python tests/benchmarks/endpoint_fuzz.py [--answers 20000] [--conversations 100] [--seed 0]

Each run evaluates a model behind a local endpoint, is resumed once with another cache (which asks again for what is
missing), and is checked: no traceback, and for every pair a score, or a reason why there is none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

from harness.data.formats.jsonl import read_jsonl

TFT = Path(sys.executable).parent / "tft"
KEYS = ("type", "text", "content", "function", "name", "arguments", "input", "thinking", "refusal", "custom", "value")
TYPES = ("text", "output_text", "thinking", "reasoning", "tool_use", "function", "custom", "image_url", "refusal")
CONTROL = ("", " ", "\ud83d half", "\udc00", "\x00\x1b[2J", "\u2028", "é" * 300, "<|im_end|>")
MARKS = ("</think>", "<think>", "<tool_call>", "{", "null", "[" * 400, '{"a":' * 300, "9" * 5000, "NaN")
ARGUMENTS = (
    '{"city": "Albany"}',
    "{'city': None,}",
    '"{\\"city\\": \\"\\ud83d\\"}"',
    "```json\n{}\n```",
    "FindRestaurants",
)
TEXTS = (*CONTROL, *MARKS, *ARGUMENTS, "stop", "length", "content_filter", "tool_calls")
CALL = {"id": "c", "type": "function", "function": {"name": "FindRestaurants", "arguments": '{"city": "Albany"}'}}
NO_REPLY = (b"", b"null", b"[]", b"{", b"<html>", b"\xff\xfe", b"[" * 100_000, b'{"choices": [NaN]}', b'"\\ud83d"')


def value(random: Random, depth: int = 0) -> Any:
    """Return any JSON value, more often one that looks like part of a completion."""
    kind = random.randrange(12 if depth < 4 else 7)
    if kind < 4:
        return random.choice(TEXTS)
    if kind < 7:
        return random.choice((None, True, False, 0, -1, 7, 10**30, 2**63, 1.5, float("inf"), float("nan"), -0.0))
    if kind < 9:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 9:
        return random.choice((CALL, [CALL], CALL["function"], {"type": "text", "text": "Hello."}))
    keys = random.sample(KEYS, random.randrange(5))
    found = {key: value(random, depth + 1) for key in keys}
    return found | {"type": random.choice(TYPES)} if random.random() < 0.5 else found


def completion(random: Random) -> bytes:
    """Return a reply: a completion in which any number of fields hold anything, now and then no JSON at all."""
    if random.random() < 0.01:
        return random.choice(NO_REPLY)
    message: dict[str, Any] = {"role": "assistant", "content": "Hello.", "tool_calls": [CALL]}
    fields = ("content", "tool_calls", "refusal", "function_call", "reasoning", "reasoning_content", "role")
    for name in random.sample(fields, random.randrange(len(fields))):
        message[name] = value(random)
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": message}
    usage: Any = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    reply: dict[str, Any] = {"id": "0", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    for one, share in ((message, 0.1), (usage, 0.3), (choice, 0.1), (reply, 0.03)):
        for name in list(one):
            if random.random() < share / 2:
                one[name] = value(random)
            elif random.random() < share / 4:
                del one[name]
    return json.dumps(reply).encode()


@dataclass(slots=True, kw_only=True)
class Fuzzing:
    """An endpoint, and what it has sent."""

    url: str = ""
    sent: int = 0
    lock: Any = field(default_factory=threading.Lock)


@contextmanager
def serving(seed: int) -> Iterator[Fuzzing]:
    """Serve an endpoint whose every answer is drawn anew."""
    state = Fuzzing()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with state.lock:
                state.sent += 1
                number = state.sent
            body = completion(Random(f"{seed}:{number}"))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(folder: Path, url: str, dataset: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Evaluate, go on once, and return the rows of both times; AssertionError where a command fails."""
    asking = ["--base-url", url, "--dataset", dataset, "--no-push", "--out", "run"]
    rows: list[dict[str, Any]] = []
    for number, more in enumerate(([], ["--resume"])):
        done = subprocess.run(
            [TFT, "evaluate", "openai:m", *asking, "--cache", f"kept-{number}", *more],
            env=environment,
            cwd=folder,
            capture_output=True,
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace")
        assert done.returncode == 0, said[-4000:]
        assert "Traceback" not in said, said[-4000:]
        rows += [row for _, row in read_jsonl(folder / "run" / "data" / "test.jsonl")]
    return rows


def unexplained(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are neither scored nor say why."""
    return [row for row in rows if row["staged_tool_call"] is None and not (row["error"] and row["reason"])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--conversations", type=int, default=100, help="of the test set of each run")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from huggingface_hub import HfApi

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from harness.hubd.embedded import running
    from support.sample_test_set import write_test_set

    start, scored, explained = time.perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as name, serving(options.seed) as endpoint, running(Path(name) / "hub") as hub:
        folder = Path(name)
        api = HfApi(endpoint=hub.url, token=hub.token)
        dataset = f"{api.whoami()['name']}/fuzz"
        write_test_set(folder / "sample", options.conversations)
        api.create_repo(dataset, repo_type="dataset")
        api.upload_folder(folder_path=folder / "sample", repo_id=dataset, repo_type="dataset")
        own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(folder / "home")}
        for number in range(options.answers):
            if endpoint.sent >= options.answers:
                break
            place = folder / f"run-{number}"
            place.mkdir()
            rows = run(place, endpoint.url, dataset, {**os.environ, **own})
            missing = unexplained(rows)
            assert not missing, missing[:3]
            scored += sum(row["staged_tool_call"] is not None for row in rows)
            explained += sum(row["staged_tool_call"] is None for row in rows)
            print(
                f"{number + 1} runs, {endpoint.sent} answers: {scored} pairs scored, {explained} explained", flush=True
            )
    print(f"no traceback; every pair scored or explained ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    main()
