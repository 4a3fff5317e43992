"""Large request bodies, which do not pass the HTTP parser: everything around them goes on as with small ones."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
from urllib.parse import urlsplit

import pytest

from harness.hubd.server.protocol import LARGE, STEP
from harness.hubd.storage.xet_uploads import XORB_LIMIT

WHO = b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer hf_ada_write\r\n\r\n"


@pytest.fixture(scope="module")
def repo(api) -> str:
    return api.create_repo("ada/bodies").repo_id


@pytest.fixture
def connection(hub):
    with socket.create_connection((urlsplit(hub.url).hostname, urlsplit(hub.url).port), timeout=30) as found:
        yield found


def lfs_put(hub, repo: str, content: bytes, *headers: str) -> bytes:
    """Return the head of a request that uploads a large file."""
    batch = {"operation": "upload", "objects": [{"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}]}
    asking = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=30)
    asking.request(
        "POST", f"/{repo}.git/info/lfs/objects/batch", json.dumps(batch), {"Authorization": "Bearer hf_ada_write"}
    )
    link = json.loads(asking.getresponse().read())["objects"][0]["actions"]["upload"]["href"]
    asking.close()
    lines = [f"PUT {link.removeprefix(hub.url)} HTTP/1.1", "Host: localhost", *headers]
    if "Transfer-Encoding: chunked" not in headers:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode()


def status(connection: socket.socket) -> int:
    """Read one answer and return its status."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def kept(hub, content: bytes) -> bool:
    name = hashlib.sha256(content).hexdigest()
    path = hub.root / "files" / name[:2] / name[2:4] / name
    return path.exists() and path.read_bytes() == content


@pytest.mark.parametrize("size", [LARGE - 1, LARGE, STEP - 1, STEP, STEP + 1, 3 * STEP + 12_345])
def test_a_body_of_any_size_arrives_and_the_connection_goes_on(hub, repo, connection, size):
    for _ in range(2):
        content = os.urandom(size)
        connection.sendall(lfs_put(hub, repo, content) + content)
        assert status(connection) == 200
        assert kept(hub, content)
    connection.sendall(WHO)
    assert status(connection) == 200


def test_requests_may_follow_in_the_same_breath(hub, repo, connection):
    first, second = os.urandom(2 * STEP), os.urandom(LARGE + 1)
    puts = lfs_put(hub, repo, first) + first + WHO + lfs_put(hub, repo, second) + second + WHO
    connection.sendall(puts)
    answers = b""
    while answers.count(b"HTTP/1.1 200 OK") < 4:
        received = connection.recv(STEP)
        assert received, answers
        answers += received
    assert kept(hub, first)
    assert kept(hub, second)


def test_a_body_in_slow_small_pieces_arrives(hub, repo, connection):
    content = os.urandom(LARGE + 77)
    head = lfs_put(hub, repo, content)
    for piece in (head[:50], head[50:] + content[:1], content[1:2], content[2:200_000], content[200_000:]):
        connection.sendall(piece)
    assert status(connection) == 200
    assert kept(hub, content)


def test_a_client_that_waits_to_be_told_to_go_on_is_told(hub, repo, connection):
    content = os.urandom(2 * STEP)
    connection.sendall(lfs_put(hub, repo, content, "Expect: 100-continue"))
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(content)
    assert status(connection) == 200


def test_a_body_in_chunks_of_its_own_arrives(hub, repo, connection):
    content = os.urandom(2 * STEP)
    connection.sendall(lfs_put(hub, repo, content, "Transfer-Encoding: chunked"))
    for at in range(0, len(content), STEP):
        connection.sendall(b"%x\r\n" % STEP + content[at : at + STEP] + b"\r\n")
    connection.sendall(b"0\r\n\r\n")
    assert status(connection) == 200
    assert kept(hub, content)


@pytest.fixture
def xorb_head(hub, repo) -> str:
    cas = json.loads(_get(hub, f"/api/models/{repo}/xet-write-token/main"))
    path = f"{urlsplit(cas['casUrl']).path}/v1/xorbs/default/{'0' * 64}"
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {cas['accessToken']}\r\n"


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
def test_a_body_that_is_announced_as_too_large_is_refused_before_it_comes(hub, xorb_head, connection, expect):
    connection.sendall(f"{xorb_head}{expect}Content-Length: {XORB_LIMIT + 1}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert (answer.status, answer.headers["Connection"]) == (413, "close")
    assert answer.read()
    assert connection.recv(1) == b""  # the answer has come whole, then the end
    assert not list((hub.root / "tmp").iterdir())


def test_who_sends_on_reads_the_refusal_all_the_same(hub, xorb_head, connection):
    connection.sendall(f"{xorb_head}Content-Length: {XORB_LIMIT + 1}\r\n\r\n".encode() + bytes(800_000))
    assert status(connection) == 413


def test_a_body_in_chunks_that_grows_too_large_is_refused_under_way(hub, xorb_head, connection):
    connection.sendall(f"{xorb_head}Transfer-Encoding: chunked\r\n\r\n".encode())
    for _ in range(XORB_LIMIT // STEP + 3):  # more than a step beyond, or it would wait for the rest of one
        connection.sendall(b"%x\r\n" % STEP + bytes(STEP) + b"\r\n")
    assert status(connection) == 413
    assert not list((hub.root / "tmp").iterdir())


def test_a_short_body_that_is_refused_is_read_and_the_connection_goes_on(hub, repo, connection):
    head = f"POST /api/models/{repo}/branch/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"
    connection.sendall(head.encode())
    assert status(connection) == 401  # before any of it has come
    connection.sendall(bytes(5000) + WHO)
    assert status(connection) == 200


def _get(hub, path: str) -> bytes:
    asking = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=30)
    asking.request("GET", path, headers={"Authorization": "Bearer hf_ada_write"})
    try:
        return asking.getresponse().read()
    finally:
        asking.close()
