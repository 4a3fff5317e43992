"""huggingface_hub against the embedded Hub: repositories, commits, revisions."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfFileSystem
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


@pytest.fixture
def repo(api, request) -> str:
    name = f"ada/{request.node.name.replace('_', '-')[:60].replace('--', '-').strip('-')}"
    return api.create_repo(name).repo_id


def commit(api, repo, path="a.txt", content=b"a", **kwargs):
    return api.create_commit(repo, [CommitOperationAdd(path, content)], commit_message="c", **kwargs)


def test_create_again_is_409_and_exist_ok_returns_the_same_url(api, repo):
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo(repo)
    assert refused.value.response.status_code == 409
    assert refused.value.response.json()["url"] == f"{api.endpoint}/{repo}"
    assert api.create_repo(repo, exist_ok=True).repo_id == repo


def test_a_pushed_folder_comes_back_by_branch_tag_commit_and_short_commit(api, repo, tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\nhello\n")
    (folder / "sub" / "weights.safetensors").write_bytes(os.urandom(11 << 20))
    (folder / "empty.bin").write_bytes(b"")
    oid = api.upload_folder(repo_id=repo, folder_path=folder).oid
    api.create_tag(repo, tag="v1", tag_message="first")
    commit(api, repo, "later.txt")
    for revision in ("v1", oid, oid[:8]):
        got = Path(api.snapshot_download(repo, revision=revision, cache_dir=tmp_path / revision))
        files = {str(p.relative_to(got)): p.read_bytes() for p in got.rglob("*") if p.is_file()}
        expected = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        assert {k: v for k, v in files.items() if k != ".gitattributes"} == expected
    assert "later.txt" in api.list_repo_files(repo)


def test_an_unchanged_file_makes_no_commit(api, repo):
    first = commit(api, repo).oid
    assert commit(api, repo).oid == first


def test_a_stale_parent_is_412_and_nothing_changes(api, repo):
    head = api.model_info(repo).sha
    second = commit(api, repo, parent_commit=head).oid
    with pytest.raises(HfHubHTTPError) as refused:
        commit(api, repo, "b.txt", parent_commit=head)
    assert refused.value.response.status_code == 412
    assert api.model_info(repo).sha == second


def test_concurrent_commits_are_all_kept(api, repo):
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: commit(api, repo, f"f{i}.txt", b"%d" % i), range(48)))
    assert len(api.list_repo_files(repo)) == 49
    assert len(api.list_repo_commits(repo)) == 49


def test_of_concurrent_commits_on_one_parent_exactly_one_succeeds(api, repo):
    head = api.model_info(repo).sha

    def attempt(i):
        try:
            return commit(api, repo, f"f{i}.txt", b"x", parent_commit=head).oid
        except HfHubHTTPError as error:
            return error.response.status_code

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert sorted(map(str, outcomes)).count("412") == 7


def test_delete_copy_and_folder_operations(api, repo, tmp_path):
    big = os.urandom(50_000)
    add = [CommitOperationAdd("d/x.txt", b"x"), CommitOperationAdd("d/y.txt", b"y"), CommitOperationAdd("w.bin", big)]
    api.create_commit(repo, add, commit_message="add")
    api.create_commit(
        repo,
        [CommitOperationDelete("d/"), CommitOperationCopy("w.bin", "copy/w2.bin")],
        commit_message="change",
    )
    assert set(api.list_repo_files(repo)) == {".gitattributes", "w.bin", "copy/w2.bin"}
    assert Path(api.hf_hub_download(repo, "copy/w2.bin", cache_dir=tmp_path)).read_bytes() == big
    with pytest.raises(EntryNotFoundError):
        api.delete_file("nothing.txt", repo)


def test_a_large_file_is_copied_to_another_repository(api, repo, tmp_path):
    content = os.urandom(30_000)
    commit(api, repo, "w.bin", content)
    other = api.create_repo(f"{repo}-other").repo_id
    copy = CommitOperationCopy("w.bin", "w.bin", src_repo_id=repo, src_repo_type="model")
    api.create_commit(other, [copy], commit_message="copy")
    assert Path(api.hf_hub_download(other, "w.bin", cache_dir=tmp_path)).read_bytes() == content


def test_tags_and_branches(api, repo):
    first = api.model_info(repo).sha
    second = commit(api, repo).oid
    api.create_branch(repo, branch="dev/x", revision=first)
    commit(api, repo, "dev.txt", revision="dev/x")
    api.create_tag(repo, tag="v1", revision=second[:10])
    refs = api.list_repo_refs(repo)
    assert {b.name for b in refs.branches} == {"main", "dev/x"}
    assert [(t.name, t.target_commit) for t in refs.tags] == [("v1", second)]
    assert "dev.txt" in api.list_repo_files(repo, revision="dev/x")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag(repo, tag="v1")
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_branch(repo, branch="dev/x")
    api.delete_tag(repo, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo, revision="v1")
    with pytest.raises(BadRequestError):
        api.create_branch(repo, branch="refs/heads/x")


def test_a_tag_survives_a_squash_and_the_files_stay(api, repo):
    tagged = commit(api, repo).oid
    api.create_tag(repo, tag="v1")
    commit(api, repo, "b.txt")
    api.super_squash_history(repo, commit_message="one")
    assert [c.title for c in api.list_repo_commits(repo)] == ["one"]
    assert {"a.txt", "b.txt"} <= set(api.list_repo_files(repo))
    assert api.model_info(repo, revision="v1").sha == tagged


def test_a_pull_request_is_opened_updated_and_merged(api, bob, repo):
    opened = commit(bob, repo, "pr.txt", b"pr", create_pr=True)
    commit(bob, repo, "pr2.txt", b"2", revision=opened.pr_revision)
    commit(api, repo, "main.txt", b"meanwhile")
    assert "pr.txt" not in api.list_repo_files(repo)
    assert "pr2.txt" in api.list_repo_files(repo, revision=opened.pr_revision)
    details = api.get_discussion_details(repo, opened.pr_num)
    assert (details.is_pull_request, details.status, details.author) == (True, "open", "bob")
    with pytest.raises(HfHubHTTPError, match="403"):
        bob.merge_pull_request(repo, opened.pr_num)
    api.merge_pull_request(repo, opened.pr_num)
    assert {"pr.txt", "pr2.txt", "main.txt"} <= set(api.list_repo_files(repo))
    assert api.get_discussion_details(repo, opened.pr_num).status == "merged"


def test_a_conflicting_pull_request_is_not_merged(api, bob, repo):
    commit(api, repo, "a.txt", b"1")
    opened = commit(bob, repo, "a.txt", b"2", create_pr=True)
    commit(api, repo, "a.txt", b"3")
    assert api.get_discussion_details(repo, opened.pr_num).conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError, match="409"):
        api.merge_pull_request(repo, opened.pr_num)


def test_a_moved_repository_answers_to_both_names_and_a_deleted_one_to_none(api, repo):
    api.move_repo(repo, f"{repo}-new")
    assert api.model_info(repo).id == f"{repo}-new"
    assert api.model_info(f"{repo}-NEW".upper().replace("ADA/", "ada/")).id == f"{repo}-new"
    api.delete_repo(f"{repo}-new")
    for name in (repo, f"{repo}-new"):
        with pytest.raises(RepositoryNotFoundError):
            api.model_info(name)
    api.delete_repo(repo, missing_ok=True)


def test_long_listings_are_paged_completely(api, repo):
    api.create_commit(repo, [CommitOperationAdd(f"d/{i:04}.txt", b"") for i in range(1203)], commit_message="many")
    assert len(list(api.list_repo_tree(repo, "d"))) == 1203
    expanded = list(api.list_repo_tree(repo, "d", expand=True))
    assert len(expanded) == 1203
    assert {item.last_commit.title for item in expanded} == {"many"}


def test_the_file_system_reads_writes_and_seeks(hub, api, repo):
    fs = HfFileSystem(endpoint=hub.url, token=hub.token)
    content = os.urandom(200_000)
    with fs.open(f"{repo}/data/x.bin", "wb") as file:
        file.write(content)
    with fs.open(f"{repo}/data/x.bin", "rb", block_size=1000) as file:
        file.seek(150_000)
        assert file.read(10) == content[150_000:150_010]
    assert fs.glob(f"{repo}/**/*.bin") == [f"{repo}/data/x.bin"]
    fs.rm(f"{repo}/data/x.bin")
    assert not fs.exists(f"{repo}/data/x.bin")


def test_collections(api, repo):
    shelf = api.create_collection("Runs of May", description="x", exists_ok=True)
    api.add_collection_item(shelf.slug, repo, "model", note="best")
    api.add_collection_item(shelf.slug, repo, "model", exists_ok=True)
    renamed = api.update_collection_metadata(shelf.slug, title="Runs of June").slug
    assert renamed != shelf.slug
    got = api.get_collection(shelf.slug)
    assert (got.title, [(i.item_id, i.note) for i in got.items]) == ("Runs of June", [(repo, "best")])
    assert shelf.slug.split("-")[-1] in {c.slug.split("-")[-1] for c in api.list_collections(owner="ada")}
    api.delete_collection(renamed)
    with pytest.raises(HfHubHTTPError):
        api.get_collection(renamed)
