"""Routes: create, delete, move, settings, info, lists, access checks."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from starlette.responses import PlainTextResponse, Response

from ..errors import Refused
from ..storage.attributes import DEFAULT_ATTRIBUTES
from ..storage.commits import Author, first_commit
from ..storage.git import GitRepo
from ..storage.repos import (
    KINDS,
    RepoRow,
    check_content,
    check_name,
    check_write,
    may_read_content,
    new_row,
    taken,
    visible,
)
from ..storage.usage import check_move
from .repo_json import FILE_KEYS, FULL_KEYS, LIST_KEYS, repo_json, size_of
from .request import Call, answer, text_of
from .summaries import Head, Lister, Summary, in_turn, shown_to, summary_of

SPACE_SDKS = ("gradio", "streamlit", "docker", "static")
GATES = ("auto", "manual")
LIST_LIMIT, LIST_SIZE = 1000, 16 << 20  # repositories, and bytes of what is said of them
SORT_KEYS = ("createdAt", "lastModified", "downloads", "likes", "trendingScore", "id")


def _kind(body: dict[str, Any]) -> str:
    kind = text_of(body, "type", "model")
    if kind not in KINDS:
        raise Refused(400, f"Invalid repo type {kind[:40]!r}: expected one of {', '.join(KINDS)}.")
    return kind


def _visibility(body: dict[str, Any]) -> bool | None:
    """Return whether private was asked for; None if nothing was."""
    if body.get("visibility") is not None:
        visibility = body["visibility"]
        if visibility not in ("public", "private", "protected"):
            raise Refused(400, "visibility must be public, private or protected.")
        return bool(visibility != "public")
    private = body.get("private")
    if private is not None and not isinstance(private, bool):
        raise Refused(400, "private must be true or false.")
    return private


def create(call: Call) -> Response:
    """Make a repository with its first commit; 409 with its `url` if it exists."""
    user, body = call.required_user(), call.json()
    services, kind = call.services, _kind(body)
    asked = text_of(body, "organization", "") or user.name
    namespace = services.accounts.canonical(asked) or asked
    name = f"{namespace}/{check_name(body.get('name'))}"
    existing = services.repos.find(kind, name)
    if existing is not None and existing.name.lower() == name.lower() and visible(existing, user):
        raise _already(call, existing)
    if not user.member_of(namespace):
        raise Refused(403, f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"')
    check_write(namespace, user, f"the namespace {namespace}")
    private = _visibility(body)
    if private is None:
        organisation = services.accounts.organisation(namespace)
        private = bool(organisation and organisation["private_by_default"])
    sdk = _sdk(kind, body)
    repo = new_row(kind, name, private=private, author=user.name, sdk=sdk)
    _prepare(call, repo)
    return answer({"url": f"{call.base}/{repo.web_path}", "name": repo.name, "id": repo.id})


def _sdk(kind: str, body: dict[str, Any]) -> str | None:
    if kind != "space":
        return None
    sdk = text_of(body, "sdk")
    if sdk not in SPACE_SDKS:
        raise Refused(400, f"Invalid sdk {sdk[:40]!r}: expected one of {', '.join(SPACE_SDKS)}.")
    return sdk


def _already(call: Call, repo: RepoRow) -> Refused:
    url = f"{call.base}/{repo.web_path}"
    return Refused(409, f"You already created this {repo.kind} repo: {repo.name}", body={"url": url, "name": repo.name})


def _prepare(call: Call, repo: RepoRow) -> None:
    services = call.services
    folder = services.root.draft()
    files = {".gitattributes": DEFAULT_ATTRIBUTES}
    if repo.kind == "space":
        title = repo.name.split("/")[1]
        files["README.md"] = f"---\ntitle: {title}\nsdk: {repo.sdk}\napp_file: app.py\npinned: false\n---\n".encode()
    try:
        GitRepo.create(folder)
        (folder / "description").write_text(f"{repo.kind} {repo.name}\n")
        author = Author(name=repo.author, title="initial commit")
        first_commit(files, author, GitRepo(folder))
        services.repos.add(repo, folder)
    except Refused as error:
        if error.status == 409:
            raise _already(call, services.repos.find(repo.kind, repo.name) or repo) from error
        raise
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def delete(call: Call) -> Response:
    """Delete a repository named in the body."""
    user, body = call.required_user(), call.json()
    namespace = text_of(body, "organization", "") or user.name
    repo = call.services.repos.writable(_kind(body), f"{namespace}/{text_of(body, 'name')}", user)
    with call.services.repos.git(repo).writing:
        call.services.repos.delete(repo)
    return PlainTextResponse("OK")


def move(call: Call) -> Response:
    """Rename a repository, possibly into another namespace; its old name keeps leading to it."""
    user, body = call.required_user(), call.json()
    kind, services = _kind(body), call.services
    repo = services.repos.writable(kind, text_of(body, "fromRepo"), user)
    asked, _, name = text_of(body, "toRepo").partition("/")
    namespace = services.accounts.canonical(asked) or asked
    check_write(namespace, user, f"the namespace {namespace}")
    target = f"{namespace}/{check_name(name)}"
    found = services.repos.find(kind, target)
    if found is not None and found.id != repo.id and found.name.lower() == target.lower():
        raise taken(kind, target)
    if repo.namespace.lower() != namespace.lower():
        check_move(repo.id, namespace)
    services.repos.rename(repo, target)
    return answer({"url": f"{call.base}/{target if kind == 'model' else f'{kind}s/{target}'}"})


def settings(call: Call) -> Response:
    """Change visibility and gating."""
    repo, body = call.repo, call.json()
    gated = body.get("gated")
    if gated not in (None, False, *GATES):
        raise Refused(400, "gated must be auto, manual or false.")
    private = _visibility(body)
    call.services.repos.update(repo, private=private, gated="" if gated is False else gated)
    return answer({"private": private, "gated": gated})


def auth_check(call: Call) -> Response:  # noqa: ARG001 - the route has asked everything
    """200 if the caller may read the files of the repository, or write (`/auth-check/write`)."""
    return Response(status_code=200)


def info(call: Call) -> Response:
    """Describe a repository at its head or at a revision; `expand` chooses keys, `blobs` adds sizes and hashes.

    Of a gated one others see the head only, and no files.
    """
    git = call.git()
    if call.segments not in ([], ["main"]):
        check_content(call.repo, call.user)
    commit = git.resolve(call.segments[0] if call.segments else "main")
    expand = call.query.getlist("expand") + call.query.getlist("expand[]")
    keys = tuple(expand) if expand else FULL_KEYS
    summary = shown_to(call.user, call.repo, summary_of(call.repo, git, commit))
    content = repo_json(call.repo, git, summary, keys=_shown(call, call.repo, keys), blobs=call.flag("blobs"))
    return answer(content, headers={"X-Repo-Commit": commit})


def _shown(call: Call, repo: RepoRow, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys that the caller may see of a repository."""
    return keys if may_read_content(repo, call.user) else tuple(key for key in keys if key not in FILE_KEYS)


