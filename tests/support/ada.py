"""A Hub with a user Ada, who makes the repositories of a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.hubd.embedded import EmbeddedHub, running


@contextmanager
def serving(folder: Path, users: str) -> Iterator[EmbeddedHub]:
    """Serve a Hub from a folder; `users` is the text of its users file, in which Ada's token is `hf_ada_write`."""
    (folder / "users.yaml").write_text(users)
    with running(folder / "root", users=folder / "users.yaml") as hub:
        yield hub


def client(hub: EmbeddedHub) -> Any:
    """Return Ada's client."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token="hf_ada_write")


def push(api: Any, repo_id: str, files: Mapping[str, bytes | str | Path], kind: str = "model", **settings: Any) -> str:
    """Make a repository with these files, and return its name."""
    from huggingface_hub import CommitOperationAdd

    api.create_repo(repo_id, repo_type=kind, exist_ok=True)
    bodies = {path: body.encode() if isinstance(body, str) else body for path, body in files.items()}
    operations = [CommitOperationAdd(path, body) for path, body in bodies.items()]
    api.create_commit(repo_id, operations, commit_message="Files of a test", repo_type=kind)
    if settings:
        api.update_repo_settings(repo_id, repo_type=kind, **settings)
    return repo_id
