"""Quotas: what counts, for whom, and that it goes on counting."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import get_session

from harness.hubd.accounts.users_file import load_users, parse_size
from harness.hubd.embedded import EmbeddedHub, running
from harness.hubd.errors import HubStartError
from harness.hubd.root import open_root
from harness.hubd.storage.gc import collect

MB = 1_000_000
USERS = """
users:
  - {name: ada, orgs: [lab], quota: 12MB, tokens: [{token: hf_ada_write}]}
  - {name: bob, quota: 3 MB, tokens: [{token: hf_bob_write}]}
  - {name: eve, tokens: [{token: hf_eve_write}]}
orgs: [{name: lab, quota: 2MB}]
"""


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.yaml"
    path.write_text(USERS)
    return path


@pytest.fixture
def hub(tmp_path: Path, users: Path) -> Iterator[EmbeddedHub]:
    with running(tmp_path / "root", users=users) as found:
        yield found


def api(hub: EmbeddedHub, name: str) -> HfApi:
    return HfApi(endpoint=hub.url, token=f"hf_{name}_write")


def upload(user: HfApi, repo: str, size: int, *, path: str | None = None, pull: bool = False) -> str:
    """Upload random bytes as one file; return its name."""
    name = path or f"{os.urandom(8).hex()}.bin"
    change = CommitOperationAdd(name, os.urandom(size))
    user.create_commit(repo, [change], commit_message="more", create_pr=pull)
    return name


def refused(user: HfApi, repo: str, size: int, **more) -> bool:
    """Return whether an upload is refused for its size, with a sentence."""
    try:
        upload(user, repo, size, **more)
    except (HfHubHTTPError, RuntimeError, OSError) as error:
        return "may store" in str(error) or "413" in str(error)
    return False


@pytest.mark.filterwarnings("ignore:Use 'content")  # of the library that the client sends with
@pytest.mark.parametrize("xet", ["0", "1"])
def test_large_files_count_whether_committed_or_not_and_over_a_restart(tmp_path, users, xet, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", xet == "0")
    with running(tmp_path / "root", users=users) as hub:
        ada = api(hub, "ada")
        ada.create_repo("ada/m")
        upload(ada, "ada/m", 5 * MB)
        ada.preupload_lfs_files("ada/m", [CommitOperationAdd("never.bin", os.urandom(5 * MB))])
        assert refused(ada, "ada/m", 4 * MB)
    with running(tmp_path / "root", users=users) as hub:
        ada = api(hub, "ada")
        assert refused(ada, "ada/m", 4 * MB)
        upload(ada, "ada/m", MB)
        limit = time.monotonic() + 10
        while left := list((tmp_path / "root" / "tmp").iterdir()):  # an answer may come before its draft is gone
            assert time.monotonic() < limit, left
            time.sleep(0.01)


def test_what_was_deleted_counts_until_it_is_collected(tmp_path, users):
    with running(tmp_path / "root", users=users) as hub:
        ada = api(hub, "ada")
        ada.create_repo("ada/m")
        upload(ada, "ada/m", 9 * MB)
        ada.delete_repo("ada/m")
        ada.create_repo("ada/n")
        assert refused(ada, "ada/n", 6 * MB)
    collect(tmp_path / "root", grace=0)
    with running(tmp_path / "root", users=users) as hub:
        upload(api(hub, "ada"), "ada/n", 6 * MB)


def test_small_files_count_and_those_of_refused_commits(hub):
    bob = api(hub, "bob")
    bob.create_repo("bob/m")
    for _ in range(2):
        upload(bob, "bob/m", MB, path=f"{os.urandom(4).hex()}.txt")
    assert refused(bob, "bob/m", MB, path="third.txt")
    bob.delete_repo("bob/m")  # their space is free at once
    bob.create_repo("bob/m")
    upload(bob, "bob/m", MB, path="third.txt")


def test_proposals_count_for_who_makes_them(hub):
    ada, bob = api(hub, "ada"), api(hub, "bob")
    ada.create_repo("ada/open")
    assert refused(bob, "ada/open", 4 * MB, pull=True)
    upload(bob, "ada/open", 2 * MB, pull=True, path="proposed.txt")
    assert refused(bob, "ada/open", 2 * MB, pull=True, path="another.txt")
    upload(ada, "ada/open", 9 * MB)


@pytest.mark.parametrize("name", ["bob", "eve"])  # with a quota, and without
def test_proposals_count_for_nobody_else_after_a_restart_either(tmp_path, users, name):
    with running(tmp_path / "root", users=users) as hub:
        api(hub, "ada").create_repo("ada/m")
        for path in ("large.bin", "small.txt"):
            upload(api(hub, name), "ada/m", MB, path=path, pull=True)
    with running(tmp_path / "root", users=users) as hub:
        upload(api(hub, "ada"), "ada/m", 11 * MB)


def test_a_repository_moves_only_to_where_there_is_room(hub):
    ada = api(hub, "ada")
    for number in range(2):
        ada.create_repo(f"ada/m{number}")
        upload(ada, f"ada/m{number}", 1_200_000, path="small.txt")
    ada.move_repo("ada/m0", "lab/m0")
    with pytest.raises(HfHubHTTPError, match="lab may store"):
        ada.move_repo("ada/m1", "lab/m1")
    ada.move_repo("ada/m1", "ada/m2")


def test_sizes_that_are_no_numbers_of_bytes_are_refused(hub):
    bob = api(hub, "bob")
    bob.create_repo("bob/m")
    body = {"operation": "upload", "objects": [{"oid": "a" * 64, "size": 10**400}]}
    answer = get_session().post(
        f"{hub.url}/bob/m.git/info/lfs/objects/batch", json=body, headers={"Authorization": "Bearer hf_bob_write"}
    )
    assert answer.status_code == 413


def test_an_organisation_has_a_quota_of_its_own_and_who_has_none_no_limit(hub):
    ada, eve = api(hub, "ada"), api(hub, "eve")
    ada.create_repo("lab/m")
    assert refused(ada, "lab/m", 3 * MB)
    upload(ada, "lab/m", MB)
    eve.create_repo("eve/m")
    upload(eve, "eve/m", 20 * MB)


def test_the_same_file_twice_counts_once_and_downloads_are_free(hub):
    ada = api(hub, "ada")
    content = os.urandom(5 * MB)
    for name in ("ada/m", "ada/n"):
        ada.create_repo(name)
        ada.upload_file(path_or_fileobj=content, path_in_repo="w.bin", repo_id=name)
        found = Path(ada.hf_hub_download(name, "w.bin", local_dir=hub.root.parent / name))
        assert hashlib.sha256(found.read_bytes()).digest() == hashlib.sha256(content).digest()
    upload(ada, "ada/m", 6 * MB)


def test_sizes_are_read_as_people_write_them(users):
    assert [user.quota for user in load_users(users).users] == [12 * MB, 3 * MB, None]
    assert [parse_size(text) for text in ("5", "1.5kB", "20GB", "2 TB")] == [5, 1500, 20 * 10**9, 2 * 10**12]
    users.write_text(USERS.replace("12MB", "lots"))
    with pytest.raises(HubStartError, match=r"users\[0\]\.quota: 'lots' is no size"):
        load_users(users)


def test_a_hub_of_an_earlier_version_opens_and_counts_what_it_holds(tmp_path, users):
    with running(tmp_path / "root", users=users) as hub:
        ada = api(hub, "ada")
        ada.create_repo("ada/m")
        upload(ada, "ada/m", 9 * MB)
    import sqlite3

    with sqlite3.connect(tmp_path / "root" / "hub.db") as database:
        database.execute("drop table stored")
    database.close()
    open_root(tmp_path / "root").close()
    with running(tmp_path / "root", users=users) as hub:
        assert refused(api(hub, "ada"), "ada/m", 4 * MB)
