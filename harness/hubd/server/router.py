"""From the raw path of a request to its route: every request that this Hub takes is in ROUTES.

Segments are split before they are unquoted, so that `refs%2Fpr%2F1` stays one revision.
"""

from __future__ import annotations

from urllib.parse import unquote

from starlette.responses import Response

from ..api import accounts, collections, commit, discussions, files, repos, tree, xet
from ..api.request import Call
from ..api.rights import Needs
from ..api.route import MIB, Handler, Match, Route, Table
from ..errors import Refused
from ..pages.addresses import PAGES
from ..pages.errors import NOTHING_HERE
from ..storage.xet_uploads import XORB_LIMIT

SHARD_BODY = 128 * MIB  # clients make them of 64 MiB at most
COMMIT_BODY = 16 << 30


def _nothing(call: Call) -> Response:  # noqa: ARG001 - the signature of a handler
    raise Refused(404, NOTHING_HERE)


def _api(method: str, path: str, needs: Needs, handler: Handler) -> Route:
    """Return a route below a repository's name in the API."""
    return Route(method=method, pattern=f"/api/{{kind}}/{{repo}}{path}", needs=needs, handler=handler)


REPO_ROUTES = (
    _api("GET", "", Needs.EXISTENCE, repos.info),
    _api("GET", "/revision/{rev+}", Needs.EXISTENCE, repos.info),
    _api("GET", "/tree/{rev+}", Needs.CONTENT, tree.tree),
    _api("POST", "/paths-info/{rev+}", Needs.CONTENT, tree.paths_info),
    _api("GET", "/refs", Needs.CONTENT, tree.refs),
    _api("GET", "/commits/{rev+}", Needs.CONTENT, tree.commits),
    _api("POST", "/preupload/{rev+}", Needs.COMMIT, commit.preupload),
    Route(
        method="POST", pattern="/api/{kind}/{repo}/commit/{rev+}", needs=Needs.COMMIT, handler=commit.commit,
        upload=True, limit=COMMIT_BODY,
    ),
    _api("POST", "/branch/{branch+}", Needs.WRITE, commit.create_branch),
    _api("DELETE", "/branch/{branch+}", Needs.WRITE, commit.delete_branch),
    _api("POST", "/tag/{rev+}", Needs.WRITE, commit.create_tag),
    _api("DELETE", "/tag/{tag+}", Needs.WRITE, commit.delete_tag),
    _api("POST", "/super-squash/{branch+}", Needs.WRITE, commit.super_squash),
    _api("PUT", "/settings", Needs.WRITE, repos.settings),
    _api("GET", "/auth-check", Needs.CONTENT, repos.auth_check),
    _api("GET", "/auth-check/write", Needs.WRITE, repos.auth_check),
    _api("GET", "/xet-write-token/{rev*}", Needs.PROPOSE, xet.write_token),
    _api("GET", "/xet-read-token/{rev*}", Needs.CONTENT, xet.read_token),
    _api("POST", "/lfs-files/duplicate", Needs.CONTENT, files.duplicate),
    _api("GET", "/leaderboard", Needs.EXISTENCE, repos.leaderboard),
    _api("GET", "/discussions", Needs.CONTENT, discussions.listing),
    _api("GET", "/discussions/{num}", Needs.CONTENT, discussions.details),
    _api("POST", "/discussions", Needs.PROPOSE, discussions.create),
    _api("POST", "/discussions/{num}/comment", Needs.PROPOSE, discussions.comment),
    _api("POST", "/discussions/{num}/title", Needs.PROPOSE, discussions.title),
    _api("POST", "/discussions/{num}/status", Needs.PROPOSE, discussions.status),
    _api("POST", "/discussions/{num}/merge", Needs.WRITE, discussions.merge),
    _api("POST", "/discussions/{num}/comment/{comment}/edit", Needs.PROPOSE, discussions.edit),
    _api("POST", "/discussions/{num}/comment/{comment}/hide", Needs.PROPOSE, discussions.hide),
    _api("DELETE", "/discussions/{num}", Needs.WRITE, discussions.delete),
)  # fmt: skip
COLLECTION_ROUTES = tuple(
    Route(method=method, pattern=f"/api/collections{path}", needs=needs, handler=handler)
    for method, path, needs, handler in (
        ("GET", "", Needs.SHOWN_ONLY, collections.listing),
        ("POST", "", Needs.WRITE_TOKEN, collections.create),
        ("GET", "/{owner}/{slug}", Needs.COLLECTION, collections.show),
        ("PATCH", "/{owner}/{slug}", Needs.CHANGE_COLLECTION, collections.update),
        ("DELETE", "/{owner}/{slug}", Needs.CHANGE_COLLECTION, collections.delete),
        ("POST", "/{owner}/{slug}/items", Needs.CHANGE_COLLECTION, collections.add_item),
        ("PATCH", "/{owner}/{slug}/items/{item}", Needs.CHANGE_COLLECTION, collections.change_item),
        ("DELETE", "/{owner}/{slug}/items/{item}", Needs.CHANGE_COLLECTION, collections.remove_item),
    )
)
OTHER_ROUTES = (
    Route(method="GET", pattern="/api/whoami-v2", needs=Needs.SIGNED_IN, handler=accounts.whoami),
    Route(method="POST", pattern="/api/validate-yaml", needs=Needs.NOTHING, handler=accounts.validate_yaml, limit=MIB),
    # Clients expect 409 where the repository is there, also with a token that reads: which one is meant says the body.
    Route(method="POST", pattern="/api/repos/create", needs=Needs.SIGNED_IN, handler=repos.create),
    Route(method="DELETE", pattern="/api/repos/delete", needs=Needs.WRITE_TOKEN, handler=repos.delete),
    Route(method="POST", pattern="/api/repos/move", needs=Needs.WRITE_TOKEN, handler=repos.move),
    Route(method="GET", pattern="/api/{kind}", needs=Needs.SHOWN_ONLY, handler=repos.listing),
    # A repository that does not exist is a better answer than an endpoint that does not.
    Route(method="*", pattern="/api/{kind}/{repo?}/{rest*}", needs=Needs.EXISTENCE, handler=_nothing),
    Route(method="*", pattern="/api/{rest*}", needs=Needs.NOTHING, handler=_nothing),
)
CONTENT_ROUTES = (
    Route(
        method="GET", pattern="/api/resolve-cache/{kind}/{repo}/{rev+}", needs=Needs.CONTENT, handler=files.resolve
    ),
    *(
        Route(method="GET", pattern=f"/{{kind?}}/{repo}/{name}/{{rev+}}", needs=Needs.CONTENT, handler=handler,
              cookie=True)
        for repo in ("{repo}", "{alone}")
        for name, handler in (("resolve", files.resolve), ("raw", files.raw))
    ),
    Route(
        method="POST", pattern="/{kind?}/{repo.git}/info/lfs/objects/batch", needs=Needs.CONTENT,
        handler=files.lfs_batch, limit=MIB,
    ),
    Route(
        method="PUT", pattern="/lfs/{oid}", needs=Needs.LINK_TO_PUT, handler=files.lfs_put, upload=True, hashed=True,
    ),
    Route(method="GET", pattern="/lfs/{oid}", needs=Needs.LINK_TO_GET, handler=files.lfs_get),
    Route(
        method="POST", pattern="/xet/{store}/{version}/xorbs/{prefix}/{xorb}", needs=Needs.XET_UPLOAD,
        handler=xet.put_xorb, upload=True, limit=XORB_LIMIT,
    ),
    *(
        Route(method="POST", pattern=f"/xet/{{store}}/{{version}}/{name}", needs=Needs.XET_UPLOAD,
              handler=xet.put_shard, upload=True, limit=SHARD_BODY)
        for name in ("shards", "shard")
    ),
    Route(
        method="GET", pattern="/xet/{store}/v1/reconstructions/{oid}", needs=Needs.XET_READ, handler=xet.reconstruct
    ),
    Route(method="GET", pattern="/xet/{store}/get/{oid}/{piece}", needs=Needs.LINK_TO_GET, handler=xet.get_piece),
    Route(method="*", pattern="/xet/{store}/{version}/{rest+}", needs=Needs.NOTHING, handler=_nothing),
)  # fmt: skip
ROUTES = (*CONTENT_ROUTES, *REPO_ROUTES, *COLLECTION_ROUTES, *OTHER_ROUTES, *PAGES)
_TABLE = Table(ROUTES)


def segments_of(raw_path: str) -> list[str]:
    """Return the path's segments, each unquoted; raises Refused (400) if it is not valid UTF-8."""
    try:
        return [unquote(part, errors="strict") for part in raw_path.strip("/").split("/")]
    except UnicodeDecodeError as error:
        raise Refused(400, "The path is not valid UTF-8.") from error


def match(method: str, raw_path: str) -> Match:
    """Return the route for a request; raises Refused (404)."""
    found = _TABLE.find("GET" if method == "HEAD" else method, segments_of(raw_path))
    if found is None:
        raise Refused(404, NOTHING_HERE)
    return found
