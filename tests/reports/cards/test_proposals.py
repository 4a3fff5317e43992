"""Cards as pull requests: one a model, brought up to date, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.hub.client import Hub
from harness.hub.publishing import propose
from harness.hubd.embedded import running

USERS = """
users:
  - {name: ada, tokens: [{token: hf_ada, role: write}]}
  - {name: eve, tokens: [{token: hf_eve, role: write}]}
"""
TITLE = "Update the card"
CARD = "---\nlicense: mit\n---\n\n# {}\n"


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Hub]]:
    """The same Hub as Ada and as Eve, who owns nothing."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "users.yaml").write_text(USERS)
    with running(folder / "root", users=folder / "users.yaml") as hub:
        ada, eve = (Hub(hub.url, token) for token in ("hf_ada", "hf_eve"))
        ada.api.create_repo("ada/model")
        yield ada, eve


def proposals(hub: Hub) -> dict[str, Any]:
    found = hub.api.get_repo_discussions("ada/model", discussion_type="pull_request", discussion_status="open")
    return {one.author: one for one in found}


def proposed(hub: Hub, reference: str, folder: Path) -> str:
    file = hub.api.hf_hub_download("ada/model", "README.md", revision=reference, cache_dir=folder)
    return Path(file).read_text()


def test_one_pull_request_is_kept_up_to_date_and_those_of_others_are_left_alone(
    hubs: tuple[Hub, Hub], tmp_path: Path
) -> None:
    ada, eve = hubs
    theirs, _ = propose(eve, "ada/model", {"README.md": CARD.format("Eve's").encode()}, message=TITLE)
    address, sent = propose(ada, "ada/model", {"README.md": CARD.format("one").encode()}, message=TITLE)
    assert sent
    assert address != theirs
    commits = len(ada.api.list_repo_commits("ada/model", revision=proposals(ada)["ada"].git_reference))
    assert propose(ada, "ada/model", {"README.md": CARD.format("one").encode()}, message=TITLE) == (address, False)
    again = ada.api.list_repo_commits("ada/model", revision=proposals(ada)["ada"].git_reference)
    assert len(again) == commits

    assert propose(ada, "ada/model", {"README.md": CARD.format("two").encode()}, message=TITLE) == (address, True)
    found = proposals(ada)
    assert set(found) == {"ada", "eve"}
    assert proposed(ada, found["ada"].git_reference, tmp_path) == CARD.format("two")
    assert proposed(ada, found["eve"].git_reference, tmp_path) == CARD.format("Eve's")

    ada.api.change_discussion_status("ada/model", found["ada"].num, "closed")
    fresh, sent = propose(ada, "ada/model", {"README.md": CARD.format("two").encode()}, message=TITLE)
    assert sent
    assert fresh != address
