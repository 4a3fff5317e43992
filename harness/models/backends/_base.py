"""What each backend provides: a model ready to be asked about a test set, and what answers for it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeVar

from harness.data.records import AnswerKey, Prediction, TurnPair
from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.hub.artifact import Artifact
from harness.models.chat.chat_models import CONCURRENCY, ChatSettings
from harness.models.engine.arithmetic import Arithmetic
from harness.models.names import ModelName
from harness.models.parsing import Reading, families

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
SAMPLES, SAMPLING_SEED = "samples", "sampling_seed"
"""In a run's settings, where several answers were asked for: how many, and the seed that they were drawn with."""
SYSTEMS_REPLACED = "system_messages_replaced"
"""In a run's settings, where it is above 0: conversations in which the task's system message replaced another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Several answers to each pair, drawn at a temperature."""

    samples: int
    temperature: float | None
    """None: recorded answers, which are as they were drawn."""
    seed: int = 0

    @classmethod
    def chosen(
        cls, names: Sequence[ModelName], samples: int, temperature: float | None, seed: int | None
    ) -> Sampling | None:
        """Return how these models are sampled, None for one greedy answer; UsageError for what makes no sense."""
        if samples == 1 and temperature:
            raise UsageError(
                f"one answer at temperature {temperature:g} is a single draw; ask for several with --samples N, or "
                "leave out --temperature for the greedy answer"
            )
        if samples == 1 and seed is not None:
            raise UsageError("the greedy answer needs no --seed; leave it out, or add --samples N --temperature T")
        if samples == 1:
            return None
        recorded = [str(name) for name in names if name.backend == "replay"]
        if recorded and not (temperature is None and seed is None):
            raise UsageError(f"the samples in {recorded[0]} are drawn already; leave out --temperature and --seed")
        if len(recorded) < len(names) and not temperature:
            raise UsageError(
                f"--samples {samples} at temperature 0 would be one answer {samples} times; give a --temperature "
                "above 0, such as 0.7"
            )
        return cls(samples=samples, temperature=temperature, seed=seed or 0)

    @property
    def settings(self) -> dict[str, Any]:
        """Return what a run records of it, in place of temperature 0."""
        drawn = {} if self.temperature is None else {"temperature": self.temperature, SAMPLING_SEED: self.seed}
        return {**drawn, SAMPLES: self.samples}

    def seed_of(self, key: AnswerKey) -> int:
        """Return the seed of one answer, 31 bits; no two samples of a pair have the same."""
        pair_id, sample = key
        first = hashlib.sha256(f"{self.seed}:{pair_id}".encode("utf-8", "surrogatepass")).digest()
        return (int.from_bytes(first[:4], "big") + sample) % 2**31


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
    thinking: tuple[str | None, ...] = (None,)
    """What is asked of each model's thinking, in a run each: of `harness.models.prompts.thinking.SETTINGS`, or None,
    which is off where the template can."""
    thinking_tokens: int | None = None
    """Longest thinking; None: the default."""
    sampling: Sampling | None = None
    """None: one greedy answer."""
    replicas: int = 1
    """Engines of ours that answer for one model; like `concurrency` no part of the fingerprint."""
    replica_urls: tuple[str, ...] = ()
    """Further addresses of an endpoint's model."""

    @property
    def samples(self) -> int:
        """Answers to each pair."""
        return self.sampling.samples if self.sampling else 1

    @property
    def decoding(self) -> dict[str, Any]:
        """Return how answers are decoded, as the settings of a run record it."""
        return self.sampling.settings if self.sampling else {"temperature": 0}

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


def too_many_calls(pairs: Sequence[TurnPair], family: str | None) -> dict[str, str]:
    """Return why pairs whose references have several calls cannot be asked where a notation of calls holds one."""
    if family is None or not families()[family].single:
        return {}
    return {
        pair.id: f"the reference has {len(pair.calls)} calls, and the model's notation of calls ({family}) holds one"
        for pair in pairs
        if pair.further
    }


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

    def items(self, keys: Sequence[AnswerKey]) -> list[Any]:
        """Return what the backend is asked for these answers, in their order; `asked` has the first samples."""
        return [
            self.sampled(self.asked[pair_id], sample) if sample else self.asked[pair_id] for pair_id, sample in keys
        ]

    def sampled(self, item: Any, sample: int) -> Any:
        """Return what the backend is asked for another sample of a pair than the first."""
        return replace(item, sample=sample)

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
