"""Work that may take long waits in lanes of its own, so that all other requests find a free thread.

A lane runs few requests at once, and its callers take turns: one caller with many requests delays mostly their own.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..api import accounts, collections, commit, discussions, files, repos, tree
from ..api.request import Call
from ..api.rights import authorize
from ..errors import Refused
from ..pages import card, history, lists, viewer
from ..pages import files as file_pages
from .routes import Handler, Route

RETRY_SECONDS = 5


@dataclass(slots=True)
class Lane:
    """At most `slots` requests at once, `share` of them of one caller, for each of whom `waiting` more may wait."""

    slots: int = 1
    share: int = 1
    waiting: int = 64
    _running: Counter[str] = field(default_factory=Counter)
    _queues: dict[str, deque[asyncio.Future[None]]] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Hold a slot for the block; raises Refused (503) if too many requests of the caller wait already."""
        await self._enter(caller)
        try:
            yield
        finally:
            self._running[caller] -= 1
            if caller in self._queues:  # behind all callers who wait now
                self._queues[caller] = self._queues.pop(caller)
            self._wake()

    async def _enter(self, caller: str) -> None:
        queue = self._queues.setdefault(caller, deque())
        if len(queue) >= self.waiting:
            raise Refused(
                503,
                "This Hub is busy: too many requests of yours wait for this already. Try "
                f"again in {RETRY_SECONDS} seconds, with fewer at a time.",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was this one's turn just now
                self._running[caller] -= 1
            self._wake()
            raise

    def _wake(self) -> None:
        """Give free slots to those who wait, one caller after the other."""
        for caller in list(self._queues):
            queue = self._queues[caller]
            while queue and queue[0].cancelled():
                queue.popleft()
            if not queue:
                del self._queues[caller]
            elif self._running.total() < self.slots and self._running[caller] < self.share:
                self._running[caller] += 1
                queue.popleft().set_result(None)
                self._queues[caller] = self._queues.pop(caller)  # to the end of the line
        self._running += Counter()  # forget who runs nothing


_DIFFS = (history.commit, history.discussions, discussions.details)
_LISTS = (
    *lists.LISTS.values(), lists.owner, lists.collection, card.leaderboard, repos.listing, repos.leaderboard,
    collections.listing, collections.show,
)  # fmt: skip
_TREES = (
    file_pages.tree, history.commits, repos.info, tree.tree, tree.paths_info, tree.commits, tree.refs, commit.preupload,
)  # fmt: skip
_COMMITS = (commit.commit, commit.super_squash, discussions.create, discussions.merge)


class Lanes:
    """The lanes of one server."""

    def __init__(self) -> None:
        plan: list[tuple[tuple[Handler, ...], Lane]] = [
            ((accounts.validate_yaml,), Lane()),
            ((card.card,), Lane()),
            ((viewer.viewer, file_pages.blob), Lane()),
            (_DIFFS, Lane()),
            (_LISTS, Lane(slots=2)),
            (_TREES, Lane(slots=2, waiting=128)),
            # What git has packed small may be large, and takes time to unpack.
            ((files.resolve, files.raw), Lane(slots=8, share=4, waiting=1024)),
            ((files.lfs_batch, files.duplicate), Lane(slots=4, share=2, waiting=128)),
            (_COMMITS, Lane(slots=8, share=4, waiting=128)),
        ]
        self._lane_of = {handler: lane for handlers, lane in plan for handler in handlers}
        self._threads = CapacityLimiter(sum(lane.slots for _, lane in plan))  # no other request takes them

    async def run(self, route: Route, call: Call, request: Request) -> Response:
        """Run a handler in a thread, in its lane if it has one; raises what it raises, and Refused (503)."""
        lane = self._lane_of.get(route.handler)
        if lane is None:
            return await run_in_threadpool(_handle, route, call)
        host = request.client.host if request.client else ""
        async with lane.turn(f"user {call.user.name}" if call.user else f"host {host}"):
            return await run_sync(_handle, route, call, limiter=self._threads)


def _handle(route: Route, call: Call) -> Response:
    """Answer a request if its caller may do that, still after the body and the wait."""
    call.forget()
    authorize(call, route.needs)
    return route.handler(call)
