"""Work that may take long: few at once, everybody in turn, and an end to how many wait."""

from __future__ import annotations

import asyncio

import pytest

from harness.hubd.errors import Refused
from harness.hubd.server.lanes import Lane


def run(lane: Lane, callers: list[str], *, cancel: int | None = None) -> list[str]:
    """Let callers ask at once, in this order, and return the order in which they were served."""
    served: list[str] = []

    async def ask(caller: str) -> None:
        async with lane.turn(caller):
            served.append(caller)
            await asyncio.sleep(0)

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(ask(caller)) for caller in callers]
        if cancel is not None:
            await asyncio.sleep(0)
            tasks[cancel].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(1), lane.turn("last"):
            pass

    asyncio.run(all_of_them())
    return served


def test_callers_take_turns():
    assert run(Lane(), ["a", "a", "a", "a", "b", "c", "b"]) == ["a", "b", "c", "a", "b", "a", "a"]


def test_one_caller_does_not_take_all_slots():
    assert run(Lane(slots=3, share=1), ["a", "a", "a", "b"])[:2] == ["a", "b"]


@pytest.mark.parametrize("number", range(4))
def test_who_leaves_holds_up_nobody(number):
    assert len(run(Lane(), ["a", "a", "b", "a"], cancel=number)) >= 3


def test_only_so_many_of_one_caller_wait():
    async def crowd() -> list[object]:
        lane = Lane(waiting=2)

        async def ask(caller: str) -> str:
            async with lane.turn(caller):
                await asyncio.sleep(0.01)
                return caller

        return await asyncio.gather(*(ask(caller) for caller in "aaaaab"), return_exceptions=True)

    served = asyncio.run(crowd())
    refused = [one for one in served if isinstance(one, Refused)]
    assert len(refused) == 2
    assert {one.status for one in refused} == {503}
    assert refused[0].headers == {"Retry-After": "5"}
    assert served[-1] == "b"
