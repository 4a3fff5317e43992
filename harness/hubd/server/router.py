"""From the raw path of a request to its handler.

Segments are split before they are unquoted, so that `refs%2Fpr%2F1` stays one revision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.responses import Response

from ..api import accounts as api_accounts
from ..api import collections as shelf
from ..api import commit as api_commit
from ..api import discussions as api_discussions
from ..api import files as api_files
from ..api import repos as api_repos
from ..api import tree as api_tree
from ..api import xet as api_xet
from ..api.request import KINDS_IN_PATHS, Call
from ..errors import Refused
from ..pages import addresses
from ..storage.xet_uploads import XORB_LIMIT

MIB = 1 << 20
SMALL_BODY = 32 * MIB
SHARD_BODY = 256 * MIB
COMMIT_BODY = 16 << 30

Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A handler, and its body: at most `limit` bytes, in memory or, if `upload`, in a file (and hashed).

    `cookie`: a browser's sign-in counts.
    """

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


# (method, operation) below /api/{kind}s/{namespace}/{name}/
REPO_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "revision"): api_repos.info,
    ("GET", "tree"): api_tree.tree,
    ("POST", "paths-info"): api_tree.paths_info,
    ("GET", "refs"): api_tree.refs,
    ("GET", "commits"): api_tree.commits,
    ("POST", "preupload"): api_commit.preupload,
    ("POST", "commit"): api_commit.commit,
    ("POST", "branch"): api_commit.create_branch,
    ("DELETE", "branch"): api_commit.delete_branch,
    ("POST", "tag"): api_commit.create_tag,
    ("DELETE", "tag"): api_commit.delete_tag,
    ("POST", "super-squash"): api_commit.super_squash,
    ("PUT", "settings"): api_repos.settings,
    ("GET", "auth-check"): api_repos.auth_check,
    ("GET", "xet-write-token"): api_xet.write_token,
    ("GET", "xet-read-token"): api_xet.read_token,
    ("POST", "lfs-files"): api_files.duplicate,
    ("GET", "leaderboard"): api_repos.leaderboard,
    ("GET", "discussions"): api_discussions.read,
    ("POST", "discussions"): api_discussions.write,
}
# Operations whose last segments name a revision or a ref, and need at least one.
NEEDS_SEGMENT = {"revision", "tree", "paths-info", "commits", "preupload", "commit", "branch", "tag", "super-squash"}
FIXED_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "api/whoami-v2"): api_accounts.whoami,
    ("POST", "api/validate-yaml"): api_accounts.validate_yaml,
    ("POST", "api/repos/create"): api_repos.create,
    ("DELETE", "api/repos/delete"): api_repos.delete,
    ("POST", "api/repos/move"): api_repos.move,
}
NO_ENDPOINT = Refused(404, "This Hub has no such endpoint.")


def segments_of(raw_path: str) -> list[str]:
    """Return the path's segments, each unquoted; raises Refused (400) if it is not valid UTF-8."""
    try:
        return [unquote(part, errors="strict") for part in raw_path.strip("/").split("/")]
    except UnicodeDecodeError as error:
        raise Refused(400, "The path is not valid UTF-8.") from error


def match(method: str, raw_path: str) -> Match:
    """Return the route for a request; raises Refused (404)."""
    segments = segments_of(raw_path)
    reading = "GET" if method == "HEAD" else method
    fixed = FIXED_ROUTES.get((reading, "/".join(segments)))
    if fixed is not None:
        return Match(route=Route(handler=fixed), segments=[])
    first, rest = segments[0], segments[1:]
    if first == "api" and rest:
        return _api(reading, rest)
    if first == "lfs" and len(rest) == 1:
        if reading == "PUT":
            return Match(route=Route(handler=api_files.lfs_put, upload=True, hashed=True), segments=rest)
        if reading == "GET":
            return Match(route=Route(handler=api_files.lfs_get), segments=rest)
    if first == "xet" and len(rest) > 2:
        return _xet(reading, rest)
    return _content(reading, segments)


