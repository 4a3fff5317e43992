"""Requests that are wrong, broken off, too large or not allowed: the right status, X-Error-Message, an intact store."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from harness.hubd.embedded import running
from harness.hubd.root import existing_root
from harness.hubd.storage.verify import verify

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def repo(api) -> str:
    name = api.create_repo("ada/bad").repo_id
    api.upload_file(path_or_fileobj=b"fine", path_in_repo="fine.txt", repo_id=name)
    api.create_repo("ada/hidden", private=True)
    api.upload_file(path_or_fileobj=os.urandom(5000), path_in_repo="secret.bin", repo_id="ada/hidden")
    return name


def send(url: str, method: str, path: str, body: bytes = b"", token: str | None = "hf_ada_write", **headers: str):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def line(key: str, **value: object) -> bytes:
    return json.dumps({"key": key, "value": value}).encode() + b"\n"


def lfs_upload(url: str, repo: str, content: bytes, token: str = "hf_ada_write") -> str:
    """Ask where to put `content` and return that path."""
    item = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    batch = json.dumps({"operation": "upload", "objects": [item]}).encode()
    answer = json.loads(send(url, "POST", f"/{repo}.git/info/lfs/objects/batch", batch, token).content)
    link = urlsplit(answer["objects"][0]["actions"]["upload"]["href"])
    return f"{link.path}?{link.query}"


HEADER = line("header", summary="s")
X = {"content": "eA==", "encoding": "base64"}
COMMIT = "/api/models/ada/bad/commit/main"
CREATE = "/api/repos/create"

TABLE = [
    # paths that escape
    ("POST", COMMIT, HEADER + line("file", path="../x", **X), "hf_ada_write", 422),
    ("POST", COMMIT, HEADER + line("file", path="/etc/x", **X), "hf_ada_write", 422),
    ("POST", COMMIT, HEADER + line("file", path="a\\..\\x", **X), "hf_ada_write", 422),
    ("POST", COMMIT, HEADER + line("file", path="a/.git/hooks/x", **X), "hf_ada_write", 422),
    ("POST", COMMIT, HEADER + line("deletedFolder", path="../"), "hf_ada_write", 422),
    ("POST", "/api/models/ada/bad/commit/..%2F..%2Fmain", HEADER, "hf_ada_write", 404),
    ("GET", "/ada/bad/resolve/main/%2e%2e/%2e%2e/hub.db", b"", "hf_ada_write", 404),
    ("GET", "/ada/bad/resolve/main/..%5c..%5chub.db", b"", "hf_ada_write", 404),
    ("GET", "/ada/bad/resolve/main/%ff%fe", b"", "hf_ada_write", 400),
    ("GET", "/api/models/..%2f..%2fhub.db", b"", "hf_ada_write", 404),
    ("POST", "/api/models/ada/bad/branch/..%2F..%2Fx", b"{}", "hf_ada_write", 400),
    ("POST", f"/api/models/ada/bad/branch/{'x' * 300}", b"{}", "hf_ada_write", 400),
    ("POST", "/api/models/ada/bad/tag/main", b'{"tag": "", "message": "m"}', "hf_ada_write", 400),
    # a symlink is no operation, and a mode does not make one
    ("POST", COMMIT, HEADER + line("symlink", path="l", target="/etc/passwd"), "hf_ada_write", 400),
    # bodies that stop midway or are no JSON
    ("POST", COMMIT, HEADER + line("file", path="a", **X)[:-9], "hf_ada_write", 400),
    ("POST", COMMIT, line("file", path="a", **X), "hf_ada_write", 400),
    ("POST", COMMIT, HEADER + b"[1, 2]\n", "hf_ada_write", 400),
    ("POST", COMMIT, HEADER + line("file", path="a", content="\u00e9", encoding="base64"), "hf_ada_write", 400),
    ("POST", COMMIT + "?create_pr=1", line("header", summary="\ud800"), "hf_ada_write", 400),
    ("PUT", "/api/models/ada/bad/settings", b'{"x": "\\ud800"}', "hf_ada_write", 400),
    ("POST", "/api/models/ada/bad/lfs-files/duplicate", b'{"target": {}, "files": []}', "hf_ada_write", 400),
    ("POST", CREATE, b'{"name": "x"', "hf_ada_write", 400),
    ("POST", CREATE, b"[" * 100_000, "hf_ada_write", 400),
    ("POST", CREATE, b'{"name": "' + b"x" * (33 << 20) + b'"}', "hf_ada_write", 413),
    ("POST", "/api/models/ada/bad/paths-info/main", b'{"paths": [], "expand": []}', "hf_ada_write", 200),
    # hashes that are wrong, files that nobody uploaded, or that the caller may not see
    ("POST", COMMIT, HEADER + line("lfsFile", path="a", oid="xyz"), "hf_ada_write", 400),
    ("POST", COMMIT, HEADER + line("lfsFile", path="a", oid="0" * 64, size=3), "hf_ada_write", 400),
    ("PUT", f"/lfs/{'0' * 64}?token=x.y", b"x", None, 401),
    # who
    ("GET", "/api/whoami-v2", b"", "hf_nobody", 401),
    ("GET", "/api/models/ada/bad", b"", "hf_nobody", 401),
    ("GET", "/api/whoami-v2", b"", None, 401),
    ("POST", COMMIT, HEADER, "hf_ada_read", 403),
    ("POST", CREATE, b'{"name": "x"}', "hf_ada_read", 403),
    ("POST", "/api/models/ada/bad/tag/main", b'{"tag": "t"}', "hf_ada_read", 403),
    ("DELETE", "/api/repos/delete", b'{"name": "bad"}', "hf_ada_read", 403),
    ("POST", COMMIT, HEADER, "hf_bob_write", 403),
    ("POST", COMMIT, HEADER, None, 401),
    ("GET", "/api/models/ada/hidden", b"", "hf_bob_write", 404),
    ("GET", "/api/models/ada/hidden", b"", None, 401),
    ("GET", "/ada/hidden/resolve/main/secret.bin", b"", "hf_bob_write", 404),
    ("GET", "/ada/hidden/resolve/main/secret.bin", b"", None, 401),
    # out of scope
    ("GET", "/api/settings/webhooks", b"", "hf_ada_write", 404),
    ("PATCH", "/api/models", b"", "hf_ada_write", 404),
    ("GET", "/api/models?search=" + "x" * 40_000, b"", "hf_ada_write", 414),
]


@pytest.mark.parametrize(("method", "path", "body", "token", "status"), TABLE, ids=range(len(TABLE)))
def test_a_wrong_request_gets_the_right_status_and_changes_nothing(hub, api, repo, method, path, body, token, status):
    head = api.model_info(repo).sha
    answer = send(hub.url, method, path, body, token)
    assert answer.status == status, answer.content[:300]
    assert status == 200 or answer.headers["X-Error-Message"]
    assert api.model_info(repo).sha == head


def test_headers_that_are_too_large_are_431(hub):
    answer = send(hub.url, "GET", "/api/models", b"", **{"X-Long": "x" * 40_000})
    assert (answer.status, bool(answer.headers["X-Error-Message"])) == (431, True)


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"GET / HTTP/1.1\r\n"], ids=range(3))
def test_a_head_that_does_not_end_is_cut_off(hub, start):
    address = urlsplit(hub.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(start)
        with contextlib.suppress(ConnectionError):  # the server may be gone before all is sent
            for number in range(200):
                connection.sendall(b"x" * 1000 if start[-1:] != b"\n" else b"a%d: b\r\n" % number * 100)
            assert connection.recv(12).startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
            return


def test_a_pointer_written_by_hand_does_not_open_the_large_file_of_someone_else(hub, api, bob, repo):
    secret = api.get_paths_info("ada/hidden", "secret.bin")[0].lfs
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{secret.sha256}\nsize {secret.size}\n"
    mine = bob.create_repo("bob/forger").repo_id
    content = base64.b64encode(pointer.encode()).decode()
    operation = HEADER + line("file", path="stolen.bin", content=content, encoding="base64")
    answer = send(hub.url, "POST", f"/api/models/{mine}/commit/main", operation, "hf_bob_write")
    assert answer.status == 400
    assert send(hub.url, "POST", COMMIT, operation).status == 200, "its owner may"
    whole = send(hub.url, "GET", "/ada/hidden/resolve/main/secret.bin").content
    assert (len(whole), send(hub.url, "GET", f"/{repo}/resolve/main/stolen.bin").content) == (5000, whole)


@pytest.mark.parametrize("kind", ["lfs", "commit", "xorb", "json"])
def test_an_upload_that_breaks_off_leaves_nothing(hub, api, repo, kind):
    cas = json.loads(send(hub.url, "GET", f"/api/models/{repo}/xet-write-token/main").content)
    method, path, token = {
        "lfs": ("PUT", lfs_upload(hub.url, repo, os.urandom(100_000)), ""),
        "commit": ("POST", COMMIT, "hf_ada_write"),
        "xorb": ("POST", f"{urlsplit(cas['casUrl']).path}/v1/xorbs/default/{'0' * 64}", cas["accessToken"]),
        "json": ("POST", CREATE, "hf_ada_write"),
    }[kind]
    head, address = api.model_info(repo).sha, urlsplit(hub.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {address.netloc}", "Content-Length: 100000"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        connection.sendall(
            "\r\n".join([*lines, "", ""]).encode() + HEADER + line("file", path="half", **X) + b"x" * 5000
        )
    assert api.model_info(repo).sha == head
    for _ in range(200):
        if not list((hub.root / "tmp").iterdir()):
            break
        api.whoami()
    assert not list((hub.root / "tmp").iterdir())


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u00e9.x", "e30.e30"])
def test_a_damaged_link_is_401(hub, token):
    answer = send(hub.url, "PUT", f"/lfs/{'0' * 64}?token={quote(token)}", b"x", None)
    assert (answer.status, bool(answer.headers["X-Error-Message"])) == (401, True)


def fill_and_free(url: str, token: str, free) -> None:
    """Write until the disk is full, in every way there is; each refusal is a 507; with room again all is well."""
    repo = "local/full"
    assert send(url, "POST", CREATE, b'{"name": "full"}', token).status == 200
    statuses: dict[str, set[int]] = {"commit": set(), "many": set(), "lfs": set(), "create": set()}
    for number in range(60):
        noise = base64.b64encode(os.urandom(60_000)).decode()
        body = HEADER + line("file", path=f"{number}", content=noise, encoding="base64")
        statuses["commit"].add(send(url, "POST", f"/api/models/{repo}/commit/main", body, token).status)
        many = [line("file", path=f"{number}-{i}", content=noise[: 400 * i], encoding="base64") for i in range(20)]
        answer = send(url, "POST", f"/api/models/{repo}/commit/main", HEADER + b"".join(many), token)
        statuses["many"].add(answer.status)
        large = os.urandom(200_000)
        if b"actions" in (got := _batch(url, repo, large, token)):
            link = urlsplit(json.loads(got)["objects"][0]["actions"]["upload"]["href"])
            statuses["lfs"].add(send(url, "PUT", f"{link.path}?{link.query}", large, None).status)
        statuses["create"].add(send(url, "POST", CREATE, b'{"name": "r%d"}' % number, token).status)
    assert all(507 in found and found <= {200, 507} for found in statuses.values()), statuses
    answer = send(url, "POST", f"/api/models/{repo}/commit/main", HEADER + line("file", path="x", content=noise), token)
    assert (answer.status, "full" in answer.headers["X-Error-Message"]) == (507, True)
    free()
    body = HEADER + line("file", path="after", **X)
    assert send(url, "POST", f"/api/models/{repo}/commit/main", body, token).status == 200


def _batch(url: str, repo: str, content: bytes, token: str) -> bytes:
    item = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    batch = json.dumps({"operation": "upload", "objects": [item]}).encode()
    return send(url, "POST", f"/{repo}.git/info/lfs/objects/batch", batch, token).content


def test_a_full_disk_is_said_and_harms_nothing(tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", root], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        ballast = root / "ballast"
        ballast.write_bytes(bytes(1_500_000))
        with running(root) as hub:
            fill_and_free(hub.url, hub.token, ballast.unlink)
        assert verify(existing_root(root, locked=False)).problems == []
        assert not list((root / "tmp").iterdir())
    finally:
        subprocess.run(["umount", root], check=True)


def test_a_short_fuzz_run_finds_nothing():
    """A longer one is `tests/benchmarks/hub_fuzz.py`."""
    command = [sys.executable, str(BENCHMARKS / "hub_fuzz.py"), "--requests", "2000", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
