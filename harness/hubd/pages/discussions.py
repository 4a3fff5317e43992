"""Pages: discussions and pull requests, and one of them with its diff."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..api.request import Call
from ..db import Row
from ..errors import Refused
from ..storage import pulls
from ..storage.diffs import Changes, changes
from .prose import Place, safe_html
from .repo_page import RepoPage, moved, open_page
from .view import path

PAGE = 50
EVENTS = 200


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
    details = pulls.details(call.services.db, view.git, view.repo, row)
    events = [_event(view, event) for event in details["events"][:EVENTS]]
    return view.show(
        "discussion", "discussions", item=details, events=events, more=max(len(details["events"]) - EVENTS, 0),
        conflicts=details.get("filesWithConflicts", []), changes=_changes(view, row) if row["is_pull"] else None,
    )  # fmt: skip


def _event(view: RepoPage, event: dict[str, Any]) -> dict[str, Any]:
    data, kind = event["data"], event["type"]
    html = link = ""
    words = {"title-change": f"changed the title to “{data.get('to', '')}”", "commit": f"{data.get('subject', '')}"}
    words["status-change"] = f"marked this as {data.get('status', '')}"
    if kind == "comment":
        html = safe_html(str(data["latest"]["raw"] or ""), Place(web_path=view.repo.web_path, revision="main"))
    if kind == "commit":
        link = f"{path(view.repo.web_path)}/commit/{data['oid']}"
    return {**event, "html": html, "link": link, "words": words.get(kind, kind)}


def _changes(view: RepoPage, row: Row) -> Changes | None:
    """Return what a pull request changes since it left its base."""
    head, base = view.git.ref(f"refs/pr/{row['num']}"), view.git.ref(row["base"])
    if head is None or base is None:
        return None
    known = {facts.sha for facts in view.git.history(base)}
    fork = next((facts.sha for facts in view.git.history(head) if facts.sha in known), None)
    return changes(view.git, fork, head)
