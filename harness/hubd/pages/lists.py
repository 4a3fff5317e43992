"""Pages: what is on this Hub, and a collection of it. Only the repositories that a page shows are opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from ..api.request import Call
from ..api.summaries import Lister
from ..db import Row
from ..errors import Refused
from ..storage.collections import slug_of
from ..storage.repos import KINDS, RepoRow
from .page import page, redirect

PAGE = 30
ITEMS = 200  # of a collection
SHOWN_TAGS = 4
LABELS = {"": "Everything", "model": "Models", "dataset": "Datasets", "space": "Spaces", "collection": "Collections"}
ADDRESSES = {"": "/", "model": "/models", "dataset": "/datasets", "space": "/spaces", "collection": "/collections"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A repository or collection in a list: `note` is its task or description, `modified` an ISO time."""

    kind: str
    name: str
    address: str
    private: bool
    gated: bool
    modified: str
    note: str
    tags: tuple[str, ...] = ()


def owner(call: Call) -> Response:
    """List what a user or an organisation has; raises Refused (404) if there is none of that name."""
    asked = call.segments[0]
    name = call.services.accounts.canonical(asked)
    rows: list[RepoRow | Row] = [*_repos(call, asked, []), *_collections(call, asked, [])]
    if name is None and not rows:
        raise Refused(404, f"Nobody on this Hub is called {asked[:100]}.")
    name = name or asked
    organisation = call.services.accounts.organisation(name) is not None
    return page(call, "owner", name=name, organisation=organisation, **_slice(call, rows, {}))


def _listing(kind: str, call: Call) -> Response:
    """List the newest of a kind, or of all repositories; `?search=` takes words, `?p=` a page."""
    search = call.query.get("search", "")[:200]
    words = search.lower().split()
    found, collections = _repos(call, None, words), _collections(call, None, words)
    counts = {known: sum(repo.kind == known for repo in found) for known in KINDS}
    counts |= {"": len(found), "collection": len(collections)}
    rows: Sequence[RepoRow | Row] = (
        collections if kind == "collection" else [repo for repo in found if kind in ("", repo.kind)]
    )
    tabs = [
        {"label": label, "href": _link(ADDRESSES[key], search=search), "count": counts[key], "current": key == kind}
        for key, label in LABELS.items()
    ]
    values = _slice(call, rows, {"search": search})
    return page(call, "home", tabs=tabs, search=search, action=ADDRESSES[kind], title=LABELS[kind], **values)


LISTS: dict[str, Callable[[Call], Response]] = {address: partial(_listing, kind) for kind, address in ADDRESSES.items()}


def _repos(call: Call, namespace: str | None, words: list[str]) -> list[RepoRow]:
    """Return the repositories that the caller may see, newest first."""
    rows = chain.from_iterable(call.services.repos.listing(kind, call.user) for kind in KINDS)
    found = [repo for repo in rows if _is_wanted(repo.namespace, repo.name, namespace, words)]
    return sorted(found, key=lambda repo: repo.created, reverse=True)


def _collections(call: Call, namespace: str | None, words: list[str]) -> list[Row]:
    return [
        row
        for row in call.services.collections.visible(call.user)
        if _is_wanted(row["owner"], f"{row['owner']}/{row['title']}", namespace, words)
    ]


def _is_wanted(owner: str, name: str, namespace: str | None, words: list[str]) -> bool:
    of_namespace = namespace is None or owner.lower() == namespace.lower()
    return of_namespace and all(word in name.lower() for word in words)


def _slice(call: Call, rows: Sequence[RepoRow | Row], kept: dict[str, str]) -> dict[str, Any]:
    """Return the items of the page that was asked for, and the addresses of its neighbours."""
    number = call.number("p", 0, 1 << 30)
    shown = rows[number * PAGE : (number + 1) * PAGE]
    more = (number + 1) * PAGE < len(rows)
    return {
        "items": [repo_item(call, row) if isinstance(row, RepoRow) else _collection_item(row) for row in shown],
        "total": len(rows),
        "newer": _link(call.raw_path, **kept, p=str(number - 1)) if number else "",
        "older": _link(call.raw_path, **kept, p=str(number + 1)) if more else "",
    }


def _link(address: str, **query: str) -> str:
    kept = {key: value for key, value in query.items() if value and (key, value) != ("p", "0")}
    return f"{address}?{urlencode(kept)}" if kept else address


def repo_item(call: Call, repo: RepoRow) -> Item:
    """Return a repository as lists show it."""
    lister = Lister(call.services.repos, call.user)
    head = lister.head(repo)
    summary = lister.summary(head) if head.commit is not None else None
    card = summary.card if summary else {}
    note = next(
        (text for key in ("pipeline_tag", "pretty_name", "title") if isinstance(text := card.get(key), str)), ""
    )
    tags = [tag for tag in (summary.tags if summary else ()) if tag != note and ":" not in tag]
    return Item(
        kind=repo.kind,
        name=repo.name,
        address=f"/{repo.web_path}",
        private=repo.private,
        gated=bool(repo.gated),
        modified=summary.modified if summary else repo.created,
        note=note[:120],
        tags=tuple(tags[:SHOWN_TAGS]),
    )


def _collection_item(row: Row) -> Item:
    return Item(
        kind="collection",
        name=f"{row['owner']}: {row['title']}",
        address=f"/collections/{slug_of(row)}",
        private=bool(row["private"]),
        gated=False,
        modified=row["updated"],
        note=(row["description"] or "")[:120],
    )


def collection(call: Call) -> Response:
    """Show a collection: its repositories in their order, with notes."""
    asked = "/".join(call.segments)
    row = call.services.collections.find(asked, call.user)
    if asked != slug_of(row):
        return redirect(f"/collections/{slug_of(row)}")
    entries = []
    items, repos = call.services.collections.items(row["id"]), call.services.repos
    for item in items[:ITEMS]:
        repo = repos.find_visible(item["type"], item["item"], call.user) if item["type"] in KINDS else None
        if repo is not None:
            entries.append({"item": repo_item(call, repo), "note": item["note"] or ""})
        elif item["type"] not in KINDS:
            entries.append({"item": None, "kind": item["type"], "name": item["item"], "note": item["note"] or ""})
    return page(call, "collection", row=row, entries=entries, more=max(len(items) - ITEMS, 0))
