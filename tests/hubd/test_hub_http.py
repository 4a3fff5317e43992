"""Raw HTTP: what no client sends by itself, and what the store looks like afterwards."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from harness.hubd.storage.xorbs import Shard


@pytest.fixture(scope="module")
def repo(api) -> str:
    name = api.create_repo("ada/raw").repo_id
    api.upload_file(path_or_fileobj=b"hello", path_in_repo="a b/ü.txt", repo_id=name)
    api.upload_file(path_or_fileobj=bytes(range(256)) * 100, path_in_repo="w.bin", repo_id=name)
    return name


@pytest.fixture(scope="module")
def send(hub):
    def request(method, path, body=None, token="hf_ada_write", **headers):
        connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=30)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, dict | list):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        with suppress(BrokenPipeError):  # a body that is refused at its head; the answer is there all the same
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    return request


def ndjson(*operations, summary="s"):
    lines = [{"key": "header", "value": {"summary": summary}}, *operations]
    return "".join(json.dumps(line) + "\n" for line in lines)


def file(path, content=b"x"):
    return {"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}}


BAD_PATHS = [
    "", "/", ".", "..", "../x", "a/../x", "/abs", "a//b", "a\\b", "..\\x", ".git", ".git/config", "a/.GIT/x", ".git./x",
    "git~1/x", "a/./b", "x\0y", "new\nline", "\ud800", "n" * 300, "d/" * 3000 + "x",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS, ids=range(len(BAD_PATHS)))
@pytest.mark.parametrize("key", ["file", "deletedFile", "lfsFile"])
def test_a_path_that_could_escape_is_422_and_nothing_moves(send, api, repo, key, path):
    head = api.model_info(repo).sha
    operation = {"key": key, "value": {**file(path)["value"], "algo": "sha256", "oid": "0" * 64}}
    answer = send("POST", f"/api/models/{repo}/commit/main", ndjson(file("fine.txt"), operation))
    assert answer.status == 422
    assert answer.headers["X-Error-Message"]
    assert api.model_info(repo).sha == head


@pytest.mark.parametrize("path", ["..%2F..%2Fhub.db", "..", "%2e%2e%2fhub.db", "%00", "a%5cb", "../../../hub.db"])
def test_a_path_that_could_escape_reads_nothing(send, repo, path):
    assert send("GET", f"/{repo}/resolve/main/{path}").status == 404
    assert send("GET", f"/api/models/{repo}/tree/main/{path}").status == 404
    assert send("GET", f"/api/models/{repo}/revision/{path.replace('/', '%2F')}").status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (ndjson(file("a.txt"))[:-20], 400),
        ("", 400),
        ("[]", 400),
        ('{"key":"file"}', 400),
        (json.dumps(file("a.txt")), 400),
        ("\xff\xfe", 400),
        ("[" * 100_000, 400),
        (ndjson({"key": "nonsense", "value": {"path": "a"}}), 400),
        (ndjson({"key": "file", "value": {"path": "a", "content": "!!", "encoding": "base64"}}), 400),
        (ndjson({"key": "lfsFile", "value": {"path": "a", "oid": "../x"}}), 400),
        (ndjson({"key": "lfsFile", "value": {"path": "a", "oid": "0" * 64, "size": 1}}), 400),
        (ndjson(file("w.bin/below")), 422),
        (ndjson(file("n"), file("n/below")), 422),
        (ndjson({"key": "deletedFolder", "value": {"path": "w.bin"}}), 404),
    ],
)
def test_a_damaged_commit_changes_nothing(send, api, repo, body, status):
    head = api.model_info(repo).sha
    assert send("POST", f"/api/models/{repo}/commit/main", body.encode("latin-1")).status == status
    assert api.model_info(repo).sha == head


def test_quoted_names_and_refs_are_read_from_the_raw_path(send, repo):
    answer = send("GET", f"/{repo}/resolve/refs%2Fheads%2Fmain/a%20b/%C3%BC.txt")
    assert (answer.status, answer.content) == (200, b"hello")


def test_ranges_etags_and_head(send, repo):
    whole = send("GET", f"/{repo}/resolve/main/w.bin")
    content = bytes(range(256)) * 100
    assert whole.content == content
    assert whole.headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    head = send("HEAD", f"/{repo}/resolve/main/w.bin")
    assert (head.status, head.headers["Content-Length"], head.content) == (200, str(len(content)), b"")
    assert head.headers["X-Linked-Size"] == str(len(content))
    for asked, expected in (
        ("bytes=5-9", content[5:10]),
        ("bytes=-7", content[-7:]),
        ("bytes=25000-", content[25000:]),
    ):
        part = send("GET", f"/{repo}/resolve/main/w.bin", Range=asked)
        assert (part.status, part.content) == (206, expected)
    assert send("GET", f"/{repo}/resolve/main/w.bin", Range="bytes=99999-").status == 416
    assert send("GET", f"/{repo}/resolve/main/w.bin", If_None_Match=whole.headers["ETag"]).status == 304


def test_missing_things_carry_the_codes_that_clients_map(send, repo):
    entry = send("GET", f"/{repo}/resolve/main/none.txt")
    assert (entry.status, entry.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert len(entry.headers["X-Repo-Commit"]) == 40
    assert send("GET", f"/{repo}/resolve/none/w.bin").headers["X-Error-Code"] == "RevisionNotFound"
    assert send("GET", "/api/models/ada/none").headers["X-Error-Code"] == "RepoNotFound"
    anonymous = send("GET", "/api/models/ada/none", token=None)
    assert (anonymous.status, anonymous.headers["X-Error-Code"]) == (401, "RepoNotFound")


def lfs_link(send, repo, content, claimed=None):
    oid = claimed or hashlib.sha256(content).hexdigest()
    body = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": len(content)}]}
    answer = json.loads(send("POST", f"/{repo}.git/info/lfs/objects/batch", body).content)
    return answer["objects"][0]["actions"]["upload"]["href"]


def test_an_lfs_upload_must_be_what_was_announced_and_its_link_cannot_be_altered(send, hub, repo):
    content = os.urandom(1000)
    link = urlsplit(lfs_link(send, repo, content))
    path = f"{link.path}?{link.query}"
    files = sum(p.is_file() for p in (hub.root / "files").rglob("*"))
    assert send("PUT", path, os.urandom(1000), token=None).status == 400
    assert send("PUT", path, content[:-1], token=None).status == 400
    assert send("PUT", path[:-4] + "AAAA", content, token=None).status == 401
    other = hashlib.sha256(b"other").hexdigest()
    assert send("PUT", f"/lfs/{other}?{link.query}", b"other", token=None).status == 403
    assert sum(p.is_file() for p in (hub.root / "files").rglob("*")) == files
    assert not list((hub.root / "tmp").iterdir())
    assert send("PUT", path, content, token=None).status == 200


def test_xet_uploads_need_their_own_token(send, hub, repo):
    cas = json.loads(send("GET", f"/api/models/{repo}/xet-write-token/main").content)
    path = urlsplit(cas["casUrl"]).path
    reader = json.loads(send("GET", f"/api/models/{repo}/xet-read-token/main").content)["accessToken"]
    for token, status in (("hf_ada_write", 401), (reader, 403), (cas["accessToken"][:-3] + "AAA", 401)):
        assert send("POST", f"{path}/v1/xorbs/default/{'0' * 64}", b"x", token=token).status == status
        assert send("POST", f"{path}/v2/shards", b"x", token=token).status == status
    for name, body in (("0" * 64, b"x" * 100), ("../../x", b"x"), ("0" * 64, b"")):
        assert send("POST", f"{path}/v1/xorbs/default/{name}", body, token=cas["accessToken"]).status in (400, 404)
    assert send("POST", f"{path}/v2/shards", b"HFRepoMetaDa" + b"x" * 99, token=cas["accessToken"]).status == 400
    assert send("GET", f"/api/models/{repo}/xet-write-token/main", token="hf_bob_write").status == 200
    assert send("GET", f"/api/models/{repo}/xet-write-token/main", token="hf_ada_read").status == 403
    assert not list((hub.root / "xorbs").iterdir())


def test_a_shard_that_never_ends_is_refused():
    from harness.hubd.errors import Refused

    header = b"HFRepoMetaDa" + b"\0" * 36
    with pytest.raises(Refused):
        Shard(header + b"\1" * 32 + (0).to_bytes(4, "little") + (2**32 - 1).to_bytes(4, "little"))


def test_oversized_and_malformed_requests_are_refused(send, repo):
    assert send("POST", "/api/repos/create", b"{" * 100).status == 400
    assert send("POST", "/api/repos/create", b"[]").status == 400
    assert send("POST", "/api/repos/create", b'{"name": "' + b"x" * (9 << 20) + b'"}').status == 413
    assert send("POST", "/api/repos/create", {"name": "../x"}).status == 400
    assert send("POST", "/api/repos/create", {"name": "x", "type": "kernel"}).status == 400
    assert send("GET", "/api/models?limit=-1").status == 400
    assert send("GET", "/api/nothing").status == 404
    assert send("POST", f"/api/models/{repo}/tag/main", {"tag": "a..b"}).status == 400
    assert send("POST", f"/api/models/{repo}/tag/main", {"tag": 5}).status == 400


def test_content_is_never_served_as_a_page(send, api, repo):
    api.upload_file(path_or_fileobj=b"<script>alert(1)</script>", path_in_repo="x.html", repo_id=repo)
    answer = send("GET", f"/{repo}/resolve/main/x.html")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pictures_of_a_card_are_served_as_pictures_and_those_with_scripts_are_not(send, api, repo):
    for name, kind in (("plot.png", "image/png"), ("photo.JPG", "image/jpeg"), ("drawing.svg", "text/plain")):
        api.upload_file(path_or_fileobj=b"<svg onload='alert(1)'/>", path_in_repo=name, repo_id=repo)
        answer = send("GET", f"/{repo}/resolve/main/{name}")
        assert answer.headers["Content-Type"].startswith(kind)
        assert "sandbox" in answer.headers["Content-Security-Policy"]
