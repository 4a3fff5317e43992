"""What is known before a body is received: its kind, and how large it may be. Who may send it: see `api.rights`."""

from __future__ import annotations

from ..api import files, tree, xet
from ..api.request import Call
from ..api.rights import Needs
from ..api.route import MIB, Route
from ..errors import Refused
from ..pages import accounts as pages

FORM_BODY = 64 << 10
ANONYMOUS_BODY = MIB
"""Of JSON from somebody who is not signed in."""

FORMS = (tree.paths_info, pages.login, pages.logout)
FREE = (files.lfs_put, xet.put_xorb, xet.put_shard)
"""Their bodies are of no kind in particular; what allows them no page of another site can have."""


def check_media(route: Route, call: Call) -> None:
    """Raise Refused (415) for a kind of body that every page may send, but no client of this route does."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    plain = media in ("text/plain", "multipart/form-data")
    form = media == "application/x-www-form-urlencoded" and route.handler not in FORMS
    if route.handler not in FREE and (plain or form):
        raise Refused(
            415, f"A body of the kind {media} is not taken here; send JSON with Content-Type: application/json."
        )


def body_limit(route: Route, call: Call) -> int:
    """Return the bytes that the body of an authorized call may have."""
    if "size" in call.claims:
        return int(call.claims["size"])  # what a signed link allows
    if route.method in ("GET", "*"):
        return FORM_BODY  # nothing that only reads needs a body
    if route.needs is Needs.NOTHING:
        return min(route.limit, ANONYMOUS_BODY)
    return route.limit if call.user is not None else min(route.limit, ANONYMOUS_BODY)
