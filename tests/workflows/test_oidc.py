"""A card is pushed without a stored secret: the job's identity is exchanged for a token of one repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.workflow_identity import REQUEST_TOKEN, serving

OLD = "---\nlicense: mit\n---\n\nAn old card.\n"
INPUTS = {"model": "lab/keyless", "namespace": "lab", "mode": "push", "oidc_resource": "lab/keyless"}


@pytest.fixture(scope="module", autouse=True)
def model(with_results: Callable[..., list[str]]) -> str:
    return with_results("lab", "keyless")[0]


@pytest.fixture
def front(hub: Any) -> Iterator[Any]:
    with serving(hub.url, "hf_ada_write") as server:
        yield server


def cards(repository: Any, hub: str, identity: dict[str, str]) -> Any:
    repository.machine.extra = identity
    start = {"event_name": "schedule", "called": True, "inputs": INPUTS, "secrets": {}, "vars": {"HF_ENDPOINT": hub}}
    return repository.job("cards", "cards", **start).run()


def test_a_trusted_publisher_pushes_a_card_without_a_secret(
    repository: Any, front: Any, api: Any, read_card: Callable[[str], str]
) -> None:
    identity = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{front.url}/github?api=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
    }
    api.upload_file(path_or_fileobj=OLD.encode(), path_in_repo="README.md", repo_id="lab/keyless")
    job = cards(repository, front.url, identity)
    assert not job.failed, job.said()
    assert job.outcomes()["Push"] == "success"
    assert {one["resource"] for one in front.exchanges} == {"lab/keyless"}
    assert {one["subject_token"] for one in front.exchanges} == {f"jwt for {front.url}"}
    assert read_card("lab/keyless").startswith(f"{OLD}\n<!-- tft-harness:begin -->")
    assert "hf_ada_write" not in job.said()


def test_without_the_permission_the_job_says_what_it_lacks(repository: Any, front: Any) -> None:
    job = cards(repository, front.url, {})
    assert job.failed
    assert "Traceback" not in job.said()
    assert "`id-token: write`" in job.said("Push")
