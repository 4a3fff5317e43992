"""Pages: discussions and pull requests, and one of them with its diff."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..api.request import Call
from ..bounds import Budget
from ..db import Row
from ..errors import Refused
from ..storage import pulls
from ..storage.diffs import Changes, changes
from .prose import Place, prose
from .repo_page import RepoPage, moved, open_page
from .view import path

PAGE = 50
EVENTS, CHARACTERS = 200, 400_000  # of a discussion: events, and what they say together
SECONDS, COMMENT_SECONDS = 0.8, 0.4  # of processor time, for the texts of all comments and of one


def discussions(call: Call) -> Response:
    """List the discussions of a repository, or show the one that the address names."""
    if (away := moved(call)) is not None:
        return away
    if any(call.segments):
        return _one(call)
    view = open_page(call)
    rows = pulls.everything(call.services.db, view.repo)
    number = call.number("p", 0, 1 << 20)
    shown = [pulls.summary(row, view.repo) for row in rows[number * PAGE : (number + 1) * PAGE]]
    return view.show(
        "discussions", "discussions", rows=shown, total=len(rows),
        newer=f"?p={number - 1}" if number else "", older=f"?p={number + 1}" if (number + 1) * PAGE < len(rows) else "",
    )  # fmt: skip


def _one(call: Call) -> Response:
    text = call.segments[0]
    if len(call.segments) != 1 or not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused(404, "There is no such discussion.")
    view = open_page(call)
    row = pulls.find(call.services.db, view.repo, int(text))
    found, more = pulls.events(call.services.db, view.repo, row, most=EVENTS, size=CHARACTERS)
    budget = Budget(SECONDS)
    return view.show(
        "discussion", "discussions", item=pulls.summary(row, view.repo),
        events=[_event(view, event, budget) for event in found], more=more,
        conflicts=pulls.conflicts(view.git, row) if row["is_pull"] else [],
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
    return changes(view.git, pulls.fork(view.git, base, head), head)
