"""`.promotion.json` on the target's main: where the files come from, and which commit is a copy of which."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import DataError, RepoNotFound
from harness.hub.address import is_loopback
from harness.hub.artifact import Artifact, RepoKind
from harness.hub.client import Hub
from harness.hub.foreign_json import load_json
from harness.hub.repository import File, RepositoryState, Tree

RECORD = ".promotion.json"
TITLE = "Promote "


def read_promotion(hub: Hub, artifact: Artifact) -> dict[str, Any] | None:
    """Return what a promotion to this repository wrote, None without one; DataError where it cannot be read."""
    text = hub.read(artifact, RECORD)
    if text is None:
        return None
    try:
        record = load_json(text.decode("utf-8"))
    except ValueError as error:
        raise DataError(f"{RECORD} of {artifact.repo_id} cannot be read ({error}); remove it there") from error
    if not isinstance(record, dict):
        raise DataError(f"{RECORD} of {artifact.repo_id} is no JSON object; remove it there")
    return record


def without_record(tree: Tree) -> dict[str, File]:
    """Return the files of a revision without the one that a promotion adds."""
    return {path: file for path, file in tree.items() if path != RECORD}


def title(source: RepositoryState, commit: str) -> str:
    """Return the title of the commits that a promotion makes."""
    return f"{TITLE}{source.place}@{commit[:12]}"


def dump(
    endpoint: str,
    source: RepositoryState,
    main: str,
    *,
    tags: Mapping[str, tuple[str, str]],
    rewritten: Sequence[str],
    before: Mapping[str, Any] | None,
) -> bytes:
    """Return the content of the file.

    `tags` are the tags with their commits on source and target, `rewritten` the files of main that are not as on the
    source. `before` is the record that is on the target: its other
    tags stay listed if it is of the same source.
    """
    known: dict[str, Any] = {}
    if before and before.get("kind") == source.place.kind and before.get("repo") == source.place.repo_id:
        known = {name: one for name, one in dict(before.get("tags") or {}).items() if name not in tags}
    known |= {name: {"source_commit": there, "commit": here} for name, (there, here) in tags.items()}
    record = {
        # The address of a Hub on this machine would mean nothing to others.
        "hub": "a Hub on one machine" if is_loopback(endpoint) else endpoint,
        "kind": source.place.kind,
        "repo": source.place.repo_id,
        "main": {"source_commit": main},
        "rewritten": sorted(rewritten),
        "tags": dict(sorted(known.items())),
    }
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()


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
