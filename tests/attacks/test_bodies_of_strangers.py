"""Bodies of requests that nobody has the right to send: they are refused before they come, and fill nothing."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

PIECE = bytes(1 << 20)
SHA = "a" * 64
BODIES = {
    "a large file at no link": f"PUT /lfs/{SHA}",
    "a large file at a made-up link": f"PUT /lfs/{SHA}?token=e30.AAAA",
    "a commit to nothing": "POST /api/models/nobody/nothing/commit/main",
    "a commit to a stranger's repository": "POST /api/models/alice/shown/commit/main",
    "a commit to a private repository": "POST /api/models/alice/hidden/commit/main",
    "a shard": "POST /xet/x/v1/shards",
    "a xorb": f"POST /xet/x/v1/xorbs/default/{SHA}",
    "a new repository": "POST /api/repos/create",
    "a collection": "POST /api/collections",
    "a comment": "POST /api/models/alice/shown/discussions",
    "a card": "POST /api/validate-yaml",
    "paths of nothing": "POST /api/models/nobody/nothing/paths-info/main",
    "a form": "POST /-/login",
}


@pytest.fixture(scope="module")
def repositories(hub) -> None:
    alice = hub.client("alice")
    for name, private in (("shown", False), ("hidden", True)):
        alice.post("/api/repos/create", json={"name": name, "private": private}).raise_for_status()


def head(hub, start: str, *headers: str, length: int = 50 << 30) -> bytes:
    lines = [f"{start} HTTP/1.1", f"Host: {urlsplit(hub.url).netloc}", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def opened(hub) -> closing[socket.socket]:
    return closing(socket.create_connection((urlsplit(hub.url).hostname, urlsplit(hub.url).port), timeout=3))


def status(connection: socket.socket) -> int | None:
    """Return the status of the answer, None if there is none within three seconds."""
    with closing(http.client.HTTPResponse(connection)) as answer:
        try:
            answer.begin()
        except (TimeoutError, OSError, http.client.HTTPException):
            return None
        return answer.status


@pytest.fixture
def told(hub, repositories) -> Iterator[list[str]]:
    yield []
    who = hub.client("alice").get("/api/whoami-v2", timeout=5)
    assert who.json()["name"] == "alice"


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)], ids=["sends", "asks"])
def test_a_body_is_refused_on_its_head(hub, told, what, expect):
    with opened(hub) as connection:
        connection.sendall(head(hub, BODIES[what], *expect))
        assert status(connection) in (400, 401, 403, 404, 413)


def test_what_is_sent_all_the_same_reaches_no_disk_and_little_memory(hub, told):
    before = hub.memory
    held = 0
    for start in list(BODIES.values())[:6]:
        with opened(hub) as connection:
            connection.sendall(head(hub, start, "Content-Type: text/plain"))
            try:
                for _ in range(24):
                    connection.sendall(PIECE)
                time.sleep(0.1)
            except OSError:  # refused, and closed
                pass
            held = max(held, sum(path.stat().st_size for path in (hub.root / "tmp").iterdir()))
    assert held == 0
    assert hub.memory - before < 40 << 20


@pytest.mark.parametrize("what", ["a commit to a stranger's repository", "a commit to a private repository"])
def test_a_token_of_somebody_else_helps_no_further(hub, told, what):
    with opened(hub) as connection:
        connection.sendall(head(hub, BODIES[what], "Authorization: Bearer hf_mallory_writes"))
        assert status(connection) in (403, 404)


def test_a_link_takes_what_was_announced_and_no_more(hub, told):
    batch = {"operation": "upload", "objects": [{"oid": SHA, "size": 1000}]}
    answer = hub.client("alice").post("/alice/shown.git/info/lfs/objects/batch", json=batch)
    link = answer.json()["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.url)
    with opened(hub) as connection:
        connection.sendall(head(hub, f"PUT {link}", length=1 << 40))
        assert status(connection) == 413


def test_small_questions_of_anybody_have_small_bodies(hub, told):
    for what, size in (("a card", 30 << 20), ("paths of nothing", 30 << 20), ("a form", 1 << 20)):
        start = BODIES[what].replace("nobody/nothing", "alice/shown")
        with opened(hub) as connection:
            connection.sendall(head(hub, start, "Content-Type: application/json", length=size))
            assert status(connection) == 413
