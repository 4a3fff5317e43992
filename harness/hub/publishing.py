"""A folder as a repository in one commit, what was pushed before, proposals to others, and the right to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import AccessDenied, RepoNotFound, UsageError
from harness.hub.artifact import ATTRIBUTES, README, Artifact, RepoKind, RepositoryName
from harness.hub.client import TOKEN, Hub
from harness.hub.lineage import LINEAGE, read_lineage
from harness.hub.push_checks import operations


def push_folder(
    hub: Hub, kind: RepoKind, repo_id: str, folder: Path, *, message: str, tags: Sequence[str] = ()
) -> Artifact:
    """Make the repository equal to `folder` in one commit, then set the tags, and return the artifact.

    The repository is created where it is missing. Tags come last: an interrupted push has none,
    so nothing takes it for complete. Raises UsageError, and changes nothing, where the repository holds files
    that the harness has not made.
    """
    place = RepositoryName(kind=kind, repo_id=repo_id)
    local = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    hub.create(place, private=hub.private, exist_ok=True)
    remote = hub.files(hub.resolve(kind, repo_id))
    check_ours(kind, repo_id, remote)
    stale = [name for name in remote if name not in {*local, ATTRIBUTES}]
    commit = hub.commit(place, operations(local, stale), message=message)
    artifact = place.at(commit.oid)
    for tag in tags:
        hub.tag(artifact, tag)
    return artifact


def check_ours(kind: RepoKind, repo_id: str, files: Sequence[str]) -> None:
    """Raise UsageError where these files of a repository are someone else's work, which a push would replace."""
    if LINEAGE in files or not {*files} - {ATTRIBUTES, README}:
        return
    raise UsageError(
        f"the {kind} {repo_id} holds files that this harness has not made ({len(files)}, and no {LINEAGE} among them); "
        "nothing was changed: choose another name or namespace, or delete that repository"
    )


def find_made(hub: Hub, kind: RepoKind, repo_id: str, fingerprint: str) -> Artifact | None:
    """Return the artifact that a stage has made with this fingerprint, or None.

    Where a push was killed between its commit and its tag, main is that artifact, and gets the tag now.
    DataError where main has a lineage that cannot be read.
    """
    tag = f"fp-{fingerprint}"
    if found := hub.find_tag(kind, repo_id, tag):
        return found
    try:
        head = hub.resolve(kind, repo_id)
    except RepoNotFound:
        return None
    record = read_lineage(hub, head)
    if record is None or record.fingerprint != fingerprint:
        return None
    hub.tag(head, tag)
    return head


def propose(hub: Hub, repo_id: str, files: Mapping[str, bytes], *, message: str) -> tuple[str, bool]:
    """Have one open pull request of ours on a model propose `files`; return its URL and whether anything was sent.

    One with this title that is open already is brought up to date; those of others are left alone.
    """
    me = hub.namespace()
    filters: dict[str, Any] = {"discussion_type": "pull_request", "discussion_status": "open"}
    with hub.errors(f"model {repo_id}"):
        found = [
            one
            for one in hub.api.get_repo_discussions(repo_id, author=me, **filters)
            if (one.title, one.author) == (message, me)
        ]
    if not found:
        return hub.commit_files("model", repo_id, files, message=message, create_pr=True), True
    branch = hub.resolve("model", repo_id, found[0].git_reference)
    if all(hub.read(branch, name) == body for name, body in files.items()):
        return found[0].url, False
    place = RepositoryName(kind="model", repo_id=repo_id)
    hub.commit(place, operations(files), message=message, branch=found[0].git_reference, parent=branch.revision)
    return found[0].url, True


def make_branch(hub: Hub, place: RepositoryName, branch: str) -> None:
    """Make a branch at main, where there is none of that name."""
    with hub.errors(f"the branch {branch} of {place}"):
        hub.api.create_branch(place.repo_id, branch=branch, repo_type=place.kind, exist_ok=True)


def delete_branch(hub: Hub, place: RepositoryName, branch: str) -> None:
    """Delete a branch, where there is one of that name."""
    with suppress(RepoNotFound), hub.errors(f"the branch {branch} of {place}"):
        hub.api.delete_branch(place.repo_id, branch=branch, repo_type=place.kind)


def only_reads(hub: Hub) -> bool:
    """Return whether there is a token that may read and not write."""
    return bool(hub.token()) and _role(_account(hub)) == "read"


def _account(hub: Hub) -> dict[str, Any]:
    with hub.errors("the account of this token"):
        found: dict[str, Any] = hub.api.whoami()
    return found


def _role(account: Mapping[str, Any]) -> object:
    return account.get("auth", {}).get("accessToken", {}).get("role")


def check_may_write(hub: Hub, places: Iterable[RepositoryName]) -> None:
    """Raise AccessDenied where the token may not write to one of the places, whether they exist or not."""
    if not hub.token():
        login = ", or run `hf auth login`" if hub.token_from == TOKEN and hub.api.token is None else ""
        raise AccessDenied(f"no token for {hub.endpoint}: set {hub.token_from} to one that may write{login}")
    me = _account(hub)
    if _role(me) == "read":
        raise AccessDenied(f"the token in {hub.token_from} may only read; {hub.endpoint} needs one that may write")
    mine = {me["name"].lower(), *(org["name"].lower() for org in me.get("orgs", []))}
    read_only = {org["name"].lower() for org in me.get("orgs", []) if org.get("roleInOrg") == "read"}
    for place in places:
        owner = place.repo_id.partition("/")[0]
        if owner.lower() not in mine - read_only:
            raise AccessDenied(
                f"{me['name']} may not write below {owner} on {hub.endpoint}; choose another owner with --namespace"
            )
