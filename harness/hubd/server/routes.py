"""Every request that this Hub takes: which route it has, what its caller needs to be allowed, and who answers.

A pattern is a path. `{name}` stands for one segment, `{name*}` for any number of them, `{name+}` for some of which one
at least is not empty; all these are the segments that the handler gets. `{kind}` is models, datasets or spaces,
`{kind?}` may be missing before the name of a model, `{repo}` is a repository's namespace and name, `{alone}` a name
without namespace, `{repo.git}` is `{repo}` with or without `.git` behind it, `{repo?}` any one or two
segments. Segments are split before they are unquoted, so that `refs%2Fpr%2F1` stays one revision.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote

from starlette.responses import Response

from ..api import accounts, collections, commit, discussions, files, repos, tree, xet
from ..api.request import KINDS_IN_PATHS, Call
from ..api.rights import Needs
from ..errors import Refused
from ..pages import card, history, lists, sign_in, viewer
from ..pages import files as file_pages
from ..pages.page import NOTHING_HERE
from ..storage.xet_uploads import XORB_LIMIT

MIB = 1 << 20
SMALL_BODY = 8 * MIB
FORM_BODY = 64 << 10
SHARD_BODY = 128 * MIB  # clients make them of 64 MiB at most
COMMIT_BODY = 16 << 30

Handler = Callable[[Call], Response]

_REST = re.compile(r"\{\w+([*+])\}")
_KIND = "{kind}"
_REPO = {"{repo}": 2, "{repo.git}": 2, "{repo?}": 2, "{alone}": 1}  # how many segments make a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A handler for `method` (`*`: any) and the paths of `pattern`; what its caller `needs` is asked before the body.

    The body has at most `limit` bytes, in memory or, if `upload`, in a file (and hashed). `cookie`: a
    browser's sign-in counts.
    """

    method: str
    pattern: str
    needs: Needs
    handler: Handler
    upload: bool = False
    hashed: bool = False
    limit: int = SMALL_BODY
    cookie: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route with what the path says: the remaining segments, kind and name of the repository."""

    route: Route
    segments: list[str]
    kind: str = "model"
    name: str = ""


@dataclass(slots=True)
class _Reading:
    """The segments of a path, and what those before `at` say."""

    segments: list[str]
    at: int = 0
    kind: str = "model"
    name: str = ""
    rest: list[str] = field(default_factory=list)

    def take(self, token: str) -> bool:
        """Read what a token of a pattern stands for; return whether it is there."""
        if found := _REST.fullmatch(token):
            left = self.segments[self.at :]
            self.rest, self.at = [*self.rest, *left], len(self.segments)
            return found[1] == "*" or any(left)
        if self.at >= len(self.segments):
            return False
        if token in _REPO:
            return self._take_name(token)
        segment, first = self.segments[self.at], self.at == 0
        self.at += 1
        if token == _KIND or (first and token in KINDS_IN_PATHS):
            self.kind = KINDS_IN_PATHS.get(segment, "")
            return bool(self.kind) and token in (_KIND, segment)
        if token.startswith("{"):
            self.rest = [*self.rest, segment]
            return True
        return token == segment

    def _take_name(self, token: str) -> bool:
        parts = self.segments[self.at : self.at + _REPO[token]]
        lone = self.at == 0 and parts[0] in KINDS_IN_PATHS  # it says the kind, and is no namespace
        self.at += len(parts)
        self.name = "/".join(parts).removesuffix(".git" if ".git" in token else "")
        return not lone and ("?" in token or (len(parts) == _REPO[token] and all(parts)))


def _read(route: Route, tokens: tuple[str, ...], segments: list[str]) -> Match | None:
    """Return what the segments of a path say if they have the form `tokens` of the route, else None."""
    reading = _Reading(segments)
    if not all(map(reading.take, tokens)) or reading.at < len(segments):
        return None
    rest = _joined_ref(reading.rest) if reading.name else reading.rest
    return Match(route=route, segments=rest, kind=reading.kind, name=reading.name)


def _joined_ref(segments: list[str]) -> list[str]:
    """Return segments with a revision that was sent unquoted (refs/pr/1) as one segment."""
    if len(segments) > 2 and segments[0] == "refs" and segments[1] in ("pr", "convert", "heads", "tags"):
        return ["/".join(segments[:3]), *segments[3:]]
    return segments


def _on(request: str, needs: Needs, handler: Handler, **options: Any) -> Route:
    method, pattern = request.split()
    return Route(method=method, pattern=pattern, needs=needs, handler=handler, **options)


def _of_repo(request: str, needs: Needs, handler: Handler, **options: Any) -> Route:
    """Return a route below a repository's name in the API."""
    method, _, below = request.partition(" ")
    return _on(f"{method} /api/{{kind}}/{{repo}}{below}", needs, handler, **options)


def _nothing(call: Call) -> Response:  # noqa: ARG001 - the signature of a handler
    raise Refused(404, NOTHING_HERE)


