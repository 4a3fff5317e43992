"""Attackers name large files, and parts of Xet uploads, by hashes: known ones, guessed ones, and ones they make up."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import httpx
import pytest

BOOKEND = b"\xff" * 32
TRUE = "11" * 32
"""What a client calls a file; the attacker knows it, as everybody who may see the file."""


def raw(name: str) -> bytes:
    return struct.pack("<4Q", *(int(name[at : at + 16], 16) for at in range(0, 64, 16)))


def xorb(content: bytes) -> bytes:
    """Return a xorb of one plain chunk."""
    length = len(content).to_bytes(3, "little")
    return b"\0" + length + b"\0" + length + content


def shard(file: str, parts: str, size: int) -> bytes:
    """Return a shard that says: `file` is the one chunk of the xorb `parts`."""
    segment = raw(parts) + struct.pack("<IIII", 0, size, 0, 1)
    return b"HFRepoMetaDa" + bytes(36) + raw(file) + struct.pack("<IIQ", 0, 1, 0) + segment + BOOKEND + bytes(16)


class Uploads:
    """Somebody's uploads by the Xet protocol, with a token for one repository."""

    def __init__(self, client: httpx.Client, repo: str) -> None:
        self._client = client
        self._cas = client.get(f"/api/models/{repo}/xet-write-token/main").json()

    def post(self, path: str, body: bytes) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._cas['accessToken']}"}
        return self._client.post(f"{self._cas['casUrl']}/{path}", content=body, headers=headers)

    def xorb(self, name: str, content: bytes) -> httpx.Response:
        return self.post(f"v1/xorbs/default/{name}", xorb(content))

    def file(self, name: str, parts: str, size: int) -> httpx.Response:
        return self.post("v1/shards", shard(name, parts, size))


def create(client: httpx.Client, name: str, **settings: Any) -> str:
    owner, _, alone = name.partition("/")
    organization = {"organization": owner} if owner == "acme" else {}
    client.post("/api/repos/create", json={"name": alone, **organization, **settings}).raise_for_status()
    return name


