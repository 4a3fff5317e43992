"""The last commit of each file, and the diff of a pull request, against plain git and a plain walk."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from dulwich.objects import Blob
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from harness.hubd.api.tree import LIST_TEXT, add_last_commits, commit_items
from harness.hubd.errors import Refused
from harness.hubd.storage.commits import Author, Operations, Staging, record
from harness.hubd.storage.discussions import conflicts
from harness.hubd.storage.git import GitRepo
from harness.hubd.storage.objects import CommitFacts
from harness.hubd.storage.trees import edited_tree

COMMITS = 60


@pytest.fixture
def git(tmp_path: Path) -> GitRepo:
    """A repository with a history of random edits, deletions and files that come back."""
    GitRepo.create(tmp_path / "r.git")
    git, draw, tree, head = GitRepo(tmp_path / "r.git"), random.Random(3), None, []
    for number in range(COMMITS):
        staging = Staging(git)
        changes = {}
        for _ in range(draw.randint(1, 4)):
            path = f"{draw.choice(['', 'a/', 'a/b/', 'c/'])}{draw.randint(0, 6)}.txt"
            gone = draw.random() < 0.2 and tree is not None
            changes[path] = None if gone else staging.add(Blob.from_string(b"%d" % draw.randint(0, 3)))
        tree = edited_tree(git.tree, staging.add, tree, changes)
        head = [record(staging, tree, head, Author(name="a", title=str(number)))]
    git.set_ref("refs/heads/main", head[0], None)
    yield git
    git.close()


def test_the_last_commit_of_every_file_and_folder_is_what_a_walk_for_each_finds(git: GitRepo, monkeypatch):
    head = git.resolve("main")
    items = [{"path": path, "oid": entry.sha} for path, entry in git.walk(git.commit(head).tree)]
    history = list(git.history(head))
    expected = {}
    for item in items:
        same = head
        for commit in history[1:]:
            entry = git.entry(commit.sha, item["path"])
            if entry is None or entry.sha != item["oid"]:
                break
            same = commit.sha
        expected[item["path"]] = same
    asked = []
    entry = git.entry
    monkeypatch.setattr(git, "entry", lambda commit, path: asked.append(path) or entry(commit, path))
    add_last_commits(git, head, items)
    assert {item["path"]: item["lastCommit"]["id"] for item in items} == expected
    assert len(asked) <= 4 * (COMMITS + 1), "one look for each commit and folder, however many files there are"


def test_long_messages_of_many_commits_make_no_endless_list():
    def said(message: str) -> CommitFacts:
        return CommitFacts(sha="a" * 40, tree="", parents=(), author="a", time=0, title="t", message=message)

    items = commit_items([said("x" * 20_000)] * 1000 + [said("short")], formatted=True)
    assert sum(len(item["formatted"]["message"]) for item in items) < LIST_TEXT + 5000
    assert (len(items), items[0]["message"], items[-1]["message"]) == (1001, "x" * 20_000, "short")


def test_a_commit_has_so_many_characters_of_paths_and_a_pull_request_so_many_changes(git: GitRepo, monkeypatch):
    operations = Operations(staging=Staging(git), size_of_large=lambda _: 0, room=100)
    operations.apply("file", {"path": "a" * 60, "content": ""})
    with pytest.raises(Refused, match="split it"):
        operations.apply("deletedFile", {"path": "b" * 60})
    monkeypatch.setattr("harness.hubd.storage.discussions.CHANGES_SIZE", 300)
    head, first = git.resolve("main"), list(git.history(git.resolve("main")))[-1].sha
    git.set_ref("refs/pr/1", head, None)
    git.set_ref("refs/heads/old", first, None)
    with pytest.raises(Refused, match="too many files"):
        conflicts(git, {"num": 1, "base": "refs/heads/old", "status": "open"})


def test_the_diff_of_a_pull_request_makes_its_files_out_of_the_base_again(hub, api, tmp_path: Path):
    repo = api.create_repo("ada/patched").repo_id
    long = "".join(f"line {number}\n" for number in range(60))
    base = {"keep.txt": "same\n", "edit.txt": long, "gone.txt": "a\nb\n", "b/c.txt": "x\n"}
    api.create_commit(repo, [CommitOperationAdd(p, t.encode()) for p, t in base.items()], commit_message="base")
    edited = long.replace("line 3\n", "line three\n").replace("line 50\n", "").replace("line 30\n", "line 30\nmore\n")
    new = {"edit.txt": edited, "new/n.txt": "one\ntwo\n", "b/c.txt": "y\n"}
    operations = [CommitOperationAdd(path, text.encode()) for path, text in new.items()]
    operations += [CommitOperationDelete("gone.txt"), CommitOperationAdd("large.bin", bytes(range(256)) * 100)]
    pull = api.create_commit(repo, operations, commit_message="change", create_pr=True).pr_num
    api.upload_file(path_or_fileobj=b"meanwhile", path_in_repo="other.txt", repo_id=repo)
    diff = api.get_discussion_details(repo, pull).diff
    assert "Binary files /dev/null and b/large.bin differ" in diff
    text = "".join(f"diff --git {part}" for part in diff.split("diff --git ")[1:] if "large.bin" not in part)
    for path, content in base.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    subprocess.run(["git", "apply", "-"], input=text, text=True, cwd=tmp_path, check=True)
    found = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*.txt")}
    assert found == {"keep.txt": "same\n", **new}
