"""A release is stopped while it is made public: nobody may be left with half of it."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

_ENDPOINTS = runpy.run_path(str(Path(__file__).with_name("endpoints.py")))
TFT = Path(sys.executable).with_name("tft")
BENCHMARK = "alice/tft-benchmark"
RESULTS, MODEL = f"{BENCHMARK}-results", f"{BENCHMARK}-s2-direct-tiny"
CALL = '<tool_call>\n{"name": "find_train", "arguments": {"city": "Town 0"}}\n</tool_call>'
WEIGHTS = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
SHOWN = 2
"""So many repositories are public when it is stopped."""


def lineage(stage: str, *inputs: str, **more: Any) -> dict[str, Any]:
    """Return what a stage says of its result."""
    decisive = [stage, 1, {}, list(inputs), None]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    own = {"stage": stage, "stage_version": 1, "fingerprint": digest[:12], "inputs": list(inputs), "config": {}}
    return {**own, "seed": None, "harness": "0", "packages": {}, **more}


def place(alice: httpx.Client, repo: str, files: dict[str, str | bytes], made: dict[str, Any] | None = None) -> str:
    """Push a private repository as a stage does, with its tag; return it with its commit."""
    kind, _, name = repo.partition("/")
    new = {"type": kind.removesuffix("s"), "name": name.partition("/")[2], "private": True}
    assert alice.post("/api/repos/create", json=new).status_code in (200, 409)
    _ENDPOINTS["push"](alice, repo, {**files, **({"lineage.json": json.dumps(made)} if made else {})})
    if made:
        alice.post(f"/api/{repo}/tag/main", json={"tag": f"fp-{made['fingerprint']}"}).raise_for_status()
    return f"{name}@{alice.get(f'/api/{repo}').json()['sha']}"


def benchmark(alice: httpx.Client, url: str, folder: Path, tft: Callable[..., Any]) -> None:
    """Leave what a run of the benchmark leaves, of one cell: five private repositories."""
    test_set = f"{BENCHMARK}-testset"
    new = {"type": "dataset", "name": test_set.partition("/")[2], "private": True}
    alice.post("/api/repos/create", json=new).raise_for_status()
    _ENDPOINTS["make_test_set"](alice, test_set, 2)
    source = "test.jsonl@sha256:" + "1" * 64
    pinned = place(alice, f"datasets/{test_set}", {"README.md": "# Test"}, lineage("collect", source))
    model = {"config.json": "{}", "model.safetensors": struct.pack("<Q", len(WEIGHTS)) + WEIGHTS + b"1234"}
    student = place(alice, "models/alice/tiny", model, lineage("student", source))
    rows = {"README.md": "# Traces", "data/train.jsonl": json.dumps({"id": "1", "messages": []}) + "\n"}
    traces = place(alice, f"datasets/{BENCHMARK}-s2-traces", rows, lineage("corrupt", source))
    trained = place(alice, f"models/{MODEL}", model, lineage("train", student, traces, pinned))

    answers = "".join(json.dumps({"pair_id": f"c-{number}:0", "raw": CALL}) + "\n" for number in range(2))
    (folder / "answers.jsonl").write_text(answers)
    command = ("evaluate", "replay:answers.jsonl", "--dataset", pinned, "--no-push", "--out", "run")
    done = tft(*command, HF_ENDPOINT=url, HF_TOKEN="hf_alice_writes")
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "run" / "report.json").read_text())
    report["run"] |= {"model": f"vllm:{MODEL}", "model_revision": trained.partition("@")[2]}
    evaluated = lineage("evaluate", trained, pinned, started=report["run"]["date"])
    cell = {"scenario": "s2", "arm": "direct", "fair": False, "seed": 0, "model": MODEL, "status": "done"}
    made = {"artifacts": {"corrupt": traces, "train": trained}, "result": f"fp-{evaluated['fingerprint']}"}
    record = {"format": 1, "preset": "tiny", "settings": {}, "student": student, "test_set": pinned, "seeds": 1}
    name = MODEL.replace("/", "--")
    results = {
        f"reports/{name}.json": json.dumps(report),
        f"data/{name}/test.jsonl": (folder / "run" / "data" / "test.jsonl").read_text(),
        f"lineage/{name}.json": json.dumps(evaluated),
        "benchmark.json": json.dumps({**record, "cells": [{**cell, **made}]}),
    }
    place(alice, f"datasets/{RESULTS}", results)


@contextmanager
def between(url: str, each: Callable[[str], None]) -> Iterator[str]:
    """Pass on what is asked of a Hub; `each` hears of a request when the Hub has done it and nobody knows yet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            with httpx.Client(trust_env=False, timeout=60) as client:
                headers = {**self.headers, "Accept-Encoding": "identity"}
                done = client.request(self.command, f"{url}{self.path}", content=body, headers=headers)
            each(self.path)
            self.send_response(done.status_code)
            for name, value in done.headers.items():
                if name not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", done.headers.get("content-length", str(len(done.content))))
            self.end_headers()
            self.wfile.write(done.content)

        def log_message(self, *_: Any) -> None: ...

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def stopped(url: str, folder: Path) -> tuple[int, str]:
    """Release, and end that when a part is public. Returns its status and what it said."""
    shown: list[str] = []

    def each(request: str) -> None:
        if request.endswith("/settings"):
            shown.append(request)
            if len(shown) == SHOWN:
                process.send_signal(signal.SIGTERM)

    with between(url, each) as address:
        own = {"HF_ENDPOINT": address, "HF_TOKEN": "hf_alice_writes", "HF_HOME": str(folder / "home")}
        command = [str(TFT), "publish", "--namespace", "alice", "--partial"]
        process = subprocess.Popen(command, env=os.environ | own, cwd=folder, stderr=subprocess.PIPE, text=True)
        said = process.communicate(timeout=120)[1]
    assert len(shown) >= SHOWN, said
    return process.returncode, said


def test_a_release_that_is_stopped_leaves_nothing_public(hub: Any, tft: Callable[..., Any], tmp_path: Path) -> None:
    benchmark(hub.client("alice"), hub.url, tmp_path, tft)
    status, said = stopped(hub.url, tmp_path)
    kinds = ("models", "datasets", "spaces")
    public = [one["id"] for kind in kinds for one in hub.client().get(f"/api/{kind}?author=alice").json()]
    assert not public, said
    assert status == 128 + signal.SIGTERM
