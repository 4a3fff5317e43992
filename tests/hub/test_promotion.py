"""Promotion between two real Hubs: every tag and main end with the same files by hash, and nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from harness.cli.__main__ import tft
from harness.errors import AccessDenied, HubError, HubUnreachable, RepoNotFound, UsageError
from harness.hub.lineage import Lineage
from harness.hubd.embedded import EmbeddedHub, running

SOURCE_USERS = """
users:
  - {name: ada, orgs: [lab], tokens: [{token: hf_ada_source}]}
  - {name: bob, tokens: [{token: hf_bob_source}]}
"""
TARGET_USERS = """
users:
  - {name: ada, orgs: [lab, open], tokens: [{token: hf_ada_target}, {token: hf_ada_reads, role: read}]}
  - {name: bob, tokens: [{token: hf_bob_target}]}
"""
LARGE = 200_000


def _hub(folder: Path, users: str) -> Any:
    folder.mkdir()
    (folder / "users.yaml").write_text(users)
    return running(folder / "root", users=folder / "users.yaml")


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedHub, EmbeddedHub]]:
    folder = tmp_path_factory.mktemp("hubs")
    with _hub(folder / "a", SOURCE_USERS) as source, _hub(folder / "b", TARGET_USERS) as target:
        yield source, target


@pytest.fixture(scope="module")
def source(hubs: tuple[EmbeddedHub, EmbeddedHub]) -> HfApi:
    return HfApi(endpoint=hubs[0].url, token="hf_ada_source")


@pytest.fixture(scope="module")
def target(hubs: tuple[EmbeddedHub, EmbeddedHub]) -> HfApi:
    return HfApi(endpoint=hubs[1].url, token="hf_ada_target")


@pytest.fixture
def promote(hubs: tuple[EmbeddedHub, EmbeddedHub], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    monkeypatch.setenv("HF_ENDPOINT", hubs[0].url)
    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")

    def run(*words: str, to: str = hubs[1].url) -> dict[str, Any]:
        done = CliRunner().invoke(tft, ["hub", "promote", *words, "--to", to, "--json"])
        if done.exception is not None:
            raise done.exception
        return json.loads(done.stdout)

    return run


def files(api: HfApi, repo: str, revision: str = "main", kind: str = "model") -> dict[str, tuple[int, str]]:
    found = api.list_repo_tree(repo, repo_type=kind, revision=revision, recursive=True)
    return {f.path: (f.size, f.lfs.sha256 if f.lfs else f.blob_id) for f in found if hasattr(f, "blob_id")}


def without_record(tree: dict[str, Any]) -> dict[str, Any]:
    return {path: one for path, one in tree.items() if path != ".promotion.json"}


def record(api: HfApi, repo: str, tmp_path: Path, kind: str = "model") -> dict[str, Any]:
    path = api.hf_hub_download(repo, ".promotion.json", repo_type=kind, cache_dir=tmp_path / os.urandom(4).hex())
    return json.loads(Path(path).read_text())


def commit(api: HfApi, repo: str, kind: str = "model", **contents: bytes | None) -> str:
    """Commit files whose names are given with `__` for `/` and `_` for `.`; None deletes."""
    names = {name.replace("__", "/").replace("_", "."): body for name, body in contents.items()}
    operations = [
        CommitOperationDelete(name) if body is None else CommitOperationAdd(name, body) for name, body in names.items()
    ]
    return api.create_commit(repo, operations, commit_message="change", repo_type=kind).oid


def lineage(*inputs: str) -> bytes:
    return json.dumps(Lineage(stage="collect", version=1, config={}, inputs=inputs).dump()).encode()


def make(api: HfApi, repo: str, kind: str = "model", *, large: bool = False, **options: Any) -> str:
    """A repository with two tagged revisions and a main beyond them: small, new, removed and (`large`) large files."""
    random = Random(repo)
    api.create_repo(repo, repo_type=kind, **options)
    first = {"model_bin": random.randbytes(LARGE)} if large else {"model_txt": b"m"}
    commit(api, repo, kind, README_md=b"---\nlicense: mit\n---\nOne\n", old_txt=b"o", **first)
    api.create_tag(repo, tag="v1", repo_type=kind)
    commit(
        api, repo, kind, README_md=b"---\nlicense: mit\n---\nTwo\n", old_txt=None, deep__in__a_json=b"{}", empty_txt=b""
    )
    api.create_tag(repo, tag="v2", repo_type=kind)
    api.create_tag(repo, tag="also-v2", repo_type=kind, tag_message="the same again")
    more = {"more_bin": random.randbytes(LARGE)} if large else {}
    commit(api, repo, kind, lineage_json=lineage(), **more)
    return repo


def assert_equal(source: HfApi, repo: str, target: HfApi, copy: str, kind: str = "model") -> None:
    tags = {tag.name for tag in source.list_repo_refs(repo, repo_type=kind).tags}
    refs = target.list_repo_refs(copy, repo_type=kind)
    assert {tag.name for tag in refs.tags} == tags
    for tag in tags:
        assert files(source, repo, tag, kind) == files(target, copy, tag, kind)
    assert without_record(files(source, repo, kind=kind)) == without_record(files(target, copy, kind=kind))
    assert [branch.name for branch in refs.branches] == ["main"]


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


KILLED = """
import os, signal, sys
from huggingface_hub.utils import get_session
from harness.cli.__main__ import main
from harness.hub.http_client import use_own_client

use_own_client("http://127.0.0.1")  # once per process: what is hooked into it stays
left, moment = int(sys.argv.pop(1)), sys.argv.pop(1)

