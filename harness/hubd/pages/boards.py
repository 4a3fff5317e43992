"""Pages: a collection, and the leaderboard of a dataset."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..api.repos import reported
from ..api.request import Call
from ..storage.collections import Shelves, slug_of
from ..storage.repos import KINDS
from .lists import known_repo, repo_item
from .repo_page import moved, open_page
from .view import page, redirect

TASKS, ROWS, ITEMS = 50, 500, 200


def collection(call: Call) -> Response:
    """Show a collection: its repositories in their order, with notes."""
    shelves = Shelves(call.services.db)
    row = shelves.find("/".join(call.segments), call.user)
    if "/".join(call.segments) != slug_of(row):
        return redirect(f"/collections/{slug_of(row)}")
    entries = []
    items = shelves.items(row["id"])
    for item in items[:ITEMS]:
        repo = known_repo(call, item["type"], item["item"]) if item["type"] in KINDS else None
        if repo is not None:
            entries.append({"item": repo_item(call, repo), "note": item["note"] or ""})
        elif item["type"] not in KINDS:
            entries.append({"item": None, "kind": item["type"], "name": item["item"], "note": item["note"] or ""})
    return page(call, "collection", row=row, entries=entries, more=max(len(items) - ITEMS, 0))


def leaderboard(call: Call) -> Response:
    """Rank the models that report results on this dataset, one table a task."""
    if (away := moved(call)) is not None:
        return away
    view = open_page(call)
    tables: dict[str, list[dict[str, Any]]] = {}
    found = reported(call)
    for task, row in found.rows:
        tables.setdefault(task, []).append(row)
    shown = [(task, rows[:ROWS]) for task, rows in sorted(tables.items())[:TASKS]]
    return view.show("leaderboard", "leaderboard", tables=shown, left_out=found.left_out)
