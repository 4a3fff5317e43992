"""A stranger asks for large answers and does not read them, names a file many thousand times, sends half characters."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import time
from contextlib import ExitStack

import pytest

ZEROS = 8_000_000  # bytes of a small file; a few kilobytes on the disk
UNREAD = 90


@pytest.fixture(scope="module")
def mallory(hub):
    client = hub.client("mallory")
    client.post("/api/repos/create", json={"name": "pub"}).raise_for_status()
    content = base64.b64encode(bytes(ZEROS)).decode()
    commit(client, ("file", {"path": "zeros", "content": content, "encoding": "base64"}))
    return client


def commit(client, *operations: tuple[str, dict[str, object]]) -> None:
    lines = [("header", {"summary": "more"}), *operations]
    body = "\n".join(json.dumps({"key": key, "value": value}) for key, value in lines)
    client.post("/api/models/mallory/pub/commit/main", content=body).raise_for_status()


def test_answers_that_nobody_reads_do_not_fill_the_memory(hub, mallory):
    before = hub.memory
    host, port = hub.url.removeprefix("http://").split(":")
    with ExitStack() as held:
        for _ in range(UNREAD):
            connection = held.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((host, int(port)))
            connection.sendall(f"GET /mallory/pub/resolve/main/zeros HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            time.sleep(0.02)
        read = hub.client().get("/mallory/pub/resolve/main/zeros")  # after all of them were answered
        assert (read.status_code, len(read.content)) == (200, ZEROS)
        assert hub.memory - before < 0.7 * UNREAD * ZEROS


def test_whoever_asks_for_much_at_once_waits_for_it_alone(hub, mallory):
    alice = hub.client("alice")
    alice.post("/api/repos/create", json={"name": "own"}).raise_for_status()
    host, port = hub.url.removeprefix("http://").split(":")
    with ExitStack() as held:
        for _ in range(120):
            connection = held.enter_context(socket.socket())
            connection.connect((host, int(port)))
            asked = f"GET /mallory/pub/raw/main/zeros HTTP/1.1\r\nHost: {host}\r\nRange: bytes=0-0\r\n\r\n"
            connection.sendall(asked.encode())
        time.sleep(0.3)
        before = hub.processor  # however busy the machine is: what the Hub does before it answers her
        alice.get("/alice/own/resolve/main/.gitattributes").raise_for_status()
        assert hub.processor - before < 1.5


def test_a_file_that_is_named_many_times_is_no_work(hub, mallory):
    data = b"x" * 100
    sha256 = hashlib.sha256(data).hexdigest()
    asked = {"operation": "upload", "objects": [{"oid": sha256, "size": len(data)}]}
    link = mallory.post("/mallory/pub.git/info/lfs/objects/batch", json=asked).json()["objects"][0]["actions"]["upload"]
    mallory.put(link["href"], content=data).raise_for_status()
    commit(mallory, ("lfsFile", {"path": "x.bin", "oid": sha256, "algo": "sha256", "size": len(data)}))
    before = hub.processor
    body = {"target": {"type": "model", "name": "mallory/pub"}, "files": [{"sha256": sha256}] * 60_000}
    mallory.post("/api/models/mallory/pub/lfs-files/duplicate", json=body)
    assert hub.processor - before < 1.5


def test_files_with_long_names_make_no_endless_lists(hub, mallory):
    mallory.post("/api/repos/create", json={"name": "long"}).raise_for_status()
    folder = "/".join(["d" * 250] * 15)
    for part in range(2):
        files = [{"key": "file", "value": {"path": f"{folder}/{part}/{n}", "content": ""}} for n in range(4000)]
        body = "\n".join(map(json.dumps, [{"key": "header", "value": {"summary": "more"}}, *files]))
        mallory.post("/api/models/mallory/long/commit/main", content=body).raise_for_status()
    for path in ("/api/models/mallory/long", "/api/models?full=true"):
        assert len(hub.client().get(path).content) < 20 << 20
    listed = hub.client().get("/api/models/mallory/long/tree/main?recursive=true")
    assert len(listed.json()) == 1000
    assert listed.links["next"]


@pytest.mark.parametrize(
    "body",
    [b'{"a": "\xed\xa0\x80"}', '{"a": "\\ud800"}'.encode("utf-16"), b'{"a": NaN}', b'{"a": 1e999}'],
    ids=["half a character", "escaped in UTF-16", "no number", "no finite number"],
)
def test_json_that_cannot_be_sent_back_is_no_error_of_the_hub(mallory, body):
    found = mallory.put("/api/models/mallory/pub/settings", content=body, headers={"Content-Type": "application/json"})
    assert found.status_code < 500
