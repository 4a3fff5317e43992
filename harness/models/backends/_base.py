"""What each backend provides: a model ready to be asked about a test set, and what answers for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeVar

from harness.data.records import Prediction
from harness.data.tasks import TestSet
from harness.hub.artifact import Artifact
from harness.models.chat.chat_models import CONCURRENCY, ChatSettings
from harness.models.engine.arithmetic import Arithmetic
from harness.models.names import ModelName
from harness.models.parsing import Reading

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

    async def answer(self, item: Item_contra, /) -> Prediction:
        """Return the answer to one item, for who asks one at a time; what answers stays up for more."""


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


MAX_TOKENS = 256
"""Longest answer of an evaluated model, where nothing else is said."""

DAY = "date"
"""In a run's settings, where the chat template asks for the day."""
SYSTEMS_REPLACED = "system_messages_replaced"
"""In a run's settings, where it is above 0: conversations in which the task's system message replaced another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """What the user chose for an evaluation."""

    asking: ChatSettings = field(default_factory=ChatSettings)
    """Its `concurrency` does not change answers, so it is no part of the fingerprint."""
    trust_remote_code: bool = False
    tool_choice: str = "required"
    day: date | None = None
    """The day that chat templates take for today; None: that of the first run."""
    base: ModelName | None = None
    """The model that those to evaluate are adapters of; None: they stand on their own."""
    with_base: bool = False
    """Whether that one is the last of those to evaluate."""
    arithmetic: Arithmetic | None = None
    """In what our engine computes; None: the default."""

    @property
    def max_tokens(self) -> int:
        """Longest answer, in tokens."""
        return self.asking.max_tokens or MAX_TOKENS

    @property
    def concurrency(self) -> int:
        """Questions under way at once."""
        return self.asking.concurrency or CONCURRENCY


def replaced_systems(test_set: TestSet) -> dict[str, int]:
    """Return how many conversations had a system message of their own, as a run records it: nothing where none had."""
    return {SYSTEMS_REPLACED: test_set.replaced} if test_set.replaced else {}


class EvaluatedModel:
    """A model ready to be asked. Each backend has its own kind."""

    artifact: Artifact | None = None
    base: Artifact | None = None
    """What the artifact is an adapter of; None where it stands on its own."""
    base_model: str | None = None
    content = ""
    """What a lineage has after the name where that does not say which it is: `@sha256:` and the hash of a file."""
    settings: dict[str, Any]
    """What was chosen about its answers: with the inputs it makes the fingerprint."""

    # Known once the prompts are made.
    asked: dict[str, Any]
    """Pair id -> what the backend is asked, in the pairs' order."""
    details: dict[str, Any]
    """What followed from the model itself, for the record."""
    family: str | None = None
    """Its notation of tool calls, where its chat template tells."""
    prompt_hashes: list[str]
    """SHA-256 of what is sent for each pair, in the pairs' order; empty where nothing is sent."""

    def asks_for_day(self) -> bool:
        """Return whether what is sent depends on the day."""
        return False

    def use_day(self, day: date) -> None:
        """Take a day for today in what is sent, and record it."""
        del day

    def make_prompts(self) -> None:
        """Make what is sent for each pair. `backend` does it too, while an engine starts."""

    def unaskable(self) -> list[Prediction]:
        """Return a prediction with an error for each pair that this model cannot be asked."""
        return []

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        """Return what the backend is asked for these pairs, in the test set's order."""
        wanted = set(pair_ids)
        return [item for pair_id, item in self.asked.items() if pair_id in wanted]

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        """Start what answers, by default the model itself, and stop it in the end; an engine writes to `log`."""
        del log
        yield self

    def ask(self, items: Sequence[Any], on_answer: OnAnswer, /) -> None:
        """See `Backend.ask`; only for models that are their own backend."""
        raise NotImplementedError

    async def answer(self, item: Any, /) -> Prediction:
        """See `Backend.answer`; for models that are their own backend and have the answer at hand."""
        found: list[Prediction] = []
        self.ask([item], found.append)
        return found[0]

    def second_reading(self, texts: Sequence[str]) -> tuple[str, list[Reading]] | None:
        """Return the engine's own parser and its reading of each text, where there is one."""
        del texts
        return None
