"""Pages of other sites in a browser on this machine: they neither read a Hub nor change anything on it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

REPO = {"name": "read-me"}
COMMIT = '{"key": "header", "value": {"summary": "s"}}\n'


@pytest.fixture(scope="module", autouse=True)
def _repository(hub) -> None:
    hub.client("alice").post("/api/repos/create", json=REPO).raise_for_status()


PATHS = ["/", "/api/models", "/alice/read-me", "/alice/read-me/resolve/main/.gitattributes", "/api/nothing"]
STRANGE = ["rebind.attacker.example:{port}", "localhost.attacker.example", "127.0.0.1.nip.example"]
OWN = ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}", "localhost:8080"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", STRANGE)
def test_a_name_that_was_made_to_lead_here_reads_nothing(hub, path, host):
    answer = hub.client().get(path, headers={"Host": host.format(port=urlsplit(hub.url).port)})
    assert answer.status_code == 421
    assert "read-me" not in answer.text


@pytest.mark.parametrize("host", OWN)
def test_the_names_of_this_machine_are_answered(hub, host):
    answer = hub.client().get("/api/models", headers={"Host": host.format(port=urlsplit(hub.url).port)})
    assert [one["id"] for one in answer.json()] == ["alice/read-me"]


def test_links_name_no_host_that_was_made_up(hub):
    batch = {"operation": "upload", "objects": [{"oid": "a" * 64, "size": 5}]}
    headers = {"Host": "attacker.example"}
    answer = hub.client("alice").post("/alice/read-me.git/info/lfs/objects/batch", json=batch, headers=headers)
    assert "attacker.example/lfs" not in answer.text


FOREIGN = [
    {"Origin": "https://attacker.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},  # another program's page on this machine
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=range(len(FOREIGN)))
def test_a_page_elsewhere_changes_nothing_even_with_a_token(hub, headers):
    alice = hub.client("alice")
    assert alice.post("/api/repos/create", json={"name": "planted"}, headers=headers).status_code == 403
    assert alice.post("/api/models/alice/read-me/branch/planted", json={}, headers=headers).status_code == 403
    assert alice.get("/api/models/alice/planted").status_code == 404
    assert [ref["name"] for ref in alice.get("/api/models/alice/read-me/refs").json()["branches"]] == ["main"]


@pytest.mark.parametrize("media", ["text/plain", "text/plain; charset=utf-8", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/api/models/alice/read-me/commit/main", "/api/repos/create", "/api/validate-yaml"])
def test_what_every_page_may_send_is_no_request_to_the_hub(hub, media, path):
    body = COMMIT if "commit" in path else '{"name": "planted", "content": "---\\na: 1\\n---\\n"}'
    answer = hub.client("alice").post(path, content=body, headers={"Content-Type": media})
    assert answer.status_code == 415
    assert answer.headers["X-Error-Message"]


def test_a_signed_in_browser_shows_nothing_private_inside_other_pages(hub):
    alice = hub.client("alice")
    alice.post("/api/repos/create", json={"name": "private", "private": True}).raise_for_status()
    browser = hub.client()
    browser.post("/-/login", data={"token": "hf_alice_reads"}, headers={"Origin": hub.url})
    assert browser.get("/alice/private").status_code == 200
    embedded = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    answer = browser.get("/alice/private/resolve/main/.gitattributes", headers=embedded)
    assert answer.status_code in (401, 404)
