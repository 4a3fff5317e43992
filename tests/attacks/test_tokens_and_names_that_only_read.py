"""What is for reading only is used to write: tokens with the role read, and names that a repository had formerly."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest

CONTENT = b"a private file of alice " * 300
OID = hashlib.sha256(CONTENT).hexdigest()


def entry() -> dict[str, object]:
    return {"oid": OID, "size": len(CONTENT)}


@pytest.fixture(scope="module")
def private(hub):
    """A private repository with a large file."""
    alice = hub.client("alice")
    alice.post("/api/repos/create", json={"name": "mine", "private": True}).raise_for_status()
    alice.post("/api/repos/create", json={"name": "open"}).raise_for_status()
    batch = {"operation": "upload", "objects": [entry()]}
    found = alice.post("/alice/mine.git/info/lfs/objects/batch", json=batch).json()["objects"][0]
    httpx.put(found["actions"]["upload"]["href"], content=CONTENT, trust_env=False).raise_for_status()
    lines = [
        {"key": "header", "value": {"summary": "x"}},
        {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", **entry()}},
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson"}
    alice.post("/api/models/alice/mine/commit/main", content=body, headers=headers).raise_for_status()
    return hub


def test_a_token_that_reads_makes_no_private_file_public_by_copying_it(private):
    reader, mallory = private.client("alice", "reads"), private.client("mallory")
    body = {"target": {"type": "model", "name": "alice/open"}, "files": [{"sha256": OID}]}
    answer = reader.post("/api/models/alice/mine/lfs-files/duplicate", json=body)
    assert answer.status_code == 403
    batch = {"operation": "download", "objects": [entry()]}
    found = mallory.post("/alice/open.git/info/lfs/objects/batch", json=batch).json()["objects"][0]
    assert "actions" not in found


@pytest.mark.parametrize("act", ["delete", "move", "settings", "commit"])
def test_a_former_name_changes_nothing_of_the_repository_that_moved(hub, act):
    alice = hub.client("alice")
    alice.post("/api/repos/create", json={"name": f"was-{act}"}).raise_for_status()
    move = {"fromRepo": f"alice/was-{act}", "toRepo": f"acme/now-{act}", "type": "model"}
    alice.post("/api/repos/move", json=move).raise_for_status()
    before = alice.get(f"/api/models/acme/now-{act}").json()
    old = f"/api/models/alice/was-{act}"
    commit = b'{"key": "header", "value": {"summary": "x"}}\n{"key": "file", "value": {"path": "x", "content": "x"}}\n'
    sent = {
        "delete": lambda: alice.request("DELETE", "/api/repos/delete", json={"name": f"was-{act}", "type": "model"}),
        "move": lambda: alice.post("/api/repos/move", json={**move, "toRepo": "alice/elsewhere"}),
        "settings": lambda: alice.put(f"{old}/settings", json={"private": True}),
        "commit": lambda: alice.post(
            f"{old}/commit/main", content=commit, headers={"Content-Type": "application/x-ndjson"}
        ),
    }[act]()
    assert alice.get(f"/api/models/acme/now-{act}").json() == before
    assert sent.status_code == 404
    assert f"acme/now-{act}" in sent.text, "it says the present name"
    assert alice.get(old).json()["id"] == f"acme/now-{act}", "readers are led on"
