"""Who may do what: every route says what its caller needs, and it is asked here, before the body is received.

The rules themselves are `visible`, `may_read_content` and `check_write` of the repositories. What a handler learns from
the body only (the repository that is to be deleted, the target of a copy) it asks through the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from ..accounts.accounts import User
from ..db import Row
from ..errors import Refused, repo_not_found
from ..storage.repos import RepoRow, check_content, check_present_name, check_write, visible
from .request import Call, whole_number

LINK_SECONDS = 3600  # of signed links and of tokens for Xet


class Needs(Enum):
    """What the caller of a route has to be allowed, in words."""

    NOTHING = "It says nothing of any repository and changes nothing."
    SHOWN_ONLY = "It lists, and leaves out what the caller may not see."
    SIGNED_IN = "A token of this Hub."
    WRITE_TOKEN = "A token that may write; what it changes stands in the body, and is looked at by the handler."  # noqa: S105
    EXISTENCE = "To know that the repository exists; of a gated one that is its name, its dates and its card."
    CONTENT = "To read what the repository holds: bytes, names, sizes, hashes, history, discussions."
    PROPOSE = "To read it, and a token that may write: uploads, pull requests, comments."
    COMMIT = "To write to the revision of the path: to propose, if it is the caller's own pull request or a new one."
    WRITE = "To change the repository."
    COLLECTION = "To see the collection."
    CHANGE_COLLECTION = "To change the collection."
    LINK_TO_GET = "A signed link to a large file, whose user may still read it where it was issued for."
    LINK_TO_PUT = "A signed link for an upload, whose user may still propose changes to the repository."
    XET_READ = "A token for Xet downloads, whose user may still read the repository."
    XET_UPLOAD = "A token for Xet uploads, whose user may still propose changes to the repository."


def authorize(call: Call, needs: Needs) -> None:
    """Raise Refused unless the caller is allowed what a route needs; only the head of the request is looked at."""
    _CHECKS[needs](call)


def _content(call: Call) -> None:
    check_content(call.repo, call.user)


def _propose(call: Call) -> None:
    check_propose(call.repo, call.required_user())
    check_present_name(call.repo, call.name)


def check_propose(repo: RepoRow, user: User) -> None:
    """Raise Refused unless the caller, who sees the repository, may upload to it and propose changes."""
    check_content(repo, user)
    _check_role(user)


def _write_token(call: Call) -> None:
    _check_role(call.required_user())


def _check_role(user: User) -> None:
    if user.role != "write":
        raise Refused(403, "Forbidden: this token can only read; use a write token for this.")


def _write(call: Call) -> None:
    call.services.repos.writable(call.kind, call.name, call.user)


def _commit(call: Call) -> None:
    number = call.segments[0].removeprefix("refs/pr/")
    own = False
    if number != call.segments[0] and (named := whole_number(number, 9)) is not None:
        _propose(call)  # before it is said whether there is such a pull request
        own = call.services.discussions.find(call.repo, named)["author"] == call.required_user().name
    if own or call.flag("create_pr"):
        _propose(call)
        if call.flag("create_pr"):
            call.services.discussions.check_room(call.repo, call.required_user(), opening=True)
    else:
        _write(call)


def _collection(call: Call) -> Row:
    return call.services.collections.find("/".join(call.segments[:2]), call.user)


def _change_collection(call: Call) -> None:
    row = _collection(call)
    check_write(row["owner"], call.user, f"the collection {row['title']}")


def issue(call: Call, do: str, **claims: Any) -> tuple[str, int]:
    """Return a signed token with which its holder may `do` something with this repository, and when it ends.

    It stands for the caller's access token, and allows nothing that this one does not allow when it is used.
    """
    user = call.user
    by = {"user": user.name, "key": _key(call, user.token)} if user else {"user": None}
    return call.services.signer.issue({"do": do, "repo": call.repo.id, **by, **claims}, seconds=LINK_SECONDS)


def _key(call: Call, token: str) -> str:
    return call.services.signer.sign(b"access token " + token.encode()).hex()[:32]


def _accept(call: Call, do: str, token: str, **expected: Any) -> None:
    """Make the caller and the repository those that a signed token names; raises Refused."""
    claims = call.services.signer.check(token, do=do, **expected)
    call.user = _bearer(call, claims)
    repo = call.services.repos.by_id(claims["repo"])
    if repo is None or not visible(repo, call.user):
        raise repo_not_found(anonymous=call.user is None)
    call.repo, call.claims = repo, claims


def _bearer(call: Call, claims: dict[str, Any]) -> User | None:
    name = claims.get("user", "")
    if name is None:
        return None
    for holder in call.services.accounts.holders(str(name)):
        if _key(call, holder.token) == claims.get("key"):
            return holder
    raise Refused(401, "The access token that this link or token was issued for is gone; ask for a new one.")


def _link_to_get(call: Call) -> None:
    # A piece of a file is addressed below /xet/{store}/get/{sha256}, a whole one below /lfs/{sha256}.
    sha256 = call.segments[-2] if len(call.segments) > 1 else call.segments[0]
    _accept(call, "get", call.query.get("token", ""), oid=sha256)
    check_content(call.repo, call.user)
    if not call.services.references.committed(call.repo, sha256):
        raise Refused(404, "Object does not exist", code="EntryNotFound")


def _link_to_put(call: Call) -> None:
    _accept(call, "put", call.query.get("token", ""), oid=call.segments[0])
    check_propose(call.repo, call.required_user())


def _xet_read(call: Call) -> None:
    _accept(call, "xet-read", _bearer_token(call))
    check_content(call.repo, call.user)


def _xet_upload(call: Call) -> None:
    _accept(call, "xet-upload", _bearer_token(call))
    check_propose(call.repo, call.required_user())


def _bearer_token(call: Call) -> str:
    return call.headers.get("authorization", "").removeprefix("Bearer ")


_CHECKS: dict[Needs, Callable[[Call], object]] = {
    Needs.NOTHING: lambda _: None,
    Needs.SHOWN_ONLY: lambda call: call.user,
    Needs.SIGNED_IN: Call.required_user,
    Needs.WRITE_TOKEN: _write_token,
    Needs.EXISTENCE: lambda call: call.repo,
    Needs.CONTENT: _content,
    Needs.PROPOSE: _propose,
    Needs.COMMIT: _commit,
    Needs.WRITE: _write,
    Needs.COLLECTION: _collection,
    Needs.CHANGE_COLLECTION: _change_collection,
    Needs.LINK_TO_GET: _link_to_get,
    Needs.LINK_TO_PUT: _link_to_put,
    Needs.XET_READ: _xet_read,
    Needs.XET_UPLOAD: _xet_upload,
}
