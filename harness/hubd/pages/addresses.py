"""The routes of all pages. Those below a repository hold what strangers wrote, so a gated one shows its card only."""

from __future__ import annotations

from functools import partial

from ..api.rights import Needs
from ..api.route import Handler, Route
from . import accounts, boards, card, discussions, files, history, lists, viewer

FORM_LIMIT = 64 << 10  # bytes of a form


def _page(pattern: str, needs: Needs, handler: Handler, *, method: str = "GET") -> Route:
    return Route(method=method, pattern=pattern, needs=needs, handler=handler, limit=FORM_LIMIT, cookie=True)


PAGES = (
    _page("/", Needs.SHOWN_ONLY, lists.home),
    _page("/models", Needs.SHOWN_ONLY, lists.models),
    _page("/datasets", Needs.SHOWN_ONLY, lists.datasets),
    _page("/spaces", Needs.SHOWN_ONLY, lists.spaces),
    _page("/collections", Needs.SHOWN_ONLY, lists.collections),
    # No namespace can be called `-`.
    _page("/-/style.css", Needs.NOTHING, partial(accounts.asset, "style.css")),
    _page("/-/icon.svg", Needs.NOTHING, partial(accounts.asset, "icon.svg")),
    _page("/-/login", Needs.NOTHING, accounts.login_form),
    _page("/-/login", Needs.NOTHING, accounts.login, method="POST"),
    _page("/-/logout", Needs.NOTHING, accounts.logout, method="POST"),
    _page("/collections/{owner}/{slug}", Needs.COLLECTION, boards.collection),
    _page("/{owner}", Needs.SHOWN_ONLY, lists.owner),
    _page("/{kind?}/{repo}", Needs.EXISTENCE, card.card),
    _page("/{kind?}/{repo}/tree/{rev+}", Needs.CONTENT, files.tree),
    _page("/{kind?}/{repo}/blob/{rev+}", Needs.CONTENT, files.blob),
    _page("/{kind?}/{repo}/commits/{rev+}", Needs.CONTENT, history.commits),
    _page("/{kind?}/{repo}/commit/{rev+}", Needs.CONTENT, history.commit),
    _page("/{kind?}/{repo}/viewer/{split*}", Needs.CONTENT, viewer.viewer),
    _page("/{kind?}/{repo}/discussions/{num*}", Needs.CONTENT, discussions.discussions),
    _page("/{kind?}/{repo}/leaderboard", Needs.EXISTENCE, boards.leaderboard),
)
