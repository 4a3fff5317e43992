"""Outsiders try to get the files of a gated repository, whose card they may see: by every way around `resolve`."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest

REPO = "alice/gated"
SECRET, LARGE = b"only for members tulip-bulbs\n", b"weights for members tulip-bulbs " * 400
OID = hashlib.sha256(LARGE).hexdigest()


def commit(client: httpx.Client, repo: str, *lines: tuple[str, dict[str, Any]], query: str = "") -> httpx.Response:
    items = [("header", {"summary": "a commit"}), *lines]
    body = "".join(json.dumps({"key": key, "value": value}) + "\n" for key, value in items)
    headers = {"Content-Type": "application/x-ndjson"}
    return client.post(f"/api/models/{repo}/commit/main{query}", content=body, headers=headers)


def batch(client: httpx.Client, repo: str, operation: str) -> dict[str, Any]:
    objects = {"operation": operation, "objects": [{"oid": OID, "size": len(LARGE)}]}
    answer = client.post(f"/{repo}.git/info/lfs/objects/batch", json=objects)
    return dict(answer.json()["objects"][0]) if answer.status_code == 200 else {}


LFS = {"path": "w.bin", "algo": "sha256", "oid": OID, "size": len(LARGE)}


@pytest.fixture(scope="module")
def gated(hub):
    """The gated repository, and an open one of the stranger's."""
    alice, mallory = hub.client("alice"), hub.client("mallory")
    alice.post("/api/repos/create", json={"name": "gated"}).raise_for_status()
    mallory.post("/api/repos/create", json={"name": "open"}).raise_for_status()
    upload = batch(alice, REPO, "upload")["actions"]["upload"]["href"]
    httpx.put(upload, content=LARGE, trust_env=False).raise_for_status()
    text = {"path": "secret.txt", "content": base64.b64encode(SECRET).decode(), "encoding": "base64"}
    card = {"path": "README.md", "content": "---\nlicense: mit\n---\nAsk alice for access."}
    commit(alice, REPO, ("file", text), ("file", card), ("lfsFile", LFS)).raise_for_status()
    alice.put(f"/api/models/{REPO}/settings", json={"gated": "manual"}).raise_for_status()
    return hub


@pytest.fixture(params=[None, "mallory"], ids=["anonymous", "stranger"])
def outsider(gated, request):
    return gated.client(request.param)


def test_the_card_is_shown_and_whoever_belongs_to_it_reads(gated, outsider):
    assert "Ask alice" in outsider.get(f"/{REPO}").text
    assert outsider.get(f"/api/models/{REPO}").json()["cardData"] == {"license": "mit"}
    assert gated.client("alice", "reads").get(f"/{REPO}/resolve/main/w.bin").content == LARGE


@pytest.mark.parametrize(
    "path",
    [
        f"/{REPO}/resolve/main/secret.txt", f"/{REPO}/raw/main/w.bin", f"/api/models/{REPO}/tree/main",
        f"/api/models/{REPO}?blobs=true", f"/api/models/{REPO}/refs", f"/api/models/{REPO}/commits/main",
        "/api/models?full=true&expand=siblings", f"/{REPO}/commits/main", f"/{REPO}/tree/main", f"/{REPO}/discussions",
    ],
)  # fmt: skip
def test_no_address_says_what_files_there_are(outsider, path):
    got = outsider.get(path)
    blob = hashlib.sha1(b"blob %d\0" % len(SECRET) + SECRET).hexdigest()
    for text in ("tulip-bulbs", OID, "secret.txt", blob):
        assert text not in f"{got.headers} {got.text}"


def test_no_link_is_given_for_a_hash_through_another_repository(outsider):
    for repo in (REPO, "mallory/open"):
        assert "actions" not in batch(outsider, repo, "download")


def test_a_hash_in_a_commit_of_ones_own_gives_nothing(gated):
    mallory = gated.client("mallory")
    assert "actions" in batch(mallory, "mallory/open", "upload"), "he is not told that it is there"
    assert commit(mallory, "mallory/open", ("lfsFile", LFS)).status_code == 400
    assert mallory.get("/mallory/open/resolve/main/w.bin").status_code == 404


def test_a_proposal_that_deletes_a_file_does_not_show_it(gated):
    mallory = gated.client("mallory")
    commit(mallory, REPO, ("deletedFile", {"path": "secret.txt"}), query="?create_pr=1")
    for client in (mallory, gated.client()):
        assert "tulip-bulbs" not in client.get(f"/api/models/{REPO}/discussions/1").text
        assert "tulip-bulbs" not in client.get(f"/{REPO}/discussions/1", headers={"Accept": "text/html"}).text


def test_a_copy_into_a_repository_of_ones_own_gives_nothing(gated):
    mallory = gated.client("mallory")
    body = {"target": {"type": "model", "name": "mallory/open"}, "files": [{"sha256": OID}]}
    for source in (REPO, "mallory/open"):
        mallory.post(f"/api/models/{source}/lfs-files/duplicate", json=body)
    assert commit(mallory, "mallory/open", ("lfsFile", LFS)).status_code == 400
