"""What is in a file of traces: counts, tools used against tools known, lengths, languages, and what looks wrong."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from random import Random

from harness.curation.inspection.anomalies import DUPLICATE, SEVERAL_CALLS, SIGNS, TOO_LONG
from harness.curation.inspection.languages import language
from harness.curation.inspection.redaction import find_pii
from harness.data.events import Event, events
from harness.data.pipeline_records import Rating, TraceRow
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.tools import Toolbox
from harness.rules.teacher.rating import RulesRater
from harness.statistics.formatting import most_common_first

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
_SAMPLE = 500
"""Traces that are rated: enough to see a mixture, quick for any number of traces."""
_SHOWN = 5
_NO_TASK = Task(description="", tools=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """How one tool, or one name of a tool, is used."""

    name: str
    calls: int
    known: bool | None
    """Whether the task has it; None without a task."""
    unknown_arguments: dict[str, int]
    """Argument that the task's tool does not take -> calls with it."""
    missing_arguments: dict[str, int]
    """Required argument -> calls without it."""
    resembles: str | None = None
    """The task's tool that an unknown name may mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A file of traces, looked through."""

    rows: int
    unreadable: int
    problems: tuple[str, ...]
    """The first few rows that cannot be read, why."""
    rejected: int
    """Rows that an earlier stage has rejected."""
    roles: dict[str, int]
    kinds: dict[str, int]
    """Kind of event (`harness.data.events`) -> messages."""
    tools: tuple[ToolUse, ...]
    """Those of the traces by falling use, then those of the task that are never called."""
    messages: tuple[int, ...]
    """Messages of a conversation, at `QUANTILES`."""
    characters: tuple[int, ...]
    """Characters of a conversation, all texts and calls counted, at `QUANTILES`."""
    languages: dict[str, int]
    """Language of what users say, roughly -> conversations."""
    pii: dict[str, int]
    """Kind of personal data -> conversations that hold some."""
    odd: dict[str, int]
    """What is unusual (a name in `harness.curation.inspection.anomalies`) -> conversations."""
    noticed: dict[str, int]
    """What was left out, reordered or guessed while rows were read (the `check` of a finding) -> conversations."""
    rated: int
    relevance: dict[int, int]
    """Rating by rules -> traces of a sample; empty without a task."""
    coherence: dict[int, int]


def survey(rows: Iterable[TraceRow], task: Task | None, *, max_length: int = 20_000) -> Survey:
    """Return what is in the rows, one pass over them; memory does not grow with the conversations' lengths.

    `max_length` is in characters. Without a task nothing is known of tools and relevance.
    """
    tally = _Tally(task=task, max_length=max_length)
    for row in rows:
        tally.add(row)
    return tally.result()


