"""Repositories that were promoted from another Hub: lineages name them as they were called there."""

from __future__ import annotations

from typing import Any

from harness.errors import DataError, RepoNotFound
from harness.hub.artifact import Artifact, RepoKind
from harness.hub.client import Hub
from harness.hub.promotion.record import read_promotion


def find_copy(hub: Hub, wanted: Artifact, kinds: tuple[RepoKind, ...], owner: str) -> Artifact | None:
    """Return the copy of a repository's commit that a promotion has made on this Hub, None where there is none.

    It is looked for under its own name and under that of `owner`, who has what was made from it.
    """
    names = dict.fromkeys([f"{owner}/{wanted.repo_id.rpartition('/')[2]}", wanted.repo_id])
    for repo_id in names:
        for kind in kinds:
            try:
                main = hub.resolve(kind, repo_id)
                record = read_promotion(hub, main) or {}
            except (RepoNotFound, DataError):
                continue  # what is no copy, or says nothing readable of being one, is none
            commit = _commit(record, wanted, main) if record.get("repo") == wanted.repo_id else None
            if commit is not None:
                return Artifact(kind=kind, repo_id=main.repo_id, revision=commit)
    return None


def _commit(record: dict[str, Any], wanted: Artifact, main: Artifact) -> str | None:
    """Return the commit here that the wanted one has become."""
    for tag in (record.get("tags") or {}).values():
        if tag.get("source_commit") == wanted.revision:
            return str(tag["commit"])
    return main.revision if (record.get("main") or {}).get("source_commit") == wanted.revision else None
