"""How a body comes in: of which kind, up to what is allowed and there is room for, into memory or into a file."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ..api import collections, commit, discussions, files, repos, tree, xet
from ..api.request import Call, Services
from ..api.rights import Needs, authorize
from ..errors import Refused
from ..pages import sign_in
from ..storage.blobs import Draft
from ..storage.repos import RepoRow
from ..storage.usage import ACCOUNT, Account
from .lanes import Lane
from .protocol import steps
from .routes import FORM_BODY, MIB, Handler, Match, Route
from .traffic import Body, Traffic

UNKNOWN = -1  # bytes of a body that comes in chunks
ROW, REPOSITORY = 4 << 10, 64 << 10  # bytes on the disk, about
_WRITTEN: dict[Handler, int] = {
    repos.create: REPOSITORY,
    **dict.fromkeys((commit.create_branch, commit.create_tag), ROW),
}
# Their bodies become rows of the database, which never gets smaller.
_SAID = (
    discussions.create, discussions.comment, discussions.edit, discussions.title, collections.create,
    collections.update, collections.add_item, collections.change_item,
)  # fmt: skip
ANONYMOUS_BODY = MIB  # of JSON from anonymous callers

FORMS = (tree.paths_info, sign_in.login, sign_in.logout)
# Their bodies are of no kind in particular; what allows them no page of another site can have.
FREE = (files.lfs_put, xet.put_xorb, xet.put_shard)


def _check_media(route: Route, call: Call) -> None:
    """Raise Refused (415) for a kind of body that every page may send, but no client of this route does."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    plain = media in ("text/plain", "multipart/form-data")
    form = media == "application/x-www-form-urlencoded" and route.handler not in FORMS
    if route.handler not in FREE and (plain or form):
        raise Refused(
            415, f"A body of the kind {media} is not taken here; send JSON with Content-Type: application/json."
        )


def _body_limit(route: Route, call: Call) -> int:
    """Return the bytes that the body of an authorized call may have."""
    if "size" in call.claims:
        return int(call.claims["size"])  # what a signed link allows
    if route.method in ("GET", "*"):
        return FORM_BODY  # nothing that only reads needs a body
    anonymous = route.needs is Needs.NOTHING or call.user is None
    return min(route.limit, ANONYMOUS_BODY) if anonymous else route.limit


class Receiver:
    """Receives the bodies of one server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._traffic = Traffic(services.root.folder("tmp"))
        self._unpacking = Lane(slots=4, share=1)

    async def receive(self, request: Request, call: Call, found: Match, held: AsyncExitStack) -> None:
        """Take the body of a request whose caller may send it, and count it until `held` ends; raises Refused."""
        route, length = found.route, _length(request)
        counted = self._services.usage.quotas.any and request.method not in ("GET", "HEAD")
        if not (route.upload or length or counted):
            return
        _check_media(route, call)
        account = await run_in_threadpool(_admit, self._services, call, route, length)
        if account is not None:
            ACCOUNT.set(account)
            held.callback(lambda: account.come(-account.coming))
        # An endpoint that does not exist has no rule for tokens.
        user = call.user if route.needs is not Needs.NOTHING else None
        caller = f"user {user.name}" if user else f"host {request.client.host if request.client else ''}"
        limit = _body_limit(route, call)
        if length > limit:
            raise _too_large(limit)
        body = held.enter_context(self._traffic.body(caller, signed_in=user is not None))
        if route.upload:
            body.to_file(max(length, 0))
            if account is not None:
                account.come(max(length, 0))
            call.upload = await self._to_file(request, limit, body, account if length == UNKNOWN else None, route)
            held.callback(call.upload.discard)
        elif length:
            call.body = await _in_memory(request, limit, body)
        if route.handler is xet.put_shard:
            await held.enter_async_context(self._unpacking.turn(caller))

    async def _to_file(self, request: Request, limit: int, body: Body, growing: Account | None, route: Route) -> Draft:
        """Write the body to a file as it comes; memory holds one step of it.

        `growing` pays for it if its length was not announced.
        """
        draft = self._services.blobs.draft(hashed=route.hashed)
        try:
            async with aclosing(steps(request, self._traffic.step())) as parts:
                async for part in parts:
                    size = sum(map(len, part))
                    if draft.size + size > limit:
                        raise _too_large(limit)
                    if growing is not None:
                        growing.check(draft.size + size)
                        growing.come(size)
                    await run_in_threadpool(draft.write, part)
                    body.wrote(size)
        except BaseException:
            draft.discard()
            raise
        return draft


def _admit(services: Services, call: Call, route: Route, length: int) -> Account | None:
    """Return who pays for the request, None if nothing is counted; raises Refused if the caller may not send it."""
    authorize(call, route.needs)
    if route.needs is Needs.NOTHING:
        return None
    account = _account(services, call)
    if account is None:
        return None
    if route.upload:
        account.check(max(length, 0))
    if (written := _WRITTEN.get(route.handler, 0)) and account.limit is not None:
        account.check(written)
        account.usage.grow(account.payer, written)
    if route.handler in _SAID and account.limit is not None:
        said = ROW + max(length, 0)
        account.check(said)
        account.usage.add(account.payer, "said", said)
    return account


def _account(services: Services, call: Call) -> Account | None:
    quotas, user = services.usage.quotas, call.user
    if user is None or not (quotas.any or quotas.several):
        return None
    repo: RepoRow | None = call.__dict__.get("repo")
    own = repo is not None and user.member_of(repo.namespace)
    payer = repo.namespace if own and repo is not None else user.name
    return Account(usage=services.usage, payer=payer, own=own or repo is None)


def _length(request: Request) -> int:
    """Return the bytes of the body as announced, UNKNOWN if it comes in chunks; raises Refused (413)."""
    if "transfer-encoding" in request.headers:
        return UNKNOWN
    text = request.headers.get("content-length", "0")
    if len(text) > 18 or not text.isascii() or not text.isdigit():
        raise Refused(413, "The body of this request is too large.")
    return int(text)


def _too_large(limit: int) -> Refused:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
    return Refused(413, f"The body of this request may have {size} at most.")


async def _in_memory(request: Request, limit: int, body: Body) -> bytes:
    parts: list[bytes] = []
    async for data in request.stream():
        body.keep(len(data))
        if body.size > limit:
            raise _too_large(limit)
        parts.append(data)
    return b"".join(parts)