def _api(method: str, rest: list[str]) -> Match:
    if rest[0] == "collections":
        return Match(route=Route(handler=shelf.handler(method, rest[1:])), segments=rest[1:])
    if rest[0] == "resolve-cache" and len(rest) > 4 and rest[1] in KINDS_IN_PATHS and method == "GET":
        kind = KINDS_IN_PATHS[rest[1]]
        return Match(route=Route(handler=api_files.resolve), segments=rest[4:], kind=kind, name="/".join(rest[2:4]))
    if rest[0] not in KINDS_IN_PATHS:
        raise NO_ENDPOINT
    kind, rest = KINDS_IN_PATHS[rest[0]], rest[1:]
    if not rest or rest == [""]:
        if method != "GET":
            raise NO_ENDPOINT
        return Match(route=Route(handler=api_repos.listing), segments=[], kind=kind)
    name, operation, segments = "/".join(rest[:2]), rest[2] if len(rest) > 2 else "", rest[3:]
    handler = REPO_ROUTES.get((method, operation))
    if operation == "" and method == "GET":
        handler = api_repos.info
    if handler is None or (operation in NEEDS_SEGMENT and not any(segments)):
        handler = _nothing
    upload = operation == "commit"
    return Match(
        route=Route(handler=handler, upload=upload, limit=COMMIT_BODY if upload else SMALL_BODY),
        segments=_joined_ref(segments),
        kind=kind,
        name=name,
    )


def _joined_ref(segments: list[str]) -> list[str]:
    """Return segments with a revision that was sent unquoted (refs/pr/1) as one segment."""
    if len(segments) > 2 and segments[0] == "refs" and segments[1] in ("pr", "convert", "heads", "tags"):
        return ["/".join(segments[:3]), *segments[3:]]
    return segments


def _nothing(call: Call) -> Response:
    call.repo  # noqa: B018 - a repository that does not exist is the better answer
    raise NO_ENDPOINT


def _xet(method: str, rest: list[str]) -> Match:
    route = None
    if method == "POST" and rest[2] == "xorbs" and len(rest) == 5:
        route = Route(handler=api_xet.put_xorb, upload=True, limit=XORB_LIMIT)
    if method == "POST" and rest[2:] in (["shards"], ["shard"]):
        route = Route(handler=api_xet.put_shard, limit=SHARD_BODY)
    if method == "GET" and rest[1:3] == ["v1", "reconstructions"] and len(rest) == 4:
        route = Route(handler=api_xet.reconstruct)
    if method == "GET" and rest[1] == "get" and len(rest) == 4:
        route = Route(handler=api_xet.get_piece)
    if route is None:
        raise NO_ENDPOINT
    return Match(route=route, segments=rest)


def _content(method: str, segments: list[str]) -> Match:
    kind, below = "model", segments
    if segments[0] in KINDS_IN_PATHS:
        kind, below = KINDS_IN_PATHS[segments[0]], segments[1:]
    if method == "POST" and len(below) == 6 and below[2:] == ["info", "lfs", "objects", "batch"]:
        name = f"{below[0]}/{below[1].removesuffix('.git')}"
        return Match(route=Route(handler=api_files.lfs_batch), segments=[], kind=kind, name=name)
    if method == "GET":
        for at in (2, 1):
            if len(below) > at + 1 and below[at] in ("resolve", "raw"):
                handler = api_files.resolve if below[at] == "resolve" else api_files.raw
                name, rest = "/".join(below[:at]), _joined_ref(below[at + 1 :])
                return Match(route=Route(handler=handler, cookie=True), segments=rest, kind=kind, name=name)
    return _page(method, segments)


def _page(method: str, segments: list[str]) -> Match:
    page = addresses.find(method, segments)
    if page is None:
        raise NO_ENDPOINT
    route = Route(handler=page.handler, limit=addresses.FORM_LIMIT, cookie=True)
    return Match(route=route, segments=_joined_ref(page.segments), kind=page.kind, name=page.name)