_page = partial(_on, limit=FORM_BODY, cookie=True)
ROUTES = (
    # Content
    _on("GET /api/resolve-cache/{kind}/{repo}/{rev+}", Needs.CONTENT, files.resolve),
    _on("GET /{kind?}/{repo}/resolve/{rev+}", Needs.CONTENT, files.resolve, cookie=True),
    _on("GET /{kind?}/{repo}/raw/{rev+}", Needs.CONTENT, files.raw, cookie=True),
    _on("GET /{kind?}/{alone}/resolve/{rev+}", Needs.CONTENT, files.resolve, cookie=True),
    _on("GET /{kind?}/{alone}/raw/{rev+}", Needs.CONTENT, files.raw, cookie=True),
    _on("POST /{kind?}/{repo.git}/info/lfs/objects/batch", Needs.CONTENT, files.lfs_batch, limit=MIB),
    _on("PUT /lfs/{oid}", Needs.LINK_TO_PUT, files.lfs_put, upload=True, hashed=True),
    _on("GET /lfs/{oid}", Needs.LINK_TO_GET, files.lfs_get),
    _on(
        "POST /xet/{store}/{version}/xorbs/{prefix}/{xorb}", Needs.XET_UPLOAD, xet.put_xorb,
        upload=True, limit=XORB_LIMIT,
    ),
    _on("POST /xet/{store}/{version}/shards", Needs.XET_UPLOAD, xet.put_shard, upload=True, limit=SHARD_BODY),
    _on("POST /xet/{store}/{version}/shard", Needs.XET_UPLOAD, xet.put_shard, upload=True, limit=SHARD_BODY),
    _on("GET /xet/{store}/v1/reconstructions/{oid}", Needs.XET_READ, xet.reconstruct),
    _on("GET /xet/{store}/get/{oid}/{piece}", Needs.LINK_TO_GET, xet.get_piece),
    _on("* /xet/{store}/{version}/{rest+}", Needs.NOTHING, _nothing),
    # Repositories
    _of_repo("GET", Needs.EXISTENCE, repos.info),
    _of_repo("GET /revision/{rev+}", Needs.EXISTENCE, repos.info),
    _of_repo("GET /tree/{rev+}", Needs.CONTENT, tree.tree),
    _of_repo("POST /paths-info/{rev+}", Needs.CONTENT, tree.paths_info),
    _of_repo("GET /refs", Needs.CONTENT, tree.refs),
    _of_repo("GET /commits/{rev+}", Needs.CONTENT, tree.commits),
    _of_repo("POST /preupload/{rev+}", Needs.COMMIT, commit.preupload),
    _of_repo("POST /commit/{rev+}", Needs.COMMIT, commit.commit, upload=True, limit=COMMIT_BODY),
    _of_repo("POST /branch/{branch+}", Needs.WRITE, commit.create_branch),
    _of_repo("DELETE /branch/{branch+}", Needs.WRITE, commit.delete_branch),
    _of_repo("POST /tag/{rev+}", Needs.WRITE, commit.create_tag),
    _of_repo("DELETE /tag/{tag+}", Needs.WRITE, commit.delete_tag),
    _of_repo("POST /super-squash/{branch+}", Needs.WRITE, commit.super_squash),
    _of_repo("PUT /settings", Needs.WRITE, repos.settings),
    _of_repo("GET /auth-check", Needs.CONTENT, repos.auth_check),
    _of_repo("GET /auth-check/write", Needs.WRITE, repos.auth_check),
    _of_repo("GET /xet-write-token/{rev*}", Needs.PROPOSE, xet.write_token),
    _of_repo("GET /xet-read-token/{rev*}", Needs.CONTENT, xet.read_token),
    _of_repo("POST /lfs-files/duplicate", Needs.CONTENT, files.duplicate),
    _of_repo("GET /leaderboard", Needs.EXISTENCE, repos.leaderboard),
    _of_repo("GET /discussions", Needs.CONTENT, discussions.listing),
    _of_repo("GET /discussions/{num}", Needs.CONTENT, discussions.details),
    _of_repo("POST /discussions", Needs.PROPOSE, discussions.create),
    _of_repo("POST /discussions/{num}/comment", Needs.PROPOSE, discussions.comment),
    _of_repo("POST /discussions/{num}/title", Needs.PROPOSE, discussions.title),
    _of_repo("POST /discussions/{num}/status", Needs.PROPOSE, discussions.status),
    _of_repo("POST /discussions/{num}/merge", Needs.WRITE, discussions.merge),
    _of_repo("POST /discussions/{num}/comment/{comment}/edit", Needs.PROPOSE, discussions.edit),
    _of_repo("POST /discussions/{num}/comment/{comment}/hide", Needs.PROPOSE, discussions.hide),
    _of_repo("DELETE /discussions/{num}", Needs.WRITE, discussions.delete),
    # Collections
    _on("GET /api/collections", Needs.SHOWN_ONLY, collections.listing),
    _on("POST /api/collections", Needs.WRITE_TOKEN, collections.create),
    _on("GET /api/collections/{owner}/{slug}", Needs.COLLECTION, collections.show),
    _on("PATCH /api/collections/{owner}/{slug}", Needs.CHANGE_COLLECTION, collections.update),
    _on("DELETE /api/collections/{owner}/{slug}", Needs.CHANGE_COLLECTION, collections.delete),
    _on("POST /api/collections/{owner}/{slug}/items", Needs.CHANGE_COLLECTION, collections.add_item),
    _on("PATCH /api/collections/{owner}/{slug}/items/{item}", Needs.CHANGE_COLLECTION, collections.change_item),
    _on("DELETE /api/collections/{owner}/{slug}/items/{item}", Needs.CHANGE_COLLECTION, collections.remove_item),
    # Accounts, and what names its repository in the body
    _on("GET /api/whoami-v2", Needs.SIGNED_IN, accounts.whoami),
    _on("POST /api/validate-yaml", Needs.NOTHING, accounts.validate_yaml, limit=MIB),
    # Clients expect 409 where the repository is there, also with a token that reads: which one is meant says the body.
    _on("POST /api/repos/create", Needs.SIGNED_IN, repos.create),
    _on("DELETE /api/repos/delete", Needs.WRITE_TOKEN, repos.delete),
    _on("POST /api/repos/move", Needs.WRITE_TOKEN, repos.move),
    _on("GET /api/{kind}", Needs.SHOWN_ONLY, repos.listing),
    # A repository that does not exist is a better answer than an endpoint that does not.
    _on("* /api/{kind}/{repo?}/{rest*}", Needs.EXISTENCE, _nothing),
    _on("* /api/{rest*}", Needs.NOTHING, _nothing),
    # Pages; those below a repository hold what strangers wrote, so a gated one shows its card only.
    *(_page(f"GET {address}", Needs.SHOWN_ONLY, handler) for address, handler in lists.LISTS.items()),
    # No namespace can be called `-`.
    _page("GET /-/style.css", Needs.NOTHING, partial(sign_in.asset, "style.css")),
    _page("GET /-/icon.svg", Needs.NOTHING, partial(sign_in.asset, "icon.svg")),
    _page("GET /-/login", Needs.NOTHING, sign_in.login_form),
    _page("POST /-/login", Needs.NOTHING, sign_in.login),
    _page("POST /-/logout", Needs.NOTHING, sign_in.logout),
    _page("GET /collections/{owner}/{slug}", Needs.COLLECTION, lists.collection),
    _page("GET /{owner}", Needs.SHOWN_ONLY, lists.owner),
    _page("GET /{kind?}/{repo}", Needs.EXISTENCE, card.card),
    _page("GET /{kind?}/{repo}/tree/{rev+}", Needs.CONTENT, file_pages.tree),
    _page("GET /{kind?}/{repo}/blob/{rev+}", Needs.CONTENT, file_pages.blob),
    _page("GET /{kind?}/{repo}/commits/{rev+}", Needs.CONTENT, history.commits),
    _page("GET /{kind?}/{repo}/commit/{rev+}", Needs.CONTENT, history.commit),
    _page("GET /{kind?}/{repo}/viewer/{split*}", Needs.CONTENT, viewer.viewer),
    _page("GET /{kind?}/{repo}/discussions/{num*}", Needs.CONTENT, history.discussions),
    _page("GET /{kind?}/{repo}/leaderboard", Needs.EXISTENCE, card.leaderboard),
)  # fmt: skip


