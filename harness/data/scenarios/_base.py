"""What scenarios are made of: the clean dialogues, the record of a scenario, and the counts for its card."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from harness.data.formats.sgd import Trace, parse_dialogues
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sources import Sources, locate

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
    """Whether the published traces file was written by pandas (see `harness.data.formats.published.dump_trace`)."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFacts:
    """Counts over the traces of one arm. A call is changed where it differs from the one in its dialogue."""

    conversations: int
    messages: int
    calls: int
    changed_calls: int
    changed_names: int
    """Changed calls whose function name is another one."""
    unchanged_conversations: int
    """Conversations that are word for word those of the source."""
    function_names: int
    parameter_names: int
    ending_with_user: int
    """Conversations whose last message is the user's, so that Direct training has no call to learn there."""


def original_calls(dialogues: CleanTraces) -> dict[str | None, ToolCall]:
    """Return the calls of all dialogues by id."""
    return {call.id: call for trace in _all(dialogues) for call in trace.calls}


def measure(traces: Sequence[Trace], dialogues: CleanTraces) -> TraceFacts:
    """Return the facts of a scenario's traces, compared with the dialogues they come from."""
    originals = original_calls(dialogues)
    sources = {(trace.service, trace.conversation.source): trace.conversation.messages for trace in _all(dialogues)}
    calls = [call for trace in traces for call in trace.calls]
    changed = [call for call in calls if call != originals[call.id]]
    return TraceFacts(
        conversations=len(traces),
        messages=sum(len(trace.conversation.messages) for trace in traces),
        calls=len(calls),
        changed_calls=len(changed),
        changed_names=sum(call.name != originals[call.id].name for call in changed),
        unchanged_conversations=sum(
            trace.conversation.messages == sources[trace.service, trace.conversation.source] for trace in traces
        ),
        function_names=len({call.name for call in calls}),
        parameter_names=len({key for call in calls for key in call.arguments}),
        ending_with_user=sum(trace.conversation.messages[-1].role == "user" for trace in traces),
    )


def transitions(traces: Sequence[Trace], dialogues: CleanTraces) -> list[tuple[str, str, int]]:
    """Return (function of the source, function now, changed calls), sorted by both names."""
    originals = original_calls(dialogues)
    counts = Counter(
        (originals[call.id].name, call.name) for trace in traces for call in trace.calls if call != originals[call.id]
    )
    return [(before, after, count) for (before, after), count in sorted(counts.items())]


def _all(dialogues: CleanTraces) -> tuple[Trace, ...]:
    return (*dialogues.held_out, *dialogues.restaurants, *dialogues.other_restaurants, *dialogues.hotels)


@lru_cache(maxsize=1)
def clean_traces(folder: Path) -> CleanTraces:
    """Return the dialogues of the source files in a folder; SourceError where one is not the pinned one."""
    return read_dialogues(locate(folder))
