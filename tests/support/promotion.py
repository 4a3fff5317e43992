"""Repositories with a history, on two Hubs, between which tests promote them."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

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


def hub(folder: Path, users: str) -> AbstractContextManager[EmbeddedHub]:
    """Serve a Hub with these users, whose files are kept in a new folder."""
    folder.mkdir()
    (folder / "users.yaml").write_text(users)
    return running(folder / "root", users=folder / "users.yaml")


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
