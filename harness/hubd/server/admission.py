"""What is known before a body is received: who sends it, and how much of it they may send.

Each handler that takes a body has a check here that needs the path and the headers alone. Who does not pass it is
answered before a byte of the body is read.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from ..api import accounts, collections, commit, discussions, files, repos, tree, xet
from ..api.request import Call
from ..errors import Refused
from ..pages import accounts as pages

MIB = 1 << 20
FORM_BODY = 64 << 10
BATCH_BODY = YAML_BODY = ANONYMOUS_BODY = MIB
"""Of a card's metadata, an LFS batch, and of any other JSON from somebody who is not signed in."""

Check = Callable[[Call], object]


def _writer(call: Call) -> None:
    if call.required_user().role != "write":
        raise Refused(403, "Forbidden: this token can only read; use a write token for this.")


def _participant(call: Call) -> None:
    _writer(call)
    call.repo  # noqa: B018 - raises Refused where the caller may not know of it


def _reader(call: Call) -> None:
    call.repo  # noqa: B018 - raises Refused where the caller may not know of it


CHECKS: dict[Callable[[Call], Response], Check] = {
    accounts.validate_yaml: lambda call: call.user,  # a token that nobody has is refused
    repos.create: _writer,
    repos.delete: _writer,
    repos.move: _writer,
    repos.settings: Call.writable_repo,
    tree.paths_info: _reader,
    commit.preupload: commit.may_commit,
    commit.commit: commit.may_commit,
    commit.create_branch: Call.writable_repo,
    commit.delete_branch: Call.writable_repo,
    commit.create_tag: Call.writable_repo,
    commit.delete_tag: Call.writable_repo,
    commit.super_squash: Call.writable_repo,
    files.duplicate: _participant,
    files.lfs_batch: _reader,
    files.lfs_put: files.may_put,
    xet.put_xorb: xet.may_upload,
    xet.put_shard: xet.may_upload,
    discussions.write: _participant,
    collections.create: _writer,
    collections.update: _writer,
    collections.delete: _writer,
    collections.add_item: _writer,
    collections.change_item: _writer,
    collections.remove_item: _writer,
    pages.login: lambda _: None,  # anybody may; see origin.py for what other sites' pages send
    pages.logout: lambda _: None,
}
LIMITS: dict[Callable[[Call], Response], int] = {accounts.validate_yaml: YAML_BODY, files.lfs_batch: BATCH_BODY}


FORMS = (tree.paths_info, pages.login, pages.logout)
FREE = (files.lfs_put, xet.put_xorb, xet.put_shard)
"""Their bodies are of no kind in particular; what allows them no page of another site can have."""


def check_media(handler: Callable[[Call], Response], call: Call) -> None:
    """Raise Refused (415) for a kind of body that every page may send, but no client of this route does."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    plain = media in ("text/plain", "multipart/form-data")
    if handler not in FREE and (plain or (media == "application/x-www-form-urlencoded" and handler not in FORMS)):
        raise Refused(
            415, f"A body of the kind {media} is not taken here; send JSON with Content-Type: application/json."
        )


def authorize(handler: Callable[[Call], Response], call: Call) -> None:
    """Raise Refused unless the caller may send a body to this handler; no body is needed to know."""
    if (check := CHECKS.get(handler)) is not None:
        check(call)


def body_limit(handler: Callable[[Call], Response], call: Call, limit: int) -> int:
    """Return the bytes that the body of an authorized call may have; `limit` is that of its route."""
    if call.announced is not None:
        return call.announced
    if handler not in CHECKS:
        return FORM_BODY  # nothing that only reads needs a body
    limit = min(limit, LIMITS.get(handler, limit))
    signed = handler in (xet.put_xorb, xet.put_shard) or call.user is not None
    return limit if signed else min(limit, ANONYMOUS_BODY)