def commit(client: httpx.Client, repo: str, content: bytes, path: str = "w.bin") -> httpx.Response:
    """Commit a large file by its sha256."""
    entry = {"path": path, "algo": "sha256", "oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    lines = [{"key": "header", "value": {"summary": "weights"}}, {"key": "lfsFile", "value": entry}]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    return client.post(f"/api/models/{repo}/commit/main", content=body, headers=headers)


def put(client: httpx.Client, repo: str, content: bytes) -> dict[str, Any]:
    """Upload a large file by LFS, if the Hub asks for it; return what the Hub said of it."""
    entry = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    batch = {"operation": "upload", "objects": [entry]}
    found = client.post(f"/{repo}.git/info/lfs/objects/batch", json=batch).raise_for_status().json()["objects"][0]
    if "actions" in found:
        httpx.put(found["actions"]["upload"]["href"], content=content, trust_env=False).raise_for_status()
    return dict(found)


def read(client: httpx.Client, cas: dict[str, Any], name: str) -> bytes:
    headers = {"Authorization": f"Bearer {cas['accessToken']}"}
    answer = client.get(f"{cas['casUrl']}/v1/reconstructions/{name}", headers=headers)
    if answer.status_code != 200:
        return b""
    [piece] = [fetch for fetches in answer.json()["fetch_info"].values() for fetch in fetches]
    return httpx.get(piece["url"], trust_env=False).content[8:]


def test_nobody_changes_what_others_download_by_giving_its_name_to_another_file(hub):
    alice, mallory, anybody = hub.client("alice"), hub.client("mallory"), hub.client()
    repo = create(alice, "alice/real")
    good, evil = b"good weights " * 400, b"evil weights " * 400
    own, his = Uploads(alice, repo), Uploads(mallory, repo)
    own.xorb("a1" * 32, good)
    own.file(TRUE, "a1" * 32, len(good))
    commit(alice, repo, good).raise_for_status()
    # A reader has asked what the file is called; what is registered under that name now must not come instead.
    shown = anybody.head(f"/{repo}/resolve/main/w.bin").headers["X-Xet-Hash"]
    cas = anybody.get(f"/api/models/{repo}/xet-read-token/main").json()
    for name in (shown, TRUE):
        his.xorb("e1" * 32, evil)
        his.file(name, "e1" * 32, len(evil))
    assert read(anybody, cas, shown) == good
    assert anybody.get(f"/{repo}/resolve/main/w.bin").content == good


def test_nobody_reads_what_is_private_by_naming_a_part_of_it(hub):
    alice, mallory = hub.client("alice"), hub.client("mallory")
    secret = b"private notes " * 300
    hidden = create(alice, "alice/hidden", private=True)
    own = Uploads(alice, hidden)
    own.xorb("a2" * 32, secret)
    own.file("12" * 32, "a2" * 32, len(secret))
    commit(alice, hidden, secret).raise_for_status()
    mine = create(mallory, "mallory/reads")
    his = Uploads(mallory, mine)
    his.file("13" * 32, "a2" * 32, len(secret))
    commit(mallory, mine, secret)
    assert mallory.get(f"/{mine}/resolve/main/w.bin").content != secret
    assert his.xorb("a2" * 32, b"another").json()["was_inserted"], "nor is it said whether it is there"


def test_nobody_learns_that_others_have_uploaded_the_same_file(hub):
    alice, mallory = hub.client("alice"), hub.client("mallory")
    guessed = b"a guessed file " * 300
    hidden = create(alice, "alice/guessed", private=True)
    own = Uploads(alice, hidden)
    own.xorb("a4" * 32, guessed)
    own.file("15" * 32, "a4" * 32, len(guessed))
    commit(alice, hidden, guessed).raise_for_status()
    mine = create(mallory, "mallory/guesses")
    assert "actions" in put(mallory, mine, guessed)
    commit(mallory, mine, guessed).raise_for_status()
    assert "X-Xet-Hash" not in mallory.head(f"/{mine}/resolve/main/w.bin").headers


def test_nobody_blocks_an_upload_by_sending_garbage_under_its_name(hub):
    alice, mallory, anybody = hub.client("alice"), hub.client("mallory"), hub.client()
    repo, good = create(alice, "alice/blocked"), b"weights to come " * 300
    Uploads(mallory, repo).xorb("a3" * 32, b"garbage")
    own = Uploads(alice, repo)
    own.xorb("a3" * 32, good)
    own.file("14" * 32, "a3" * 32, len(good))
    assert commit(alice, repo, good).status_code == 200
    assert anybody.get(f"/{repo}/resolve/main/w.bin").content == good


def test_an_upload_that_is_not_committed_is_there_for_who_sent_it_only(hub):
    alice, mallory, repo = hub.client("alice"), hub.client("mallory"), "alice/early"
    create(alice, repo)
    content = b"not yet published " * 300
    put(alice, repo, content)
    assert "actions" in put_batch(mallory, repo, content), "he is not told that it is there"
    assert "actions" not in put_batch(mallory, repo, content, "download")
    mine = create(mallory, "mallory/early")
    assert commit(mallory, mine, content).status_code == 400
    cas = mallory.get(f"/api/models/{repo}/xet-read-token/main").json()
    assert read(mallory, cas, hashlib.sha256(content).hexdigest()) == b""
    assert commit(alice, repo, content).status_code == 200


def put_batch(client: httpx.Client, repo: str, content: bytes, operation: str = "upload") -> dict[str, Any]:
    entry = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    batch = {"operation": operation, "objects": [entry]}
    return dict(client.post(f"/{repo}.git/info/lfs/objects/batch", json=batch).json()["objects"][0])


def test_what_was_squashed_away_cannot_be_had_by_its_hash_or_its_commit(hub):
    alice, mallory, repo = hub.client("alice"), hub.client("mallory"), "alice/squashed"
    create(alice, repo)
    content = b"published by mistake " * 300
    put(alice, repo, content)
    old = commit(alice, repo, content).json()["commitOid"]
    lines = [{"key": "header", "value": {"summary": "gone"}}, {"key": "deletedFile", "value": {"path": "w.bin"}}]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    alice.post(f"/api/models/{repo}/commit/main", content=body, headers=headers).raise_for_status()
    assert mallory.get(f"/{repo}/resolve/{old}/w.bin").content == content, "history is public"
    alice.post(f"/api/models/{repo}/super-squash/main", json={}).raise_for_status()
    assert mallory.get(f"/{repo}/resolve/{old}/w.bin").status_code == 404
    assert mallory.get(f"/api/models/{repo}/tree/{old[:10]}").status_code == 404
    assert commit(mallory, create(mallory, "mallory/keeps"), content).status_code == 400


@pytest.mark.parametrize("route", ["lfs", "xet"])
def test_links_and_tokens_end_with_the_right_to_read(hub, route):
    alice, mallory, repo = hub.client("alice"), hub.client("mallory"), f"alice/closed-{route}"
    create(alice, repo)
    content = f"open for a while, {route} ".encode() * 300
    put(alice, repo, content)
    commit(alice, repo, content).raise_for_status()
    if route == "lfs":
        link = put_batch(mallory, repo, content, "download")["actions"]["download"]["href"]
        assert mallory.get(link, headers={"Authorization": ""}).content == content
        alice.put(f"/api/models/{repo}/settings", json={"private": True}).raise_for_status()
        assert mallory.get(link, headers={"Authorization": ""}).status_code in (401, 403, 404)
    else:
        cas = mallory.get(f"/api/models/{repo}/xet-read-token/main").json()
        assert read(mallory, cas, hashlib.sha256(content).hexdigest()) == content
        alice.put(f"/api/models/{repo}/settings", json={"gated": "auto"}).raise_for_status()
        assert read(mallory, cas, hashlib.sha256(content).hexdigest()) == b""
