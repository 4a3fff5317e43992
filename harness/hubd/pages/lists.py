"""Pages: what is on this Hub. Only the repositories that a page shows are opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from ..api.request import Call
from ..api.summaries import Lister
from ..db import Row
from ..errors import Refused
from ..storage.collections import Shelves, slug_of
from ..storage.repos import KINDS, RepoRow, visible
from .view import page

PAGE = 30
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


def home(call: Call) -> Response:
    """List the newest repositories of all kinds; `?search=` takes words, `?p=` a page."""
    return _listing(call, "")


def models(call: Call) -> Response:
    """List the models."""
    return _listing(call, "model")


def datasets(call: Call) -> Response:
    """List the datasets."""
    return _listing(call, "dataset")


def spaces(call: Call) -> Response:
    """List the spaces."""
    return _listing(call, "space")


def collections(call: Call) -> Response:
    """List the collections, the latest change first."""
    return _listing(call, "collection")


def owner(call: Call) -> Response:
    """List what a user or an organisation has; raises Refused (404) if nobody has that name."""
    asked = call.segments[0]
    name = call.services.accounts.canonical(asked)
    found, shelves = _repos(call, asked, []), _shelves(call, asked, [])
    if name is None and not found and not shelves:
        raise Refused(404, f"Nobody on this Hub is called {asked[:100]}.")
    name = name or asked
    entries: list[Callable[[], Item]] = [*_repo_items(call, found), *_shelf_items(shelves)]
    organisation = call.services.accounts.organisation(name) is not None
    return page(call, "owner", name=name, organisation=organisation, **_slice(call, entries, {}))


def _listing(call: Call, kind: str) -> Response:
    search = call.query.get("search", "")[:200]
    words = search.lower().split()
    found, shelves = _repos(call, None, words), _shelves(call, None, words)
    counts = {known: sum(repo.kind == known for repo in found) for known in KINDS}
    counts |= {"": len(found), "collection": len(shelves)}
    chosen = [repo for repo in found if kind in ("", repo.kind)]
    entries = _shelf_items(shelves) if kind == "collection" else _repo_items(call, chosen)
    tabs = [
        {"label": label, "href": _link(ADDRESSES[key], search=search), "count": counts[key], "current": key == kind}
        for key, label in LABELS.items()
    ]
    values = _slice(call, entries, {"search": search})
    return page(call, "home", tabs=tabs, search=search, action=ADDRESSES[kind], title=LABELS[kind], **values)


def _repos(call: Call, namespace: str | None, words: list[str]) -> list[RepoRow]:
    """Return the repositories that the caller may see, newest first."""
    rows = chain.from_iterable(call.services.repos.listing(kind, call.user) for kind in KINDS)
    found = [
        repo
        for repo in rows
        if (namespace is None or repo.namespace.lower() == namespace.lower())
        and all(word in repo.name.lower() for word in words)
    ]
    return sorted(found, key=lambda repo: repo.created, reverse=True)


def _shelves(call: Call, namespace: str | None, words: list[str]) -> list[Row]:
    return [
        row
        for row in Shelves(call.services.db).visible(call.user)
        if (namespace is None or row["owner"].lower() == namespace.lower())
        and all(word in f"{row['owner']}/{row['title']}".lower() for word in words)
    ]


def _repo_items(call: Call, rows: list[RepoRow]) -> list[Callable[[], Item]]:
    return [lambda repo=repo: repo_item(call, repo) for repo in rows]  # type: ignore[misc]


def _shelf_items(rows: list[Row]) -> list[Callable[[], Item]]:
    return [lambda row=row: _shelf_item(row) for row in rows]  # type: ignore[misc]


def _slice(call: Call, entries: list[Callable[[], Item]], kept: dict[str, str]) -> dict[str, Any]:
    """Return the items of the page that was asked for, and the addresses of its neighbours."""
    number = call.number("p", 0, 1 << 30)
    shown = entries[number * PAGE : (number + 1) * PAGE]
    more = (number + 1) * PAGE < len(entries)
    return {
        "items": [entry() for entry in shown],
        "total": len(entries),
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


def _shelf_item(row: Row) -> Item:
    return Item(
        kind="collection",
        name=f"{row['owner']}: {row['title']}",
        address=f"/collections/{slug_of(row)}",
        private=bool(row["private"]),
        gated=False,
        modified=row["updated"],
        note=(row["description"] or "")[:120],
    )


def known_repo(call: Call, kind: str, name: str) -> RepoRow | None:
    """Return the repository if it is on this Hub and the caller may see it."""
    repo = call.services.repos.find(kind, name)
    return repo if repo is not None and visible(repo, call.user) else None
