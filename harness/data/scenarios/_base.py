"""The nouns of the scenarios: the clean dialogues they draw from, and what a scenario is."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.data.formats.sgd import Trace, parse_dialogues
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sources import Sources

Arm = Literal["tft", "direct"]
ARMS: tuple[Arm, ...] = ("tft", "direct")

SEED = 42
"""Every scenario starts its own stream here."""
CLEAN_FRACTION: dict[Arm, float] = {"tft": 0.1, "direct": 0.0}
"""Share of conversations that the noisy scenarios leave as they are: the two arms do not see the same data."""

_BASE_SEED = 123
_HELD_OUT = 40
_SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanTraces:
    """The clean traces, in the order the scenarios draw from."""

    held_out: tuple[Trace, ...]
    """40 Restaurants_1 dialogues; the published test set was made from 34 of them."""
    restaurants: tuple[Trace, ...]
    """The other 327 Restaurants_1 dialogues, shuffled."""
    other_restaurants: tuple[Trace, ...]
    """146 Restaurants_2 dialogues, in source order: another schema for the same service."""
    hotels: tuple[Trace, ...]
    """142 Hotels_1 dialogues, in source order."""


Build = Callable[[CleanTraces, Arm], list[Trace]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario of the benchmark."""

    number: int
    slug: str
    build: Build
    """Returns the traces of one arm, in the order of the published file."""
    pandas: bool = False
    """Whether the published traces file was written by pandas (see `wire.published.dump_trace`)."""

    @property
    def folder(self) -> str:
        """The name of its folder in the published repository."""
        return f"scenario-{self.number}-{self.slug}"

    def conversations(self, dialogues: CleanTraces, arm: Arm) -> list[Conversation]:
        """Return the traces of one arm as dataset conversations, `s2-tft-0007` the eighth of the file."""
        return [
            replace(trace.conversation, id=f"s{self.number}-{arm}-{position:04d}")
            for position, trace in enumerate(self.build(dialogues, arm))
        ]


def dialogue_files(sources: Sources) -> list[str]:
    """Return the declared dialogue files in the order of the published lists: train, dev, test, then by name."""
    names = [path for path in sources.files if path.startswith("sgd/") and "/dialogues_" in path]
    return sorted(names, key=lambda path: (_SPLITS.index(path.split("/")[1]), path))


def read_dialogues(sources: Sources) -> CleanTraces:
    """Read the clean traces; SourceError where a file is not the pinned one."""
    by_service: dict[str, list[Trace]] = {"Restaurants_1": [], "Restaurants_2": [], "Hotels_1": []}
    for path in dialogue_files(sources):
        for trace in parse_dialogues(sources.read(path), split=path.split("/")[1], where=path):
            by_service.get(trace.service, []).append(trace)
    shuffled = by_service["Restaurants_1"]
    random.Random(_BASE_SEED).shuffle(shuffled)  # noqa: S311 - the published stream, not a secret
    return CleanTraces(
        held_out=tuple(shuffled[:_HELD_OUT]),
        restaurants=tuple(shuffled[_HELD_OUT:]),
        other_restaurants=tuple(by_service["Restaurants_2"]),
        hotels=tuple(by_service["Hotels_1"]),
    )


def published_stream() -> random.Random:
    """Return the generator that every scenario starts with."""
    return random.Random(SEED)  # noqa: S311 - the published stream, not a secret


def map_calls(trace: Trace, change: Callable[[ToolCall], ToolCall]) -> Trace:
    """Return the trace with `change` applied to each assistant call, in order; all other messages stay."""
    messages = [
        replace(message, tool_calls=tuple(change(call) for call in message.tool_calls))
        if message.tool_calls
        else message
        for message in trace.conversation.messages
    ]
    return with_messages(trace, messages)


def with_messages(trace: Trace, messages: Sequence[Message]) -> Trace:
    """Return the trace with other messages."""
    return replace(trace, conversation=replace(trace.conversation, messages=tuple(messages)))
