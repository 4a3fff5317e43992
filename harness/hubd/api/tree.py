"""Routes that read a repository: tree, paths-info, refs, commits."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from starlette.responses import Response

from ..errors import Refused, entry_not_found
from ..storage.diffs import last_changes
from ..storage.git import GitRepo
from ..storage.objects import CommitFacts
from ..storage.trees import Entry
from .request import TRUE, Call, answer

PAGE, PAGE_EXPANDED = 1000, 50
PATHS_LIMIT = 10_000
PULLS = "select num from discussions where repo = ? and is_pull = 1"
EXPAND_SECONDS = 1.0  # of processor time for last changes
LIST_TEXT = 4 << 20  # characters of messages in a list of commits
HISTORY_LIMIT = 10_000  # commits that a search for the last change of a file looks at


def iso(seconds: int) -> str:
    """Return seconds since the epoch as the Hub writes a date."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def item_of(call: Call, git: GitRepo, path: str, entry: Entry) -> dict[str, Any]:
    """Return a file or folder as tree and paths-info show it."""
    if entry.is_folder:
        return {"type": "directory", "oid": entry.sha, "size": 0, "path": path}
    facts = git.facts(entry.sha)
    item: dict[str, Any] = {"type": "file", "oid": facts.sha, "size": facts.size, "path": path}
    if facts.sha256:
        item["lfs"] = {"oid": facts.sha256, "size": facts.size, "pointerSize": facts.pointer_size}
        if (xet_hash := call.services.xet.hash_of(call.repo.id, facts.sha256)) is not None:
            item["xetHash"] = xet_hash
    return item


def tree(call: Call) -> Response:
    """List a folder: `/tree/{rev}[/path]?recursive&expand&limit&cursor`."""
    git = call.git()
    commit = git.resolve(call.segments[0])
    path = "/".join(call.segments[1:]).strip("/")
    root = git.entry(commit, path)
    if root is None or not root.is_folder:
        raise entry_not_found(path, commit)
    expand = call.flag("expand")
    most = PAGE_EXPANDED if expand else PAGE
    limit = call.number("limit", most, most) or most
    start = call.number("cursor", 0, 1 << 40)
    walk = git.walk(root.sha, f"{path}/" if path else "", recursive=call.flag("recursive"))
    found = list(islice(walk, start, start + limit + 1))
    page = [item_of(call, git, name, entry) for name, entry in found[:limit]]
    if expand:
        add_last_commits(git, commit, page)
    headers = {"X-Repo-Commit": commit}
    if limit < len(found):
        headers |= call.next_link(cursor=str(start + limit))
    return answer(page, headers=headers)


def paths_info(call: Call) -> Response:
    """Describe the given paths; those that do not exist are left out."""
    git = call.git()
    commit = git.resolve(call.segments[0])
    form = call.form()
    paths = form.get("paths", [])
    if len(paths) > PATHS_LIMIT:
        raise Refused(413, f"At most {PATHS_LIMIT} paths in one request.")
    found = ((path.strip("/"), git.entry(commit, path.strip("/"))) for path in paths)
    items = [item_of(call, git, path, entry) for path, entry in found if entry is not None]
    for item in items:
        if "lfs" in item:  # clients copy a large file to another repository by its Xet hash only
            item.setdefault("xetHash", item["lfs"]["oid"])
    if form.get("expand", []) and form["expand"][0].lower() in TRUE:
        add_last_commits(git, commit, items)
    return answer(items, headers={"X-Repo-Commit": commit})


def add_last_commits(git: GitRepo, commit: str, items: list[dict[str, Any]]) -> None:
    """Give each item the last commit that changed it, as far as `last_changes` finds it."""
    paths = [item["path"] for item in items]
    found = last_changes(git, commit, paths, look_back=HISTORY_LIMIT, seconds=EXPAND_SECONDS)
    for item in items:
        if (facts := found.get(item["path"])) is not None:
            item["lastCommit"] = {"id": facts.sha, "title": facts.title, "date": iso(facts.time)}


def refs(call: Call) -> Response:
    """List branches, tags and, if asked for, pull requests."""
    git = call.git()
    names = sorted(git.refs().items())

    def below(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": name.removeprefix(prefix), "ref": name, "targetCommit": git.peel(sha)}
            for name, sha in names
            if name.startswith(prefix)
        ]

    content = {"branches": below("refs/heads/"), "converts": below("refs/convert/"), "tags": below("refs/tags/")}
    if call.flag("include_prs"):
        known = {str(row["num"]) for row in call.services.db.rows(PULLS, call.repo.id)}
        content["pullRequests"] = [item for item in below("refs/pr/") if item["name"] in known]
    return answer(content)


def commits(call: Call) -> Response:
    """List the history of a revision, newest first, in pages."""
    git = call.git()
    commit = git.resolve(call.segments[0])
    limit = call.number("limit", 50, 1000) or 50
    page = call.number("p", 0, 1 << 30)
    formatted = "formatted" in call.query.getlist("expand[]") + call.query.getlist("expand")
    start, end = page * limit, (page + 1) * limit
    if start > HISTORY_LIMIT:
        raise Refused(
            400, f"Only the latest {HISTORY_LIMIT} commits are listed; ask for those before a commit by its id."
        )
    history = list(islice(git.history(commit), max(end, HISTORY_LIMIT) + 1))
    items = commit_items(history[start:end], formatted=formatted)
    headers = {"X-Total-Count": str(len(history))} if len(history) <= HISTORY_LIMIT else {}
    if end < len(history):
        headers |= call.next_link(p=str(page + 1), limit=str(limit))
    return answer(items, headers=headers)


def commit_items(found: list[CommitFacts], *, formatted: bool) -> list[dict[str, Any]]:
    """Return commits as lists show them; once they are too long together, each message is an ellipsis."""
    room, items = LIST_TEXT, list[dict[str, Any]]()
    for facts in found:
        items.append(_commit_item(facts, formatted, room))
        room -= len(items[-1]["message"])
    return items


def _commit_item(facts: CommitFacts, formatted: bool, room: int) -> dict[str, Any]:
    message = facts.message if len(facts.message) <= room else "…"
    item: dict[str, Any] = {
        "id": facts.sha,
        "title": facts.title,
        "message": message,
        "date": iso(facts.time),
        "authors": [{"user": facts.author}],
    }
    if formatted:
        item["formatted"] = {"title": facts.title, "message": message}
    return item
