"""What every backend answers, and the bounded asking of those that are asked one item at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from harness.data.records import Prediction

NOT_ASKED = "not_asked"
"""The finish reason of a pair that the model cannot be asked, on this try or any other."""

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
OnAnswer = Callable[[Prediction], None]


class Backend(Protocol[Item_contra]):
    """What answers. Failures of single answers are predictions with an error."""

    def ask(self, items: Sequence[Item_contra], on_answer: OnAnswer, /) -> None:
        """Call `on_answer` once for each item, as answers come, after which nothing more is asked.

        The first exception (the engine died, the disk is full) stops the rest and is raised.
        """


async def ask_each(
    items: Sequence[Item], answer: Callable[[Item], Awaitable[Prediction]], on_answer: OnAnswer, *, concurrency: int
) -> None:
    """Await `answer` for every item, in order, at most `concurrency` at a time; see `Backend.ask`."""
    queue = iter(items)

    async def work() -> None:
        for item in queue:  # one shared iterator: each item goes to one worker
            on_answer(await answer(item))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(items))):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