def count(message):
    global left
    request = message if moment == "request" else message.request
    left -= request.method not in ("GET", "HEAD")
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

hooks = get_session().event_hooks
get_session().event_hooks = {**hooks, moment: [*hooks[moment], count]}
main()
"""


def _killed(hubs: tuple[EmbeddedHub, EmbeddedHub], repo: str, request: int, moment: str, folder: Path) -> bool:
    """Run the command in another process, which dies before (or after) it sends that request; False if it ended."""
    environment = os.environ | {"HF_TOKEN": "hf_ada_target", "TFT_FROM_TOKEN": "hf_ada_source", "TMPDIR": str(folder)}
    words = [str(request), moment, "hub", "promote", repo, "--from", hubs[0].url, "--to", hubs[1].url]
    done = subprocess.run([sys.executable, "-c", KILLED, *words], env=environment, capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize(
    "moment", [pytest.param("request", marks=pytest.mark.slow), pytest.param("response", marks=pytest.mark.kill)]
)
def test_killed_around_every_write_it_goes_on_and_shows_nothing_half_done(hubs, source, target, moment, tmp_path):
    """Every run dies at its n-th writing request, n = 1, 2, ...: strangers see nothing, or all that main has."""
    stranger = HfApi(endpoint=hubs[1].url, token="hf_bob_target")
    repo = make(source, f"ada/killed-{moment}", large=True)
    deaths = 0
    while _killed(hubs, repo, deaths + 1, moment, tmp_path):
        deaths += 1
        if stranger.repo_exists(repo):
            assert without_record(files(stranger, repo)) == files(source, repo)
        for tag in target.list_repo_refs(repo).tags if target.repo_exists(repo) else []:
            assert files(target, repo, tag.name) == files(source, repo, tag.name)
    assert deaths >= 5
    assert_equal(source, repo, target, repo)
    assert stranger.repo_exists(repo)


@pytest.mark.slow
def test_two_promotions_at_once_end_as_one(hubs, source, target, promote):
    """One of them may be refused; nothing is mixed up, and running again completes it."""
    repo = make(source, "ada/raced")
    environment = os.environ | {"HF_TOKEN": "hf_ada_target", "TFT_FROM_TOKEN": "hf_ada_source"}
    words = ["hub", "promote", repo, "--from", hubs[0].url, "--to", hubs[1].url]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *words], env=environment, stdout=-3, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for child in children:
        _, said = child.communicate()
        assert child.returncode in (0, 2), said
        assert b"Traceback" not in said
    promote(repo)
    assert_equal(source, repo, target, repo)


def test_a_source_that_goes_on_meanwhile_is_promoted_as_it_was(hubs, source, target, monkeypatch):
    """Commits are pinned when the plan is made."""
    from harness.hub.connect import connect_both
    from harness.hub.promotion.plan import PromoteOptions
    from harness.hub.promotion.promote import apply_promotion, parse_name, plan_promotion

    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")
    repo = make(source, "ada/moving")
    was = {revision: files(source, repo, revision) for revision in ("main", "v1")}
    with connect_both(hubs[0].url, hubs[1].url) as (giver, receiver):
        plan = plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions())
        commit(source, repo, README_md=b"later")
        source.delete_tag(repo, tag="v1")
        source.create_tag(repo, tag="v1")
        apply_promotion(giver, receiver, plan, lambda line: None)
    assert {"v1": files(target, repo, "v1"), "main": without_record(files(target, repo))} == was


@pytest.mark.slow
def test_a_target_that_moves_meanwhile_is_not_overwritten(hubs, source, target, monkeypatch):
    from harness.hub.connect import connect_both
    from harness.hub.promotion.plan import PromoteOptions
    from harness.hub.promotion.promote import apply_promotion, parse_name, plan_promotion

    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")
    repo = make(source, "ada/contested")
    with connect_both(hubs[0].url, hubs[1].url) as (giver, receiver):
        apply_promotion(
            giver,
            receiver,
            plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions()),
            lambda line: None,
        )
        commit(source, repo, new_txt=b"n")
        plan = plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions())
        commit(target, repo, theirs_txt=b"t")
        with pytest.raises(HubError, match="someone else pushed"):
            apply_promotion(giver, receiver, plan, lambda line: None)
    assert "theirs.txt" in files(target, repo)


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


@pytest.mark.slow
def test_a_target_that_dies_midway_is_completed_when_it_is_back(hubs, source, promote, tmp_path, monkeypatch):
    from harness.hub.connect import connect_both
    from harness.hub.promotion.plan import PromoteOptions
    from harness.hub.promotion.promote import apply_promotion, parse_name, plan_promotion

    repo = make(source, "ada/outlives")
    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")
    (tmp_path / "users.yaml").write_text(TARGET_USERS)
    first = running(tmp_path / "root", users=tmp_path / "users.yaml")
    fragile = first.__enter__()

    def die(line: str) -> None:
        if "v2" in line:
            first.__exit__(None, None, None)

    with connect_both(hubs[0].url, fragile.url) as (giver, receiver):
        plan = plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions())
        with pytest.raises(HubUnreachable):
            apply_promotion(giver, receiver, plan, die)
    with running(tmp_path / "root", users=tmp_path / "users.yaml") as back:
        api = HfApi(endpoint=back.url, token="hf_ada_target")
        assert api.repo_info(repo).private
        assert [tag.name for tag in api.list_repo_refs(repo).tags] == ["v1"]
        promote(repo, to=back.url)
        assert_equal(source, repo, api, repo)
        assert not api.repo_info(repo).private


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
