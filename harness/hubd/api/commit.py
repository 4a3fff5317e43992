"""Routes that change a repository: preupload, commit, branches, tags, squash."""

from __future__ import annotations

import time
from typing import Any

from dulwich.objects import Commit, Tag
from starlette.responses import Response

from ..bounds import Budget
from ..errors import Refused, revision_not_found, stale_parent
from ..storage.attributes import LARGE_SIZE, is_ignored, is_large
from ..storage.commits import (
    Author,
    Header,
    Operations,
    Staging,
    branch_ref,
    check_parent,
    lines_of,
    read_header,
    squash,
)
from ..storage.discussions import check_text
from ..storage.git import FULL_SHA, GitRepo, checked_ref
from ..storage.trees import checked_path
from ..storage.usage import keep_file
from .request import Call, answer, text_of

PREUPLOAD_SECONDS = 5.0  # of processor time


def preupload(call: Call) -> Response:
    """Say for each file whether it is uploaded as a large one, and what lies there already."""
    git, body = call.git(), call.json()
    commit = git.resolve(call.segments[0])
    files = body.get("files")
    if not isinstance(files, list):
        raise Refused(400, "'files' is missing or not a list.")
    attributes = git.text(commit, ".gitattributes") or ""
    ignore = body.get("gitIgnore")
    ignore = ignore if isinstance(ignore, str) else git.text(commit, ".gitignore") or ""
    budget, found = Budget(PREUPLOAD_SECONDS), list[dict[str, Any]]()
    for item in files:
        if budget.spent:
            raise Refused(413, f"{len(files)} files are too many for that many rules; ask for fewer at a time.")
        found.append(_preupload_item(git, commit, item, attributes, ignore))
    return answer({"files": found, "commitOid": commit})


def _preupload_item(git: GitRepo, commit: str, item: Any, attributes: str, ignore: str) -> dict[str, Any]:
    if not isinstance(item, dict) or not isinstance(item.get("size"), int):
        raise Refused(400, "Each file of a preupload needs path and size.")
    path = checked_path(item.get("path"))
    large = item["size"] >= LARGE_SIZE or (item["size"] > 0 and is_large(attributes, path))
    described: dict[str, Any] = {
        "path": path,
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": bool(ignore) and is_ignored(ignore, path),
    }
    entry = git.entry(commit, path)
    if entry is not None and not entry.is_folder:
        described["oid"] = git.facts(entry.sha).etag
    return described


def commit(call: Call) -> Response:
    """Apply an NDJSON commit to a branch, or to a new pull request (`create_pr`)."""
    if call.upload is None:
        raise Refused(400, "A commit needs a body.")
    user, repo = call.required_user(), call.repo
    git = call.git()
    call.upload.file.flush()
    lines = lines_of(call.upload.path)
    header = read_header(lines)
    author = Author(name=user.name, title=header.title, description=header.description)
    sha, number = _commit(call, git, author, header, lines)
    answer_body = {
        "success": True,
        "commitOid": sha,
        "commitUrl": f"{call.base}/{repo.web_path}/commit/{sha}",
        "hookOutput": "",
    }
    if number is not None:
        answer_body["pullRequestUrl"] = f"{call.base}/{repo.web_path}/discussions/{number}"
    return answer(answer_body)


def _commit(call: Call, git: GitRepo, author: Author, header: Header, lines: Any) -> tuple[str, int | None]:
    """Return the new commit of a branch, or of a new pull request and its number.

    Reading the operations and storing what they bring takes long, so no lock is held meanwhile.
    """
    proposal, revision = call.flag("create_pr"), call.segments[0]
    if proposal and FULL_SHA.fullmatch(revision):
        raise revision_not_found(revision)
    if proposal:
        check_text(header.title, title=True)
        check_text(header.description)
    name, head = branch_ref(git, revision)
    check_parent(header, head)
    operations = Operations(staging=Staging(git), size_of_large=lambda oid: _large(call, oid))
    for key, value in lines:
        operations.apply(key, value)
    if proposal:
        sha = operations.commit(head, author)
        call.services.references.committing(call.repo, *operations.large)
        return sha, call.services.discussions.open(call.repo, author, base=name, head=sha)
    with git.moving(name):
        name, head = branch_ref(git, revision)
        check_parent(header, head)
        sha = operations.commit(head, author)
        call.services.references.committing(call.repo, *operations.large)
        if not git.set_ref(name, sha, head):
            raise stale_parent()
    return sha, None


def _large(call: Call, sha256: str) -> int:
    size = call.services.blobs.size(sha256)
    if size is None or not call.services.references.may_use(call.user, call.repo, sha256):
        raise Refused(400, f"LFS pointer pointed to a file that does not exist: {sha256}; upload it first.")
    keep_file(sha256, size)
    return size


def create_branch(call: Call) -> Response:
    """Make a branch at `startingPoint` (default: main)."""
    git, name = call.git(), "/".join(call.segments)
    if name.startswith("refs/"):
        raise Refused(400, f"Invalid reference for a branch: {name}")
    start = git.resolve(text_of(call.json(), "startingPoint", "main"))
    if not git.set_ref(f"refs/heads/{name}", start, None):
        raise Refused(409, f"Reference refs/heads/{name} already exists")
    return Response(status_code=200)


def delete_branch(call: Call) -> Response:
    """Delete a branch other than main."""
    git, name = call.git(), "/".join(call.segments)
    if name == "main":
        raise Refused(403, "Cannot delete refs/heads/main")
    _delete_ref(git, f"refs/heads/{name}", name)
    return Response(status_code=200)


def create_tag(call: Call) -> Response:
    """Tag a revision; with a message the tag is an annotated one."""
    git, body = call.git(), call.json()
    name, message = text_of(body, "tag"), text_of(body, "message", "")
    sha = git.resolve("/".join(call.segments))
    checked_ref(f"refs/tags/{name}")
    if message and git.ref(f"refs/tags/{name}") is None:
        sha = _annotate(git, name, message, sha, call.required_user().name)
    if not git.set_ref(f"refs/tags/{name}", sha, None):
        raise Refused(409, f"Tag reference exists already: refs/tags/{name}")
    return Response(status_code=200)


def _annotate(git: GitRepo, name: str, message: str, commit_sha: str, tagger: str) -> str:
    tag = Tag()
    tag.name, tag.message = name.encode(), message.encode()
    tag.object = (Commit, commit_sha.encode())
    tag.tagger = f"{tagger} <{tagger}@users.noreply.localhost>".encode()
    tag.tag_time, tag.tag_timezone = int(time.time()), 0
    staging = Staging(git)
    sha = staging.add(tag)
    staging.flush()
    return sha


def delete_tag(call: Call) -> Response:
    """Delete a tag."""
    name = "/".join(call.segments)
    _delete_ref(call.git(), f"refs/tags/{name}", name)
    return Response(status_code=200)


def _delete_ref(git: GitRepo, ref: str, name: str) -> None:
    with git.writing:
        head = git.ref(ref)
        if head is None:
            raise revision_not_found(name)
        git.delete_ref(ref, head)


def super_squash(call: Call) -> Response:
    """Replace the history of a branch by one commit."""
    repo, body = call.repo, call.json()
    branch = "/".join(call.segments)
    title = text_of(body, "message", "") or f"Super-squash branch '{branch}' using the Hub"
    sha = squash(call.git(), branch, Author(name=call.required_user().name, title=title))
    return answer({"commitOid": sha, "repo": repo.name})