@dataclass(slots=True)
class _Tally:
    task: Task | None
    max_length: int
    rows: int = 0
    unreadable: int = 0
    rejected: int = 0
    problems: list[str] = field(default_factory=list)
    roles: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    spoken: set[str] = field(default_factory=set)
    lengths: Counter[int] = field(default_factory=Counter)
    characters: Counter[int] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    pii: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    noticed: Counter[str] = field(default_factory=Counter)
    seen: set[bytes] = field(default_factory=set)
    ratings: list[Rating] = field(default_factory=list)
    toolbox: Toolbox = field(init=False)
    rater: RulesRater | None = field(init=False)
    parallel: bool = field(init=False)
    """Whether a turn may have several calls."""

    def __post_init__(self) -> None:
        self.toolbox = Toolbox((self.task or _NO_TASK).tools)
        self.rater = RulesRater(self.task) if self.task else None
        self.parallel = self.task is not None and self.task.parallel_tool_calls

    def add(self, row: TraceRow) -> None:
        """Count one row."""
        position, self.rows = self.rows, self.rows + 1
        if row.problem is not None:
            self.unreadable += 1
            if len(self.problems) < _SHOWN:
                self.problems.append(row.problem)
            return
        self.rejected += not row.kept
        self.noticed.update({finding.check for finding in row.findings})
        conversation = row.conversation
        told = events(conversation.messages, self.toolbox)
        self.roles.update(message.role for message in conversation.messages)
        self.kinds.update(event.kind for event in told)
        for event in told:
            if event.call is not None and event.is_turn:
                self._call(event.call, spoken=event.kind == "reply")
        for message in conversation.messages if self.parallel else ():
            for call in message.tool_calls if len(message.tool_calls) > 1 else ():
                self._call(call, spoken=self.toolbox.reply_text(call) is not None)
        texts = [text for message in conversation.messages for text in _texts(message)]
        self.lengths[len(told)] += 1
        self.characters[sum(map(len, texts))] += 1
        self.languages[language([event.text for event in told if event.kind == "user"])] += 1
        self.pii.update(set(find_pii(conversation)))
        self.odd.update(self._oddities(conversation, told, texts))
        self._rate(position, conversation)

    def _call(self, call: ToolCall, *, spoken: bool) -> None:
        self.calls[call.name] += 1
        if spoken:
            self.spoken.add(call.name)
        if self.task is not None and call.name in self.toolbox:
            known = self.toolbox.parameters(call.name)
            self.unknown.update((call.name, key) for key in call.arguments if known and key not in known)
            self.missing.update(
                (call.name, key) for key, one in known.items() if one.required and key not in call.arguments
            )

    def _oddities(self, conversation: Conversation, told: Sequence[Event], texts: Sequence[str]) -> set[str]:
        found = {sign.name for sign in SIGNS if sign.holds(told, conversation.messages)}
        found -= {SEVERAL_CALLS} if self.parallel else set()
        digest = hashlib.blake2b("\0".join(texts).encode(errors="replace"), digest_size=8).digest()
        if digest in self.seen:
            found.add(DUPLICATE)
        self.seen.add(digest)
        return found | ({TOO_LONG} if sum(map(len, texts)) > self.max_length else set())

    def _rate(self, position: int, conversation: Conversation) -> None:
        """Keep the ratings of a uniform sample (reservoir sampling), drawn by position."""
        if self.rater is None or not conversation.messages:
            return
        place = Random(f"survey:{position}").randrange(position + 1)  # noqa: S311 - a sample, not a secret
        if len(self.ratings) < _SAMPLE:
            self.ratings.append(self.rater.rating(conversation))
        elif place < _SAMPLE:
            self.ratings[place] = self.rater.rating(conversation)

    def result(self) -> Survey:
        """Return what was counted."""
        return Survey(
            rows=self.rows,
            unreadable=self.unreadable,
            problems=tuple(self.problems),
            rejected=self.rejected,
            roles=most_common_first(self.roles),
            kinds=most_common_first(self.kinds),
            tools=self._tools(),
            messages=_quantiles(self.lengths),
            characters=_quantiles(self.characters),
            languages=most_common_first(self.languages),
            pii=most_common_first(self.pii),
            odd=most_common_first(self.odd),
            noticed=most_common_first(self.noticed),
            rated=len(self.ratings),
            relevance=dict(sorted(Counter(one.relevance or 0 for one in self.ratings).items())),
            coherence=dict(sorted(Counter(one.coherence or 0 for one in self.ratings).items())),
        )

    def _tools(self) -> tuple[ToolUse, ...]:
        used = sorted(self.calls, key=lambda name: (-self.calls[name], name))
        unused = [name for name in self.toolbox.names if name not in self.calls]
        return tuple(self._tool(name) for name in [*used, *unused])

    def _tool(self, name: str) -> ToolUse:
        known = None if self.task is None else name in self.toolbox
        return ToolUse(
            name=name,
            calls=self.calls[name],
            known=known,
            unknown_arguments={key: number for (tool, key), number in sorted(self.unknown.items()) if tool == name},
            missing_arguments={key: number for (tool, key), number in sorted(self.missing.items()) if tool == name},
            resembles=self._near(name) if known is False else None,
        )

    def _near(self, name: str) -> str | None:
        if name in self.spoken:
            return self.toolbox.reply.tool
        plain = {_plain(known): known for known in self.toolbox.names}
        near = get_close_matches(_plain(name), list(plain), n=1, cutoff=0.6)
        return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def _texts(message: Message) -> Iterable[str]:
    """Yield what a message says and calls, which tells messages apart and is as long as they are, about."""
    yield message.content or ""
    for call in message.tool_calls:
        yield call.name
        yield str(call.arguments)


def _quantiles(counts: Mapping[int, int]) -> tuple[int, ...]:
    """Return the values at `QUANTILES` (nearest rank); empty for nothing counted."""
    values, total = sorted(counts), sum(counts.values())
    if not total:
        return ()
    found, below, position = [], 0, 0
    for quantile in QUANTILES:
        rank = max(1, round(quantile * total))
        while below + counts[values[position]] < rank:
            below += counts[values[position]]
            position += 1
        found.append(values[position])
    return tuple(found)
