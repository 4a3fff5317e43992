"""Who may see and change what, and what a refusal looks like."""

from __future__ import annotations

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HfHubHTTPError, RepositoryNotFoundError


def status(error) -> int:
    return error.value.response.status_code


def test_a_private_repository_does_not_exist_for_strangers(hub, api, bob):
    repo = api.create_repo("ada/secret", private=True).repo_id
    api.upload_file(path_or_fileobj=b"s", path_in_repo="s.txt", repo_id=repo)
    assert api.model_info(repo).private
    for stranger, expected in ((bob, 404), (HfApi(endpoint=hub.url, token=False), 401)):
        for attempt in (
            lambda who: who.model_info(repo),
            lambda who: who.get_paths_info(repo, "s.txt"),
            lambda who: who.upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id=repo),
        ):
            with pytest.raises(RepositoryNotFoundError) as refused:
                attempt(stranger)
            assert status(refused) == expected
        assert repo not in {m.id for m in stranger.list_models()}
    assert repo in {m.id for m in api.list_models(author="ada")}


def test_visibility_can_be_changed(api, bob):
    repo = api.create_repo("ada/switch").repo_id
    assert bob.repo_exists(repo)
    api.update_repo_settings(repo, private=True)
    assert not bob.repo_exists(repo)


def test_a_gated_repository_shows_itself_but_not_its_files(api, bob):
    repo = api.create_repo("ada/gated").repo_id
    api.upload_file(path_or_fileobj=b"g", path_in_repo="g.txt", repo_id=repo)
    api.update_repo_settings(repo, gated="auto")
    assert bob.model_info(repo).gated == "auto"
    with pytest.raises(GatedRepoError):
        bob.hf_hub_download(repo, "g.txt")
    with pytest.raises(GatedRepoError):
        bob.auth_check(repo)
    api.auth_check(repo)
    api.update_repo_settings(repo, gated=False)
    bob.auth_check(repo)


def test_an_organisation_may_be_private_by_default(api, bob):
    repo = api.create_repo("lab/inside").repo_id
    assert api.model_info(repo).private
    assert not bob.repo_exists(repo)
    assert not api.model_info(api.create_repo("lab/outside", private=False).repo_id).private
    assert [org["name"] for org in api.whoami()["orgs"]] == ["lab"]


def test_a_read_token_reads_and_never_writes(hub, api):
    repo = api.create_repo("ada/readable", private=True).repo_id
    reader = HfApi(endpoint=hub.url, token="hf_ada_read")
    assert reader.model_info(repo).id == repo
    for attempt in (
        lambda: reader.upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id=repo),
        lambda: reader.create_tag(repo, tag="t"),
        lambda: reader.create_repo("ada/other"),
        lambda: reader.delete_repo(repo),
        lambda: reader.create_discussion(repo, title="t"),
        lambda: reader.create_collection("c"),
    ):
        with pytest.raises(HfHubHTTPError) as refused:
            attempt()
        assert status(refused) == 403
        assert "write token" in refused.value.response.headers["X-Error-Message"]


def test_strangers_cannot_write_and_nobody_creates_in_a_foreign_namespace(api, bob):
    repo = api.create_repo("ada/public").repo_id
    for attempt in (
        lambda: bob.upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id=repo),
        lambda: bob.create_repo("ada/mine"),
        lambda: api.create_repo("nobody/mine"),
        lambda: bob.move_repo(repo, "bob/stolen"),
    ):
        with pytest.raises(HfHubHTTPError) as refused:
            attempt()
        assert status(refused) == 403


def test_an_unknown_token_is_401(hub):
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(endpoint=hub.url, token="hf_wrong").whoami()
    assert status(refused) == 401


def test_a_large_file_of_a_private_repository_cannot_be_claimed_by_its_hash(api, bob):
    repo = api.create_repo("ada/vault", private=True).repo_id
    api.upload_file(path_or_fileobj=b"treasure" * 9000, path_in_repo="t.bin", repo_id=repo)
    sha256 = api.get_paths_info(repo, "t.bin")[0].lfs.sha256
    mine = bob.create_repo("bob/thief").repo_id
    body = (
        '{"key":"header","value":{"summary":"x"}}\n'
        f'{{"key":"lfsFile","value":{{"path":"t.bin","algo":"sha256","oid":"{sha256}","size":72000}}}}\n'
    )
    import httpx2

    url = f"{bob.endpoint}/api/models/{mine}/commit/main"
    answer = httpx2.post(url, content=body, headers={"Authorization": "Bearer hf_bob_write"})
    assert answer.status_code == 400
    with pytest.raises(EntryNotFoundError):
        bob.hf_hub_download(mine, "t.bin")
