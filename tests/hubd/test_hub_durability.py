"""Nothing acknowledged is lost, nothing half done is seen: verify, collections, concurrency, crashes, a full disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from dulwich.objects import Blob
from huggingface_hub import CommitOperationAdd, HfApi

from harness.cli.__main__ import tft
from harness.errors import HarnessError
from harness.hubd.embedded import running
from harness.hubd.errors import HubStartError

REPO = "local/kept"


def hub_command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(tft, ["hub", *arguments])
    if isinstance(done.exception, HarnessError):
        return done.exception.exit_code, f"{done.output}{done.exception}"
    assert done.exception is None, done.exception
    return done.exit_code, done.output


def verified(root: Path) -> dict:
    code, output = hub_command("verify", "--root", str(root), "--json")
    report = json.loads(output.splitlines()[0])
    assert code == (0 if report["ok"] else 1)
    return report


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("durable") / "root"
    with running(root) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        api.create_repo(REPO)
        for number in range(3):
            large = CommitOperationAdd(f"{number}.bin", os.urandom(5_000))
            small = [CommitOperationAdd(f"{number}/{i}.txt", b"%d" % i) for i in range(10)]
            api.create_commit(REPO, [large, *small], commit_message=f"commit {number}")
        api.create_tag(REPO, tag="v1", tag_message="first")
        api.create_commit(REPO, [CommitOperationAdd("p.txt", b"p")], commit_message="proposal", create_pr=True)
        report = verified(root)  # beside the server
        assert report["ok"]
        assert (report["repositories"], report["files"], report["bytes"]) == (1, 3, 15_000)
    database = sqlite3.connect(root / "hub.db")
    database.execute("pragma wal_checkpoint(truncate)")
    database.close()
    return root


@pytest.fixture
def filled(once: Path, tmp_path: Path) -> Path:
    """A root with a repository of regular and large files, a tag and a pull request; no server runs on it."""
    return Path(shutil.copytree(once, tmp_path / "root"))


def only(folder: Path, pattern: str) -> Path:
    return next(path for path in sorted(folder.rglob(pattern)) if path.is_file())


def overwrite(path: Path, change) -> None:
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(change(content))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda root: only(root / "files", "*").unlink(), "missing"),
        (lambda root: overwrite(only(root / "files", "*"), lambda data: data[:-1]), "4999 bytes instead of 5000"),
        (lambda root: overwrite(only(root / "files", "*"), lambda data: b"!" + data[1:]), "its content has the sha256"),
        (lambda root: overwrite(only(root / "repos", "*.pack"), lambda d: d[:40] + b"!!" + d[42:]), "damaged"),
        (lambda root: only(root / "repos", "objects/??/*").unlink(), "is missing"),
        (lambda root: overwrite(only(root / "repos", "objects/??/*"), lambda data: data[:-4]), "is damaged"),
        (lambda root: only(root / "repos", "refs/heads/main").unlink(), "main is missing"),
        (lambda root: only(root / "repos", "refs/heads/main").write_text("f" * 40 + "\n"), "is missing"),
        (lambda root: only(root / "repos", "refs/tags/v1").write_text("nonsense\n"), "refs/tags/v1 is damaged"),
        (lambda root: only(root / "repos", "refs/pr/1").unlink(), "pull request 1"),
        (lambda root: next((root / "repos").iterdir()).rename(root / "elsewhere"), "cannot be opened"),
        (lambda root: overwrite(root / "hub.db", lambda data: data[:4096] + b"\xff" * 8192 + data[12288:]), "hub.db"),
        (lambda root: (root / "files" / "stray").write_text("x"), "does not belong there"),
    ],
    ids=range(13),
)
def test_verify_names_every_kind_of_damage(filled: Path, damage, named: str):
    damage(filled)
    report = verified(filled)
    assert any(named in problem for problem in report["problems"]), report["problems"]


def test_a_crash_leaves_nothing_that_is_seen_and_a_collection_removes_it(filled: Path):
    repo = next((filled / "repos").iterdir())
    for leftover in (
        filled / "tmp" / "half",
        filled / "xorbs" / ("a" * 64),
        filled / "trash" / "gone",
        repo / "refs" / "heads" / "main.lock",
        repo / "objects" / "tmp_obj_1",
        repo / "objects" / "pack" / "tmp1.pack",
        repo / "objects" / "pack" / ("pack-" + "0" * 40 + ".pack"),
    ):
        leftover.write_bytes(b"half")
    unused = hashlib.sha256(b"unused").hexdigest()
    place = filled / "files" / unused[:2] / unused[2:4] / unused
    place.parent.mkdir(parents=True)
    place.write_bytes(b"unused")
    blob = Blob.from_string(b"never committed")
    loose = repo / "objects" / blob.id[:2].decode() / blob.id[2:].decode()
    loose.parent.mkdir(exist_ok=True)
    loose.write_bytes(blob.as_legacy_object())
    (filled / "repos" / f"{'0' * 24}.git").mkdir()
    (repo / "refs" / "pr" / "9").write_text((repo / "refs" / "heads" / "main").read_text())
    assert verified(filled)["problems"] == []
    assert hub_command("gc", "--root", str(filled))[0] == 0
    assert loose.exists(), "younger than the grace period"
    assert place.exists(), "younger than the grace period"
    code, output = hub_command("gc", "--root", str(filled), "--grace", "0", "--json")
    assert (code, json.loads(output)["files"], json.loads(output)["repositories"]) == (0, 1, 1)
    found = {path for path in filled.rglob("*") if path.is_file() and path.read_bytes() in (b"half", b"unused")}
    assert not found
    assert not loose.exists()
    assert verified(filled)["problems"] == []
    assert subprocess.run(["git", "-C", repo, "fsck", "--full", "--strict"], check=False).returncode == 0


def test_a_collection_keeps_what_is_used_and_drops_what_a_squash_and_a_deletion_left(filled: Path, tmp_path: Path):
    with running(filled) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        before = sorted(api.list_repo_files(REPO))
        api.create_commit(REPO, [CommitOperationAdd("old.bin", os.urandom(9_000))], commit_message="old")
        api.delete_file("old.bin", REPO)
        api.super_squash_history(REPO)
        api.create_repo("local/deleted")
        api.upload_file(path_or_fileobj=os.urandom(7_000), path_in_repo="d.bin", repo_id="local/deleted")
        api.delete_repo("local/deleted")
        assert "stop that one" in hub_command("gc", "--root", str(filled))[1]
    code, output = hub_command("gc", "--root", str(filled), "--grace", "0", "--json")
    collected = json.loads(output)
    assert (code, collected["files"]) == (0, 2)
    assert collected["objects"] > 0
    assert collected["bytes"] > 16_000
    assert verified(filled)["problems"] == []
    assert json.loads(hub_command("gc", "--root", str(filled), "--grace", "0", "--json")[1])["objects"] == 0
    with running(filled) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        got = Path(api.snapshot_download(REPO, cache_dir=tmp_path / "cache"))
        assert sorted(p.relative_to(got).as_posix() for p in got.rglob("*") if p.is_file()) == before
        assert api.file_exists(REPO, "2.bin", revision="v1")


def test_a_collection_touches_nothing_where_something_is_damaged(filled: Path):
    only(filled / "repos", "objects/??/*").unlink()
    files = sorted((filled / "files").rglob("*"))
    code, output = hub_command("gc", "--root", str(filled), "--grace", "0")
    assert code == 2
    assert "verify" in output
    assert sorted((filled / "files").rglob("*")) == files


def test_a_second_server_on_a_root_is_refused_and_so_is_a_folder_without_a_hub(tmp_path: Path):
    root = tmp_path / "root"
    with running(root), pytest.raises(HubStartError, match="in use by another Hub"), running(root):
        pass
    for verb in ("gc", "verify"):
        code, output = hub_command(verb, "--root", str(tmp_path / "empty"))
        assert code == 2
        assert "holds no Hub" in output


def test_concurrent_commits_are_all_kept_and_readers_see_whole_revisions_only(api):
    repo = api.create_repo("ada/busy").repo_id

    def commit(number: int) -> str:
        operations = [CommitOperationAdd(f"{name}/{number}", b"%d" % number) for name in "ab"]
        return api.create_commit(repo, operations, commit_message=str(number)).oid

    def read(_: int) -> bool:
        paths = set(api.list_repo_files(repo))
        return all(f"b/{path[2:]}" in paths for path in paths if path.startswith("a/"))

    with ThreadPoolExecutor(24) as pool:
        commits, reads = pool.map(commit, range(64)), pool.map(read, range(60))
        oids = list(commits)
        assert all(reads)
    assert {c.commit_id for c in api.list_repo_commits(repo)} >= set(oids)
    assert len(set(oids)) == 64
    assert len([path for path in api.list_repo_files(repo) if path[:2] in ("a/", "b/")]) == 128


def test_concurrent_commits_to_many_repositories_are_all_kept(api):
    repos = [api.create_repo(f"ada/many-{number}").repo_id for number in range(20)]

    def commit(number: int) -> None:
        api.upload_file(path_or_fileobj=b"%d" % number, path_in_repo=f"{number}.txt", repo_id=repos[number % 20])

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(commit, range(200)))
    for place, repo in enumerate(repos):
        names = {f"{number}.txt" for number in range(place, 200, 20)}
        assert set(api.list_repo_files(repo)) == {".gitattributes", *names}


def test_a_repository_deleted_while_it_is_read_is_not_found_and_no_error_of_the_server(api, bob):
    def churn(number: int) -> None:
        repo = api.create_repo(f"ada/brief-{number % 3}", exist_ok=True).repo_id
        api.upload_file(path_or_fileobj=b"x", path_in_repo=f"{number}", repo_id=repo)
        api.delete_repo(repo, missing_ok=True)

    def attempt(action, number: int) -> int:
        try:
            action(number)
        except Exception as error:  # any refusal will do but a 5xx
            return getattr(getattr(error, "response", None), "status_code", repr(error))
        return 200

    def read(number: int) -> None:
        bob.model_info(f"ada/brief-{number % 3}", files_metadata=True)

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda n: attempt(churn if n % 2 else read, n), range(120)))
    assert set(seen) <= {200, 401, 404, 409, 412}, seen


def test_an_interrupted_merge_is_settled_at_the_next_start(filled: Path):
    with running(filled) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        api.merge_pull_request(REPO, 1)
        merge = api.list_repo_commits(REPO)[0].commit_id
        pull = api.create_commit(REPO, [CommitOperationAdd("q", b"q")], commit_message="q", create_pr=True).pr_num
    database = sqlite3.connect(filled / "hub.db")
    database.execute("update discussions set status = 'open' where num = 1")  # the ref moved, the row did not
    database.execute("update discussions set merged = ? where num = ?", ("0" * 40, pull))  # the ref did not move
    database.commit()
    database.close()
    with running(filled) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        first, second = (api.get_discussion_details(REPO, number) for number in (1, pull))
        assert (first.status, first.merge_commit_oid) == ("merged", merge)
        assert (second.status, second.merge_commit_oid) == ("open", None)


@pytest.mark.parametrize("kills", [pytest.param(1, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.kill)])
def test_kills_of_a_mixed_load_lose_nothing(kills):
    bench = Path(__file__).parents[1] / "benchmarks" / "hub_kill.py"
    done = subprocess.run([sys.executable, bench, "--kills", str(kills)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
