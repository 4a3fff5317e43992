"""What exports have in common whose records say only together what a conversation was: each holds all said so far."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from harness.data.pipeline_records import Finding
from harness.data.prefixes import Prefixes
from harness.data.records import Message
from harness.data.traces.json_document import FileRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedConversation:
    """One conversation as it was logged at one moment, or why it cannot be read."""

    id: str
    session: str
    """Conversations of one session may be the same one, logged again with every turn."""
    line: int
    file: Path = Path()
    messages: tuple[Message, ...] = ()
    tools: tuple[Any, ...] = ()
    """Definitions of tools, as they were logged."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """What else the record says of it, see `columns_of`."""
    findings: tuple[Finding, ...] = ()
    """What was noticed while it was read."""
    problem: str | None = None
    """Why it cannot be read; of one that a size limit has cut, `messages` are those before the cut."""


Again = Callable[[Container[int]], Iterator[FileRecord]]
"""Reads an export once more: the records at those places at least, in the same order."""


class ExportReader(Protocol):
    """Reads files whose records say only together what its conversations are."""

    words: str
    """The layout."""
    record: str
    """What a record is called."""
    parallel: bool
    """Whether several calls of a turn stay together."""

    def add(self, record: FileRecord) -> bool:
        """Take one record of a file; False for a value that is none of this export."""
        ...

    def conversations(self, again: Again) -> Iterable[LoggedConversation]:
        """Return what all records said, each conversation once."""
        ...

    def nothing(self) -> str:
        """Return what was found instead, and what to export, where there is no conversation in the whole file."""
        ...


def whole_conversations(logged: Iterable[LoggedConversation]) -> list[LoggedConversation]:
    """Return the conversations of which no other one of the same session is a continuation, in the order of the file.

    A chat agent logs its whole history with every turn, so that all but the last are beginnings of it. A size limit
    cuts what is longer than all that it leaves whole: where it has cut the last turn, the earlier ones are beginnings
    of that, and what cannot be read stands for all of them.
    """
    groups: dict[str, list[LoggedConversation]] = {}
    kept: list[LoggedConversation] = []
    for one in logged:
        if one.problem:
            kept.append(one)
        if one.messages or not one.problem:
            groups.setdefault(one.session, []).append(one)
    for group in groups.values():
        prefixes, begun = Prefixes(), set[int]()
        cut = {number for one in group if one.problem for number in prefixes.of(one.messages)[1:]}
        whole = (one for one in group if not one.problem)
        for one in sorted(whole, key=lambda one: -len(one.messages)):  # stable: earlier ones first
            beginnings = prefixes.of(one.messages)
            ends = {beginnings[-1], prefixes.of(as_continued(one.messages))[-1]}
            if not ends & begun and not {*ends, *beginnings[-2:-1]} & cut:  # its answer may be behind the cut
                kept.append(one)
                begun.update(beginnings)
    return sorted(kept, key=lambda one: (one.file, one.line))


def as_continued(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return how a conversation stands in its continuation: of calls in parallel, the first comes before its result."""
    if not messages or len(messages[-1].tool_calls) < 2:
        return messages
    return (*messages[:-1], replace(messages[-1], tool_calls=messages[-1].tool_calls[:1]))
