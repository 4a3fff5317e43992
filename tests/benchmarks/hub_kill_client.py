"""One client of `hub_kill.py`: a random load on its own repository, and the repository's expected content.

python tests/benchmarks/hub_kill_client.py FOLDER SEED   # HF_ENDPOINT and HF_TOKEN say where
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ANSWER_SECONDS = 120.0


@dataclass(slots=True)
class State:
    """What a repository should hold: path -> git id or sha256, names of tags and branches, open and merged pulls."""

    files: dict[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    branches: set[str] = field(default_factory=set)
    open: int = 0
    merged: int = 0
    oids: set[str] = field(default_factory=set)  # acknowledged commits of main

    def changed(self, **changes: object) -> State:
        kept = {name: getattr(self, name) for name in ("files", "tags", "branches", "open", "merged", "oids")}
        return State(**{**kept, **changes})

    def same(self, other: State) -> bool:
        names = ("files", "tags", "branches", "open", "merged")
        return all(getattr(self, name) == getattr(other, name) for name in names)


class Client:
    """One client with one repository at a time, which only it changes."""

    def __init__(self, folder: Path, seed: int) -> None:
        from huggingface_hub import HfApi

        self.api, self.draw, self.folder = HfApi(), random.Random(seed), folder
        self.seed, self.made, self.state = seed, 0, None
        self.counts = {"done": 0, "failed": 0}

    @property
    def repo(self) -> str:
        return f"local/c{self.seed}-{self.made}"

    def step(self) -> None:
        """Do one thing; if it fails, see that it was done or not done, not in between."""
        action, after = self._plan()
        before = self.state
        try:
            oid = action()
            self.state = after
            if after is not None and oid is not None:
                after.oids = after.oids | {oid}
            self.counts["done"] += 1
        except Exception as error:  # the server dies at any moment: any failure may come
            self.counts["failed"] += 1
            found = self._observe()
            if not any(_alike(found, wanted) for wanted in (before, after)):
                raise SystemExit(f"{self.repo}: {found} is neither {before} nor {after} ({error!r})") from error
            self.state = found if found is None else found.changed(oids=(before or State()).oids if before else set())
            if after is not None and not after.oids and found is not None:
                self.state.oids = set()  # perhaps squashed
        (self.folder / "counts.new").write_text(json.dumps(self.counts))
        (self.folder / "counts.new").replace(self.folder / "counts")

    def check(self) -> None:
        """See that the repository holds what was acknowledged."""
        found = self._observe()
        if not _alike(found, self.state):
            raise SystemExit(f"{self.repo}: {found} is not {self.state}")
        if self.state is not None:
            lost = self.state.oids - {commit.commit_id for commit in self.api.list_repo_commits(self.repo)}
            if lost:
                raise SystemExit(f"{self.repo}: acknowledged commits are gone: {lost}")

    def _observe(self) -> State | None:
        from huggingface_hub.errors import RepositoryNotFoundError

        end = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self._read()
            except RepositoryNotFoundError:
                return None
            except Exception:  # the server is down, or goes down meanwhile
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _read(self) -> State:
        items = self.api.list_repo_tree(self.repo, recursive=True)
        files = {item.path: item.lfs.sha256 if item.lfs else item.blob_id for item in items if hasattr(item, "blob_id")}
        del files[".gitattributes"]
        refs = self.api.list_repo_refs(self.repo, include_pull_requests=True)
        pulls = [found.status for found in self.api.get_repo_discussions(self.repo)]
        if len(pulls) != len(refs.pull_requests):
            raise SystemExit(f"{self.repo}: {len(pulls)} pull requests, {len(refs.pull_requests)} refs of them")
        branches = {branch.name for branch in refs.branches} - {"main"}
        tags = {tag.name for tag in refs.tags}
        return State(files, tags, branches, pulls.count("open"), pulls.count("merged"))

    def _plan(self) -> tuple[Callable[[], str | None], State | None]:
        if self.state is None:
            self.made += 1
            return (lambda: self.api.create_repo(self.repo) and None), State()
        plans = [self._commit, self._commit, self._large, self._large, self._tag, self._branch, self._pull, self._rare]
        return self.draw.choice(plans)(self.state)

    def _commit(self, state: State) -> tuple[Callable[[], str | None], State]:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations, files = [], dict(state.files)
        for _ in range(self.draw.randint(1, 30)):
            path, content = f"{self.draw.randint(0, 5)}/{self.draw.randint(0, 99)}.txt", self.draw.randbytes(200)
            if path not in {op.path_in_repo for op in operations}:
                operations.append(CommitOperationAdd(path, content))
                files[path] = hashlib.sha1(b"blob 200\0" + content).hexdigest()
        if state.files and self.draw.random() < 0.3:
            gone = self.draw.choice(sorted(state.files))
            if gone not in {op.path_in_repo for op in operations}:
                operations.append(CommitOperationDelete(gone))
                del files[gone]
        make = lambda: self.api.create_commit(self.repo, operations, commit_message="c").oid  # noqa: E731
        return make, state.changed(files=files)

    def _large(self, state: State) -> tuple[Callable[[], str | None], State]:
        size = self.draw.choice((20_000, 300_000, 3_000_000))
        content = self.draw.randbytes(size) + bytes(self.draw.randint(0, 100_000))
        path = f"{self.draw.randint(0, 9)}.bin"
        local = self.folder / "large.bin"
        local.write_bytes(content)
        source = str(local) if self.draw.random() < 0.5 else content  # a path goes through Xet, bytes through LFS
        files = {**state.files, path: hashlib.sha256(content).hexdigest()}
        upload = self.api.upload_file
        make = lambda: upload(path_or_fileobj=source, path_in_repo=path, repo_id=self.repo).oid  # noqa: E731
        return make, state.changed(files=files)

    def _tag(self, state: State) -> tuple[Callable[[], str | None], State]:
        name = f"t{self.draw.randint(0, 9)}"
        if name in state.tags:
            return lambda: self.api.delete_tag(self.repo, tag=name), state.changed(tags=state.tags - {name})
        message = self.draw.choice((None, "annotated"))
        make = lambda: self.api.create_tag(self.repo, tag=name, tag_message=message)  # noqa: E731
        return make, state.changed(tags=state.tags | {name})

    def _branch(self, state: State) -> tuple[Callable[[], str | None], State]:
        name = f"dev/b{self.draw.randint(0, 4)}"
        if name in state.branches:
            make = lambda: self.api.delete_branch(self.repo, branch=name)  # noqa: E731
            return make, state.changed(branches=state.branches - {name})
        return lambda: self.api.create_branch(self.repo, branch=name), state.changed(branches=state.branches | {name})

    def _pull(self, state: State) -> tuple[Callable[[], str | None], State]:
        from huggingface_hub import CommitOperationAdd

        number = state.open + state.merged + 1
        if state.open:  # at most one is open: the last
            make = lambda: self.api.merge_pull_request(self.repo, number - 1)  # noqa: E731
            path = f"pull/{number - 1}"
            files = {**state.files, path: hashlib.sha1(b"blob 2\0pr").hexdigest()}
            return lambda: make() and None, state.changed(files=files, open=0, merged=state.merged + 1)
        operations = [CommitOperationAdd(f"pull/{number}", b"pr")]
        create = lambda: self.api.create_commit(self.repo, operations, commit_message="p", create_pr=True)  # noqa: E731
        return lambda: create() and None, state.changed(open=1)

    def _rare(self, state: State) -> tuple[Callable[[], str | None], State | None]:
        chance = self.draw.random()
        if chance < 0.3:
            return lambda: self.api.delete_repo(self.repo), None
        if chance < 0.6 and not state.open:  # a squash cuts an open proposal off from its base
            return lambda: self.api.super_squash_history(self.repo), state.changed(oids=set())
        title = f"of {self.seed}"
        return lambda: self.api.create_collection(title, exists_ok=True) and None, state.changed()


def _alike(found: State | None, wanted: State | None) -> bool:
    return found is wanted or (found is not None and wanted is not None and found.same(wanted))


def client(folder: Path, seed: int) -> None:
    """Work until the file `stop` is there; a violation is written to the file `violations`."""
    worker = Client(folder, seed)
    try:
        while not (folder.parent / "stop").exists():
            worker.step()
            if worker.draw.random() < 0.05:
                worker.check()
        worker.check()
    except SystemExit as violation:
        (folder / "violations").write_text(str(violation))
        raise


if __name__ == "__main__":
    client(Path(sys.argv[1]), int(sys.argv[2]))
