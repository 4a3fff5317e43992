"""From the address of a page to its handler. Segments are unquoted one by one, as in the router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from ..api.request import KINDS_IN_PATHS, Call
from . import accounts, boards, card, discussions, files, history, lists, viewer

FORM_LIMIT = 64 << 10  # bytes of a form
OWN = "-"  # no namespace can have this name

Handler = Callable[[Call], Response]

FIXED: dict[tuple[str, ...], Handler] = {
    ("GET", ""): lists.home,
    ("GET", "models"): lists.models,
    ("GET", "datasets"): lists.datasets,
    ("GET", "spaces"): lists.spaces,
    ("GET", "collections"): lists.collections,
    ("GET", OWN, "style.css"): accounts.asset,
    ("GET", OWN, "icon.svg"): accounts.asset,
    ("GET", OWN, "login"): accounts.login_form,
    ("POST", OWN, "login"): accounts.login,
    ("POST", OWN, "logout"): accounts.logout,
}
# Below a repository: the handler, and how many segments have to follow at least.
TABS: dict[str, tuple[Handler, int]] = {
    "tree": (files.tree, 1),
    "blob": (files.blob, 1),
    "commits": (history.commits, 1),
    "commit": (history.commit, 1),
    "viewer": (viewer.viewer, 0),
    "discussions": (discussions.discussions, 0),
    "leaderboard": (boards.leaderboard, 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A handler with what the address says: the segments after its tab, kind and name of the repository."""

    handler: Handler
    segments: list[str]
    kind: str = "model"
    name: str = ""


def find(method: str, segments: list[str]) -> Page | None:
    """Return the page for a request, None if there is none."""
    fixed = FIXED.get((method, *segments))
    if fixed is not None:
        return Page(handler=fixed, segments=segments)
    if method != "GET" or segments[0] in ("", OWN):
        return None
    if segments[0] == "collections" and len(segments) == 3:
        return Page(handler=boards.collection, segments=segments[1:])
    kind = "model"
    if segments[0] in KINDS_IN_PATHS:
        kind, segments = KINDS_IN_PATHS[segments[0]], segments[1:]
    elif len(segments) == 1:
        return Page(handler=lists.owner, segments=segments)
    return _below_repo(kind, segments)


def _below_repo(kind: str, segments: list[str]) -> Page | None:
    if len(segments) < 2 or not all(segments[:2]):
        return None
    name, rest = "/".join(segments[:2]), segments[2:]
    if not rest:
        return Page(handler=card.card, segments=[], kind=kind, name=name)
    handler, needed = TABS.get(rest[0], (None, 0))
    if handler is None or len(rest) - 1 < needed:
        return None
    return Page(handler=handler, segments=rest[1:], kind=kind, name=name)
