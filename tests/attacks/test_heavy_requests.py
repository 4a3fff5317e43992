"""Requests that are much work, by strangers and for their repositories, must not keep the Hub from everybody else."""

from __future__ import annotations

import base64
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor, wait

import httpx


def test_many_small_texts_to_validate_do_not_stop_the_hub(hub):
    content = {"content": "---\na: 1" + ":59" * 30_000 + "\n---\n"}

    def validate() -> int:
        with httpx.Client(base_url=hub.url, timeout=60, trust_env=False) as client:
            return client.post("/api/validate-yaml", json=content).status_code

    with ThreadPoolExecutor(45) as pool:
        asked = [pool.submit(validate) for _ in range(45)]
        time.sleep(0.5)
        started = time.monotonic()
        for path in ("/-/style.css", "/api/models", "/"):
            assert hub.client(timeout=60).get(path).status_code == 200
        took = time.monotonic() - started
        wait(asked)
    assert took < 6.0
    assert {one.result() for one in asked} <= {200, 400, 503}


def lines(*operations: dict[str, object]) -> bytes:
    """Return the body of a commit."""
    header = {"key": "header", "value": {"summary": "files"}}
    return b"".join(json.dumps(line).encode() + b"\n" for line in (header, *operations))


def file(path: str, content: bytes) -> dict[str, object]:
    """Return the line of a commit that brings a small file."""
    data = base64.b64encode(content).decode()
    return {"key": "file", "value": {"path": path, "content": data, "encoding": "base64"}}


def test_the_proposal_of_a_stranger_does_not_hold_up_the_owner(hub):
    alice, mallory = hub.client("alice"), hub.client("mallory")
    alice.post("/api/repos/create", json={"name": "busy", "type": "model"}).raise_for_status()
    large = lines(*(file(f"{at}.txt", random.randbytes(1 << 20)) for at in range(50)))
    took = []
    with ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        proposal = pool.submit(mallory.post, "/api/models/alice/busy/commit/main?create_pr=1", content=large)
        while not proposal.done():
            started, body = time.monotonic(), lines(file("own.txt", str(len(took)).encode()))
            alice.post("/api/models/alice/busy/commit/main", content=body).raise_for_status()
            took.append(time.monotonic() - started)
        whole = time.monotonic() - begun
        assert proposal.result().status_code == 200
    assert max(took) < max(whole / 3, 0.5)


def test_a_line_of_a_commit_does_not_unfold_to_gigabytes(hub):
    mallory = hub.client("mallory")
    mallory.post("/api/repos/create", json={"name": "line", "type": "model"})
    before = hub.memory
    bomb = b'{"key": "file", "value": {"path": "a", "content": [' + b"[]," * 5_000_000 + b"[]]}}\n"
    status = mallory.post("/api/models/mallory/line/commit/main", content=lines() + bomb).status_code
    assert status in (400, 413)
    assert hub.memory - before < 150 << 20


def test_a_viewer_of_many_patterns_and_files_is_no_work(hub):
    mallory = hub.client("mallory")
    mallory.post("/api/repos/create", json={"name": "rows", "type": "dataset"}).raise_for_status()
    paths = "".join(f"  - split: s{at}\n    path: ['*a*b*{at}*c*x', '**/*d*e*{at}*']\n" for at in range(500))
    card = f"---\nconfigs:\n- config_name: c\n  data_files:\n{paths}---\n".encode()
    names = (f"{'ab' * 20}/{at}/{'cd' * 20}.jsonl" for at in range(1_000))
    body = lines(file("README.md", card), *(file(name, b"{}\n") for name in names))
    mallory.post("/api/datasets/mallory/rows/commit/main", content=body).raise_for_status()
    before = hub.processor
    for _ in range(2):
        assert hub.client().get("/datasets/mallory/rows/viewer").status_code == 200
    assert hub.processor - before < 2.5


def test_a_discussion_of_slow_comments_is_shown_soon(hub):
    mallory = hub.client("mallory")
    mallory.post("/api/repos/create", json={"name": "talk", "type": "model"}).raise_for_status()
    number = mallory.post("/api/models/mallory/talk/discussions", json={"title": "t", "description": "d"}).json()["num"]
    for at in range(6):
        text = {"comment": f"{at}" + "- - - a\n" * 8_000}
        mallory.post(f"/api/models/mallory/talk/discussions/{number}/comment", json=text).raise_for_status()
    before = hub.processor
    page = hub.client().get(f"/mallory/talk/discussions/{number}")
    assert page.status_code == 200
    assert hub.processor - before < 2.5
    assert "Only the beginning is shown" in page.text