def _by_start() -> dict[tuple[str, str], list[tuple[Route, tuple[str, ...]]]]:
    """Return the routes by method and first segment, each with the segments of its pattern: once per kind in it."""
    found: dict[tuple[str, str], list[tuple[Route, tuple[str, ...]]]] = {}
    for route in ROUTES:
        first, *below = route.pattern.strip("/").split("/")
        starts = ((), *((kind,) for kind in KINDS_IN_PATHS)) if first == "{kind?}" else ((first,),)
        for tokens in ((*start, *below) for start in starts):
            start = "{" if tokens[0].startswith("{") else tokens[0]
            found.setdefault((route.method, start), []).append((route, tokens))
    return found


_BY_START = _by_start()


def match(method: str, raw_path: str) -> Match:
    """Return the route for a request with what its path says, the first of those that fit.

    Raises Refused (404 where there is none, 400 where the path is not valid UTF-8).
    """
    try:
        segments = [unquote(part, errors="strict") for part in raw_path.strip("/").split("/")]
    except UnicodeDecodeError as error:
        raise Refused(400, "The path is not valid UTF-8.") from error
    method = "GET" if method == "HEAD" else method
    for start in ((method, segments[0]), ("*", segments[0]), (method, "{")):
        for route, tokens in _BY_START.get(start, ()):
            if (found := _read(route, tokens, segments)) is not None:
                return found
    raise Refused(404, NOTHING_HERE)