def listing(call: Call) -> Response:
    """List the repositories of a kind that the caller may see, filtered, sorted, in pages."""
    expand = call.query.getlist("expand") + call.query.getlist("expand[]")
    keys = tuple(expand) if expand else LIST_KEYS
    if not expand:
        keys += ("sha", "siblings", "cardData") if call.flag("full") else ()
        keys += ("cardData",) if call.flag("cardData") else ()
        keys += ("config",) if call.flag("config") else ()
    sort = call.query.get("sort") or "createdAt"
    if sort not in SORT_KEYS:
        raise Refused(400, f"Cannot sort by {sort[:40]!r}: expected one of {', '.join(SORT_KEYS)}.")
    lister = Lister(call.services.repos, call.user)
    heads = _sorted(call, lister, sort)
    limit, at = call.number("limit", LIST_LIMIT, LIST_LIMIT) or LIST_LIMIT, call.number("cursor", 0, 1 << 40)
    page, room = list[dict[str, Any]](), LIST_SIZE
    while at < len(heads) and len(page) < limit and room > 0 and not lister.late:
        head, at = heads[at], at + 1
        summary = lister.summary(head)
        if _matches(call, head.repo, summary):
            page.append(_list_item(call, head, summary, keys))
            room -= size_of(page[-1], summary)
    # A list that takes long, or much, ends early: clients go on with the rest by themselves.
    return answer(page, headers=call.next_link(cursor=str(at)) if at < len(heads) else {})


