"""Several engines or endpoints that answer for one model: whole conversations go to one of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from harness.data.records import Prediction, TurnPair
from harness.models.backends._base import OnAnswer
from harness.models.backends._vllm_client import VllmBackend


class Replica(Protocol):
    """One of them, asked beside others on one event loop."""

    async def asking(self, items: Sequence[Any], on_answer: OnAnswer, /) -> None:
        """See `Backend.ask`."""

    async def answer(self, item: Any, /) -> Prediction:
        """See `Backend.answer`."""


class Replicas:
    """Backends that share out what is asked."""

    def __init__(self, replicas: Sequence[Replica], home: Callable[[Any], int]) -> None:
        """`home` says by its number which of them answers an item."""
        self._replicas = replicas
        self._home = home

    def ask(self, items: Sequence[Any], on_answer: OnAnswer, /) -> None:
        """Ask all at once. Where one fails, the others go on to their end, and then its exception is raised."""
        shares: list[list[Any]] = [[] for _ in self._replicas]
        for item in items:
            shares[self._home(item)].append(item)
        asyncio.run(self._ask(shares, on_answer))

    async def _ask(self, shares: Sequence[Sequence[Any]], on_answer: OnAnswer) -> None:
        asked = (one.asking(share, on_answer) for one, share in zip(self._replicas, shares, strict=True))
        for problem in await asyncio.gather(*asked, return_exceptions=True):
            if problem is not None:
                raise problem

    async def answer(self, item: Any, /) -> Prediction:
        """See `Backend.answer`."""
        return await self._replicas[self._home(item)].answer(item)


def sharing_out(
    backends: Sequence[VllmBackend], pairs: Sequence[TurnPair], lengths: Mapping[str, int]
) -> VllmBackend | Replicas:
    """Return what asks several engines, each for whole conversations (see `homes`); one engine is asked itself."""
    if len(backends) == 1:
        return backends[0]
    home = homes(pairs, lengths, len(backends))
    return Replicas(backends, lambda prompt: home[prompt.pair_id])


def homes(pairs: Sequence[TurnPair], lengths: Mapping[str, int], replicas: int) -> dict[str, int]:
    """Return the replica of each pair: that of its conversation, so that the prompts before stay in its cache.

    `lengths` are those of the prompts, by pair. The longest conversation goes first, each to the replica with the least
    so far; equal ones keep the test set's order.
    """
    totals: defaultdict[str, int] = defaultdict(int)
    for pair in pairs:
        totals[pair.conversation] += lengths[pair.id]
    loads, chosen = [0] * replicas, {}
    for conversation in sorted(totals, key=lambda name: -totals[name]):
        chosen[conversation] = loads.index(min(loads))
        loads[chosen[conversation]] += totals[conversation]
    return {pair.id: chosen[pair.conversation] for pair in pairs}
