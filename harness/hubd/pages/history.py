"""Pages with diffs: commits, discussions and pull requests, as lists and one of them."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.responses import Response

from ..api.request import whole_number
from ..api.tree import iso
from ..bounds import Budget
from ..db import Row
from ..errors import Refused
from ..storage.diffs import Changes, changes
from ..storage.discussions import conflicts, fork, summary
from ..storage.git import GitRepo
from ..storage.objects import CommitFacts
from .markdown import Place, prose
from .page import RepoPage, path, repo_page, revision_page

PAGE, PAGES = 50, 100
EVENTS, CHARACTERS = 200, 400_000  # of a discussion: events, and what they say together
SECONDS, COMMENT_SECONDS = 0.8, 0.4  # of processor time, for the texts of all comments and of one
NAMES = {"refs/heads/": "branch", "refs/tags/": "tag"}


@revision_page
def commits(view: RepoPage) -> Response:
    """List commits, newest first, with the branches and tags that point at them."""
    number = view.call.number("p", 0, PAGES)
    found = list(islice(view.git.history(view.commit), number * PAGE, (number + 1) * PAGE + 1))
    names = ref_names(view.git)
    rows = [{"facts": facts, "date": iso(facts.time), "names": names.get(facts.sha, [])} for facts in found[:PAGE]]
    return view.show(
        "commits", "commits", rows=rows, names=sorted({pair for pairs in names.values() for pair in pairs}),
        newer=f"?p={number - 1}" if number else "", older=_older(view, number, found),
    )  # fmt: skip


def _older(view: RepoPage, number: int, found: list[CommitFacts]) -> str:
    """Return where the history goes on; a page far back starts at its own commit, since all before it are passed."""
    if len(found) <= PAGE:
        return ""
    return f"?p={number + 1}" if number < PAGES else f"{path(view.repo.web_path)}/commits/{found[PAGE].sha}"


def ref_names(git: GitRepo) -> dict[str, list[tuple[str, str]]]:
    """Return commit -> (branch or tag, its name) of all that point at it."""
    names: dict[str, list[tuple[str, str]]] = {}
    for ref, sha in sorted(git.refs().items()):
        for prefix, kind in NAMES.items():
            if ref.startswith(prefix):
                names.setdefault(git.peel(sha), []).append((kind, ref.removeprefix(prefix)))
    return names


@revision_page
def commit(view: RepoPage) -> Response:
    """Show a commit: its message, and what it changed since its first parent."""
    facts = view.git.commit(view.commit)
    parent = facts.parents[0] if facts.parents else None
    return view.show(
        "commit", "commits", facts=facts, date=iso(facts.time), parent=parent or "",
        names=ref_names(view.git).get(facts.sha, []), changes=changes(view.git, parent, facts.sha),
    )  # fmt: skip


@repo_page
def discussions(view: RepoPage) -> Response:
    """List the discussions of a repository, or show the one that the address names."""
    call = view.call
    if any(call.segments):
        return _one(view)
    rows = call.services.discussions.listing(view.repo)
    number = call.number("p", 0, 1 << 20)
    shown = [summary(row, view.repo) for row in rows[number * PAGE : (number + 1) * PAGE]]
    return view.show(
        "discussions", "discussions", rows=shown, total=len(rows),
        newer=f"?p={number - 1}" if number else "", older=f"?p={number + 1}" if (number + 1) * PAGE < len(rows) else "",
    )  # fmt: skip


def _one(view: RepoPage) -> Response:
    segments, stored = view.call.segments, view.call.services.discussions
    number = whole_number(segments[0], 9)
    if len(segments) != 1 or number is None:
        raise Refused(404, "There is no such discussion.")
    row = stored.find(view.repo, number)
    found, more = stored.events(view.repo, number, most=EVENTS, size=CHARACTERS)
    budget = Budget(SECONDS)
    return view.show(
        "discussion", "discussions", item=summary(row, view.repo),
        events=[_event(view, event, budget) for event in found], more=more,
        conflicts=conflicts(view.git, row) if row["is_pull"] else [],
        changes=_changes(view, row) if row["is_pull"] else None,
    )  # fmt: skip


def _event(view: RepoPage, event: dict[str, Any], budget: Budget) -> dict[str, Any]:
    data, kind = event["data"], event["type"]
    html = link = ""
    cut = False
    words = {"title-change": f"changed the title to “{data.get('to', '')}”", "commit": f"{data.get('subject', '')}"}
    words["status-change"] = f"marked this as {data.get('status', '')}"
    if kind == "comment":
        place = Place(web_path=view.repo.web_path, revision="main")
        shown = prose(str(data["latest"]["raw"] or ""), place, Budget(min(budget.left, COMMENT_SECONDS)))
        html, cut = shown.html, shown.cut
    if kind == "commit":
        link = f"{path(view.repo.web_path)}/commit/{data['oid']}"
    return {**event, "html": html, "cut": cut, "link": link, "words": words.get(kind, kind)}


def _changes(view: RepoPage, row: Row) -> Changes | None:
    """Return what a pull request changes since it left its base."""
    head, base = view.git.ref(f"refs/pr/{row['num']}"), view.git.ref(row["base"])
    if head is None or base is None:
        return None
    return changes(view.git, fork(view.git, base, head), head)
