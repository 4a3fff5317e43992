"""Routes: collections."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..bounds import Budget
from ..db import Row
from ..errors import Refused
from ..storage.collections import ITEM_TYPES, slug_of
from ..storage.repos import KINDS, check_write
from .request import Call, answer, text_of

TITLE_LIMIT, DESCRIPTION_LIMIT, NOTE_LIMIT = 60, 5000, 500
LIST_SECONDS = 1.0  # of processor time for a list


def _found(call: Call) -> Row:
    return call.services.collections.find("/".join(call.segments[:2]), call.user)


def _item_json(call: Call, row: Row) -> dict[str, Any] | None:
    """Return an item as clients read it, None for a repository that the caller may not see."""
    item = {"_id": row["id"], "id": row["item"], "type": row["type"], "position": row["position"]}
    if row["type"] in KINDS:
        repo = call.services.repos.find_visible(row["type"], row["item"], call.user)
        if repo is None:
            return None
        item |= {"id": repo.name, "author": repo.namespace, "private": repo.private, "gated": repo.gated or False}
    return {**item, **({"note": {"text": row["note"], "html": ""}} if row["note"] else {})}


def _json(call: Call, row: Row) -> dict[str, Any]:
    items = [_item_json(call, item) for item in call.services.collections.items(row["id"])]
    return {
        "slug": slug_of(row),
        "title": row["title"],
        "description": row["description"],
        "owner": {"name": row["owner"], "type": "user", "fullname": row["owner"], "avatarUrl": ""},
        "items": [item for item in items if item is not None],
        "lastUpdated": row["updated"],
        "position": row["position"],
        "private": bool(row["private"]),
        "theme": row["theme"],
        "upvotes": 0,
        "isUpvotedByUser": False,
        "gating": False,
    }


def listing(call: Call) -> Response:
    """List collections (filters: owner, item, q; limit and paging)."""
    owners, wanted, words = call.query.getlist("owner"), call.query.getlist("item"), call.query.get("q", "").lower()
    rows = [
        row
        for row in call.services.collections.visible(call.user)
        if (not owners or row["owner"] in owners) and words in row["title"].lower()
    ]
    keys = {tuple(item.split("/", 1)) for item in wanted}
    limit, at = call.number("limit", 100, 100) or 100, call.number("cursor", 0, 1 << 40)
    budget, page = Budget(LIST_SECONDS), list[dict[str, Any]]()
    while at < len(rows) and len(page) < limit and not budget.spent:
        found, at = _json(call, rows[at]), at + 1
        if not wanted or keys & {(f"{item['type']}s", item["id"]) for item in found["items"]}:
            page.append({key: value for key, value in found.items() if key != "position"})  # clients number them
    # A list that takes long ends early: clients go on with the rest by themselves.
    return answer(page, headers=call.next_link(cursor=str(at)) if at < len(rows) else {})


def _short_text(body: dict[str, Any], key: str, limit: int) -> str:
    text = text_of(body, key)
    if len(text) > limit:
        raise Refused(400, f"{key} has at most {limit} characters.")
    return text


def create(call: Call) -> Response:
    """Make a collection; 409 with its slug if the owner has one of that title."""
    body, user = call.json(), call.required_user()
    owner = text_of(body, "namespace", "") or user.name
    owner = call.services.accounts.canonical(owner) or owner
    check_write(owner, user, f"the namespace {owner}")
    title = _short_text(body, "title", TITLE_LIMIT).strip()
    if not title:
        raise Refused(400, "A collection needs a title.")
    description = _short_text(body, "description", DESCRIPTION_LIMIT) if body.get("description") is not None else None
    row, new = call.services.collections.create(owner, title, description, bool(body.get("private")))
    if not new:
        raise Refused(409, "This collection exists already.", body=_json(call, row))
    return answer(_json(call, row))


def show(call: Call) -> Response:
    """Describe a collection."""
    return answer(_json(call, _found(call)))


def update(call: Call) -> Response:
    """Change title, description, visibility, theme or position."""
    row, body = _found(call), call.json()
    changes: dict[str, Any] = {}
    for key, limit in (("title", TITLE_LIMIT), ("description", DESCRIPTION_LIMIT), ("theme", 20)):
        if body.get(key) is not None:
            changes[key] = _short_text(body, key, limit)
    if body.get("private") is not None:
        changes["private"] = int(bool(body["private"]))
    if (position := _position(body)) is not None:
        changes["position"] = position
    call.services.collections.update(row["id"], changes)
    return answer({"success": True, "data": _json(call, call.services.collections.get(row["id"]))})


def _position(body: dict[str, Any]) -> int | None:
    position = body.get("position")
    if position is not None and (not isinstance(position, int) or not 0 <= position < 1 << 31):
        raise Refused(400, "position must be a whole number from 0.")
    return position


def delete(call: Call) -> Response:
    """Delete a collection; what it lists stays."""
    call.services.collections.delete(_found(call)["id"])
    return answer({"success": True})


def add_item(call: Call) -> Response:
    """Add a repository, 409 if it is there already; answers the whole collection."""
    row, body = _found(call), call.json()
    item = body.get("item")
    if not isinstance(item, dict):
        raise Refused(400, "'item' with id and type is needed.")
    kind, name = text_of(item, "type"), _short_text(item, "id", NOTE_LIMIT)
    if kind not in ITEM_TYPES:
        raise Refused(400, f"Unknown item type {kind[:40]!r}.")
    if kind in KINDS:
        repo = call.services.repos.find_visible(kind, name, call.user)
        if repo is None:
            raise Refused(404, f"There is no {kind} {name[:200]}.")
        name = repo.name
    note = _short_text(body, "note", NOTE_LIMIT) if body.get("note") else None
    call.services.collections.add(row["id"], kind, name, note)
    return answer(_json(call, call.services.collections.get(row["id"])))


def change_item(call: Call) -> Response:
    """Change the note or the position of an item."""
    row, body = _found(call), call.json()
    note = _short_text(body, "note", NOTE_LIMIT) if body.get("note") is not None else None
    call.services.collections.change_item(row["id"], call.segments[2], note=note, position=_position(body))
    return answer({"success": True})


def remove_item(call: Call) -> Response:
    """Take an item out."""
    call.services.collections.remove(_found(call)["id"], call.segments[2])
    return answer({"success": True})