def _sorted(call: Call, lister: Lister, sort: str) -> list[Head]:
    """Return the heads of the repositories that author and search choose, in the order that was asked for."""
    author = call.query.get("author")
    words = set(" ".join(call.query.getlist("search")).lower().split())
    chosen = [
        repo
        for repo in call.services.repos.listing(call.kind, call.user)
        if (not author or repo.namespace.lower() == author.lower()) and all(word in repo.name.lower() for word in words)
    ]
    heads = [head for head in map(lister.head, chosen) if head.commit is not None]
    falling = call.query.get("direction", "-1") == "-1"
    if sort == "id":
        heads.sort(key=lambda head: head.repo.name, reverse=falling)
    elif sort == "lastModified":
        heads.sort(key=lister.modified, reverse=falling)
    return heads


def _list_item(call: Call, head: Head, summary: Summary, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a repository as JSON; of one that cannot be read, what the database knows."""
    keys = _shown(call, head.repo, keys)
    try:
        return repo_json(head.repo, call.services.repos.git(head.repo), summary, keys=keys)
    except Exception:  # damaged below its head, or deleted meanwhile; its own page says so
        known = tuple(key for key in keys if key in LIST_KEYS)
        return repo_json(head.repo, None, Summary(commit="", modified=head.repo.created), keys=known)


def _matches(call: Call, repo: RepoRow, summary: Summary) -> bool:
    wanted = [tag for value in call.query.getlist("filter") for tag in value.split(",") if tag]
    if any(tag not in summary.tags for tag in wanted):
        return False
    pipeline = call.query.get("pipeline_tag")
    if pipeline and summary.card.get("pipeline_tag") != pipeline:
        return False
    gated = call.query.get("gated")
    return gated is None or (gated.lower() in ("1", "true")) == bool(repo.gated)


def leaderboard(call: Call) -> Response:
    """Rank the visible models by the results they report on this dataset (`task_id` chooses one task)."""
    wanted = call.query.get("task_id")
    found = reported(call)
    rows = [row for task, row in found.rows if wanted in (None, task)]
    headers = {"X-Models-Left-Out": str(found.left_out)} if found.left_out else {}
    return answer([{"rank": rank, **row} for rank, row in enumerate(rows, start=1)], headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """(task, row) of results on a dataset, the best first; `left_out` models were not read: time ran out."""

    rows: list[tuple[str, dict[str, Any]]]
    left_out: int


def reported(call: Call) -> Reported:
    """Return every result that models which the caller may read report on this dataset.

    Raises Refused (404) if it is no dataset.
    """
    if call.kind != "dataset":
        raise Refused(404, "Only datasets have a leaderboard.")
    name, left_out = call.repo.name.lower(), 0
    rows: list[tuple[str, dict[str, Any]]] = []
    lister = Lister(call.services.repos, call.user)
    for head in map(lister.head, in_turn(call.services.repos.listing("model", call.user))):
        if head.commit and lister.late and not lister.knows(head):
            left_out += 1  # what was read is remembered: the next time there are fewer
            continue
        for result in lister.summary(head).eval_results if head.commit else ():
            data = result.get("data")
            if data and data["dataset"]["id"].lower() == name:
                rows.append((data["dataset"]["task_id"], _leaderboard_row(call, head.repo, result)))
    return Reported(rows=sorted(rows, key=lambda row: -row[1]["value"]), left_out=left_out)


def _leaderboard_row(call: Call, repo: RepoRow, result: dict[str, Any]) -> dict[str, Any]:
    data = result["data"]
    organisation = call.services.accounts.organisation(repo.namespace)
    author = {
        "name": repo.namespace,
        "fullname": repo.namespace,
        "avatarUrl": "",
        "type": "org" if organisation else "user",
    }
    row = {
        "modelId": repo.name,
        "value": data["value"],
        "filename": result["filename"],
        "verified": False,
        "author": author,
    }
    return {**row, **{key: data[key] for key in ("source", "notes") if data.get(key)}}
