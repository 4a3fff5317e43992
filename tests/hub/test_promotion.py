"""Promotion between two real Hubs: every tag and main end with the same files by hash, and nothing is done twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import CommitOperationAdd

from harness.cli.__main__ import tft
from harness.errors import AccessDenied, HubError, HubUnreachable, RepoNotFound, UsageError
from support.promotion import assert_equal, commit, files, lineage, make, record, without_record


@pytest.mark.parametrize(
    "kind", ["model", *(pytest.param(one, marks=pytest.mark.slow) for one in ("dataset", "space"))]
)
def test_every_tag_and_main_end_with_the_same_files(source, target, promote, tmp_path, kind):
    options = {"space_sdk": "static"} if kind == "space" else {}
    repo = make(source, "ada/whole", kind, large=True, **options)
    shown = promote(f"{kind}s/{repo}")
    assert shown["repositories"][0]["tags"]["copied"] == ["v1", "also-v2", "v2"]
    assert_equal(source, repo, target, repo, kind)
    info = target.repo_info(repo, repo_type=kind)
    assert not info.private
    heads = {tag.name: tag.target_commit for tag in source.list_repo_refs(repo, repo_type=kind).tags}
    here = {tag.name: tag.target_commit for tag in target.list_repo_refs(repo, repo_type=kind).tags}
    found = record(target, repo, tmp_path, kind)
    assert found["repo"] == repo
    assert found["hub"] == "a Hub on one machine"
    assert found["main"] == {"source_commit": source.repo_info(repo, repo_type=kind).sha}
    assert found["tags"] == {name: {"source_commit": heads[name], "commit": here[name]} for name in heads}


def test_a_second_run_writes_nothing(source, target, promote):
    repo = make(source, "ada/twice")
    promote(repo)
    from huggingface_hub.utils import get_session

    sent: list[str] = []
    hooks = get_session().event_hooks
    counted = {**hooks, "request": [*hooks["request"], lambda request: sent.append(request.method)]}
    get_session().event_hooks = counted
    try:
        shown = promote(repo)
    finally:
        get_session().event_hooks = hooks
    assert sent
    assert set(sent) <= {"GET", "HEAD"}
    assert shown["repositories"][0]["changed"] is False


def test_only_what_is_missing_is_copied(source, target, promote):
    repo = make(source, "ada/grows", large=True)
    promote(repo)
    before = {tag.name: tag.target_commit for tag in target.list_repo_refs(repo).tags}
    commit(source, repo, new_txt=b"n", model_bin=None)
    source.create_tag(repo, tag="v3")
    shown = promote(repo)["repositories"][0]
    assert shown["tags"] == {"copied": ["v3"], "there": ["also-v2", "v1", "v2"]}
    assert_equal(source, repo, target, repo)
    after = {tag.name: tag.target_commit for tag in target.list_repo_refs(repo).tags}
    assert {name: after[name] for name in before} == before


def test_a_dry_run_says_each_change_and_makes_none(hubs, source, target, promote):
    repo = make(source, "ada/dry")
    shown = promote(repo, "--dry-run")
    assert shown["done"] is False
    assert not target.repo_exists(repo)
    done = CliRunner().invoke(tft, ["hub", "promote", repo, "--to", hubs[1].url, "--dry-run"])
    v1 = next(tag.target_commit for tag in source.list_repo_refs(repo).tags if tag.name == "v1")
    assert done.stdout.splitlines()[:2] == [f"models/{repo} -> models/{repo}: new", f"  add tag v1 = {v1[:12]}"]
    assert "public when complete" in done.stdout


def test_one_tag_can_be_published_alone_below_another_owner(source, target, promote, tmp_path):
    repo = make(source, "ada/part")
    promote(repo, "--tag", "v1", "--main", "v1", "--namespace", "open")
    assert [tag.name for tag in target.list_repo_refs("open/part").tags] == ["v1"]
    assert without_record(files(target, "open/part")) == files(source, repo, "v1")
    assert not target.repo_exists(repo)
    promote(repo, "--namespace", "open")
    assert_equal(source, repo, target, "open/part")
    assert set(record(target, "open/part", tmp_path)["tags"]) == {"v1", "v2", "also-v2"}


def test_private_and_gated_repositories_stay_so(source, target, promote):
    hidden = make(source, "ada/hidden", private=True)
    gated = make(source, "ada/gated")
    source.update_repo_settings(gated, gated="manual")
    promote(hidden, gated)
    assert target.repo_info(hidden).private
    info = target.repo_info(gated)
    assert (info.private, info.gated) == (False, "manual")
    target.update_repo_settings(hidden, private=False)
    commit(source, hidden, secret_txt=b"s")
    with pytest.raises(UsageError, match="public and the source is private"):
        promote(hidden)
    target.update_repo_settings(hidden, private=True)
    promote(hidden)
    assert target.repo_info(hidden).private
    promote(hidden, "--public")
    assert not target.repo_info(hidden).private


@pytest.mark.slow
def test_a_copy_whose_owner_hid_it_stays_hidden(source, target, promote):
    repo = make(source, "ada/hidden-there")
    promote(repo)
    target.update_repo_settings(repo, private=True)
    commit(source, repo, new_txt=b"n")
    promote(repo)
    assert target.repo_info(repo).private
    assert_equal(source, repo, target, repo)


def test_what_is_something_else_is_not_touched(source, target, promote):
    repo = make(source, "ada/taken")
    target.create_repo(repo)
    commit(target, repo, theirs_txt=b"t")
    before = files(target, repo)
    with pytest.raises(UsageError, match="is something else"):
        promote(repo)
    assert files(target, repo) == before
    promote(repo, "--overwrite")
    assert_equal(source, repo, target, repo)


def test_a_copy_that_was_changed_over_there_is_not_overwritten(source, target, promote):
    repo = make(source, "ada/edited")
    promote(repo)
    commit(target, repo, README_md=b"---\nlicense: mit\n---\nTheirs\n")
    with pytest.raises(UsageError, match="changed there after the last promotion"):
        promote(repo)
    promote(repo, "--overwrite")
    assert_equal(source, repo, target, repo)


def test_a_tag_that_means_other_files_is_moved_only_on_request(source, target, promote):
    repo = make(source, "ada/moves")
    promote(repo)
    source.delete_tag(repo, tag="v2")
    source.create_tag(repo, tag="v2")
    with pytest.raises(UsageError, match=r"tag v2 .* other files"):
        promote(repo)
    assert files(target, repo, "v2") != files(source, repo, "v2")
    promote(repo, "--move-tags")
    assert_equal(source, repo, target, repo)


def test_files_that_one_hub_keeps_as_large_and_the_other_as_small_are_the_same(source, target, promote):
    """What is large follows the attributes of the revision before, which the two Hubs need not share."""
    source.create_repo("ada/mixed")
    commit(source, "ada/mixed", _gitattributes=b"*.odd filter=lfs diff=lfs merge=lfs -text\n")
    commit(source, "ada/mixed", a_odd=b"few bytes", b_txt=b"b")
    source.create_tag("ada/mixed", tag="v1")
    assert source.get_paths_info("ada/mixed", "a.odd")[0].lfs
    promote("ada/mixed")
    assert not target.get_paths_info("ada/mixed", "a.odd", revision="v1")[0].lfs
    assert promote("ada/mixed")["repositories"][0]["changed"] is False


@pytest.mark.slow
def test_a_copy_comes_back_as_it_was(hubs, source, target, promote, monkeypatch):
    repo = make(source, "ada/returns")
    promote(repo)
    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_target")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_source")
    shown = promote(repo, "--from", hubs[1].url, to=hubs[0].url)
    assert shown["repositories"][0]["changed"] is False
    commit(target, repo, news_txt=b"n")
    promote(repo, "--from", hubs[1].url, to=hubs[0].url)
    assert without_record(files(source, repo)) == without_record(files(target, repo))


def test_a_collection_lists_the_copies(source, target, promote):
    repo = make(source, "ada/listed")
    shelf = source.create_collection("A run", description="All of it")
    source.add_collection_item(shelf.slug, repo, "model", note="the model")
    source.add_collection_item(shelf.slug, "2307.09288", "paper")
    other = make(source, "ada/not-there", "dataset")
    source.add_collection_item(shelf.slug, other, "dataset")
    shown = promote(repo, f"collections/{shelf.slug}", "--namespace", "open")
    assert shown["collections"][0]["missing"] == ["datasets/ada/not-there"]
    copy = target.get_collection(next(target.list_collections(owner="open")).slug)
    assert (copy.title, copy.description, copy.private) == ("A run", "All of it", False)
    assert [(i.item_type, i.item_id, i.note) for i in copy.items] == [
        ("model", "open/listed", "the model"),
        ("paper", "2307.09288", None),
    ]
    again = promote(f"collections/{shelf.slug}", "--namespace", "open")["collections"][0]
    assert (again["added"], again["missing"]) == (0, ["datasets/ada/not-there"])
    assert len(list(target.list_collections(owner="open"))) == 1


def test_inputs_that_readers_will_not_find_are_named(source, target, promote):
    data = make(source, "ada/data", "dataset")
    at = source.repo_info(data, repo_type="dataset").sha
    source.create_repo("ada/made")
    inputs = [f"{data}@{at}", f"ada/lost@{'0' * 40}", "file@sha256:12"]
    commit(source, "ada/made", lineage_json=lineage(*inputs))
    notes = promote("ada/made", f"datasets/{data}", "--dry-run")["notes"]
    assert [note.split()[4] for note in notes] == [f"ada/lost@{'0' * 12},"]
    assert len(promote("ada/made", "--dry-run")["notes"]) == 2
    commit(source, "ada/made", lineage_json=b"{")
    (note,) = promote("ada/made", "--dry-run")["notes"]
    assert note.startswith("lineage.json of models/ada/made cannot be read")
    assert "copied as it is" in note


@pytest.mark.parametrize(
    ("words", "variables", "error", "says"),
    [
        (["ada/absent"], {}, RepoNotFound, "TFT_FROM_TOKEN"),
        (["one"], {}, UsageError, "names no repository"),
        (["datasets/a/b/c"], {}, UsageError, "names no repository"),
        (["ada/refused", "--tag", "v9"], {}, RepoNotFound, "no tag 'v9'"),
        (["ada/refused", "--main", "v9"], {}, RepoNotFound, "'v9'"),
        (["ada/refused", "--namespace", "bob"], {}, AccessDenied, "below bob"),
        (["ada/refused"], {"HF_TOKEN": "hf_ada_reads"}, AccessDenied, "may only read"),
        (["ada/refused"], {"HF_TOKEN": "hf_unknown"}, AccessDenied, "401"),
        (["ada/refused"], {"HF_TOKEN": ""}, AccessDenied, "no token"),
        (["ada/refused"], {"HF_TOKEN": "hf_bob_target"}, AccessDenied, "below ada"),
        (["ada/veiled"], {"TFT_FROM_TOKEN": ""}, RepoNotFound, "TFT_FROM_TOKEN"),
        (["ada/refused", "--from", "http://127.0.0.1:9"], {}, HubUnreachable, "cannot be reached"),
        (["ada/refused", "--from", "nowhere"], {}, UsageError, "--from is 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_changed(
    source, target, promote, monkeypatch, words, variables, error, says
):
    if not source.repo_exists("ada/refused"):
        make(source, "ada/refused")
        make(source, "ada/veiled", private=True)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error, match=says):
        promote(*words)
    assert not target.repo_exists("ada/refused")


def test_two_repositories_do_not_become_one(source, promote):
    for owner in ("ada", "lab"):
        source.create_repo(f"{owner}/same-name")
    with pytest.raises(UsageError, match="would both go to models/open/same-name"):
        promote("ada/same-name", "lab/same-name", "--namespace", "open")


def test_a_hub_is_not_promoted_to_itself(hubs, source, promote):
    with pytest.raises(UsageError, match="same Hub"):
        promote("ada/any", to=hubs[0].url)


def test_without_a_token_for_the_source_it_is_asked_as_a_stranger(hubs, source, target, promote, monkeypatch):
    """The token of the target, which this source would answer with 401, is never sent to it."""
    repo = make(source, "ada/open")
    monkeypatch.delenv("TFT_FROM_TOKEN")
    promote(repo)
    assert_equal(source, repo, target, repo)


def test_on_request_names_in_metadata_follow_to_the_new_owner(hubs, source, target, promote, tmp_path):
    """Pages, names and tagged commits in the card's metadata and the results; no other text, and no tag."""
    data = make(source, "ada/linked-data", "dataset")
    at = next(t.target_commit for t in source.list_repo_refs(data, repo_type="dataset").tags if t.name == "v1")
    source.create_repo("ada/linked")
    card = "---\ndatasets:\n- {n}\n- {n}-more\n- org/{n}\nbase_model: '{n}'\n---\nMade from {o} at {u}\n"
    results = "- dataset: {{id: {n}, task_id: t, revision: {c}}}\n  value: 0.5\n  source: {{url: '{u}/datasets/{n}'}}\n"
    old = {"n": data, "o": data, "u": hubs[0].url, "c": at}
    api_files = {"README.md": card.format(**old), ".eval_results/a.yaml": results.format(**old), "notes.txt": data}
    operations = [CommitOperationAdd(path, text.encode()) for path, text in api_files.items()]
    source.create_commit("ada/linked", operations, commit_message="m")
    source.create_tag("ada/linked", tag="v1")
    words = ["ada/linked", f"datasets/{data}", "--namespace", "open", "--relink"]
    promote(*words)
    copied = next(
        t.target_commit for t in target.list_repo_refs("open/linked-data", repo_type="dataset").tags if t.name == "v1"
    )

    def text(path: str, revision: str = "main") -> str:
        cache = tmp_path / os.urandom(4).hex()
        return Path(target.hf_hub_download("open/linked", path, revision=revision, cache_dir=cache)).read_text()

    expected = (
        card.format(n="open/linked-data", o=data, u=hubs[0].url)
        .replace("open/linked-data-more", f"{data}-more")
        .replace("org/open/linked-data", f"org/{data}")
    )
    assert text("README.md") == expected
    assert text(".eval_results/a.yaml") == results.format(n="open/linked-data", u=hubs[1].url, c=copied)
    assert text("notes.txt") == data
    assert text("README.md", "v1") == api_files["README.md"]
    again = promote(*words)
    assert [one["changed"] for one in again["repositories"]] == [False, False]


def test_a_file_that_became_a_folder_and_what_a_gitignore_leaves_out(source, target, promote):
    """The first is copied; the second, which clients never send, is said instead of left out silently."""
    source.create_repo("ada/turns")
    commit(source, "ada/turns", thing=b"a file")
    source.create_tag("ada/turns", tag="v1")
    commit(source, "ada/turns", thing=None, thing__inside=b"in a folder")
    source.create_tag("ada/turns", tag="v2")
    promote("ada/turns")
    assert_equal(source, "ada/turns", target, "ada/turns")
    commit(source, "ada/turns", run_log=b"log")
    commit(source, "ada/turns", _gitignore=b"*.log\n")
    before = files(target, "ada/turns")
    with pytest.raises(HubError, match=r"first in 'run.log'; does a .gitignore"):
        promote("ada/turns")
    assert files(target, "ada/turns") == before
    source.delete_file("run.log", "ada/turns")
    promote("ada/turns")
    assert_equal(source, "ada/turns", target, "ada/turns")
