"""How tools are used in traces: each call's arguments, its result, and which keys of it repeat an argument.

For example, the argument `town="Reno"` is tied to the key `city` if all rows of its results have `city: Reno`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from harness.data.canonical import canonical_value
from harness.data.events import events
from harness.data.records import Conversation, ToolCall
from harness.data.tools import Toolbox

_ROWS = 30
"""Of a longer result the first rows say enough."""
_MISS, _FLAG_MISS = 0.5, 3.0
"""A result may differ from what was asked for (another time was free); a flag agrees half the time by chance."""
_SENTENCE = 4
"""Number of spaces from which on a text is a sentence and no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One call, and what followed."""

    position: int
    """Of the message."""
    call: ToolCall
    answer: str
    """`result`, `user`, or empty where the conversation ends or the assistant goes on."""
    rows: tuple[Mapping[str, Any], ...]

    @property
    def says(self) -> bool:
        """Whether the call addresses the user: no result follows, and its only argument is a text, or one is a
        sentence."""
        values = list(self.call.arguments.values())
        return self.answer != "result" and (self.long or (len(values) == 1 and isinstance(values[0], str)))

    @property
    def long(self) -> bool:
        """Whether an argument is a sentence."""
        return any(isinstance(value, str) and value.count(" ") >= _SENTENCE for value in self.call.arguments.values())


@dataclass(slots=True, kw_only=True)
class ArgumentUsage:
    """What is known of one argument: its values, and how often a key of the result repeats it."""

    values: Counter[str] = field(default_factory=Counter)
    """By canonical text."""
    results: float = 0.0
    """Calls with rows."""
    ties: dict[str, float] = field(default_factory=dict)
    """Key of the rows -> sum of shares: 1 where it alone is equal in all rows, a half where two keys are, ..."""
    misses: dict[str, float] = field(default_factory=dict)
    """Key of the rows -> weighted sum of the shares of rows in which it differs."""

    def add(self, other: ArgumentUsage, weight: float) -> None:
        """Add the counts of another, weighted; values are added once each."""
        self.values.update(other.values if weight >= 1 else dict.fromkeys(other.values, 1))
        self.results += weight * other.results
        for mine, theirs in ((self.ties, other.ties), (self.misses, other.misses)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0.0) + weight * count

    def tie(self, key: str) -> float:
        """Return how surely a key of the results holds the values: up to 1, negative where it differs, 0.0 unknown."""
        if not self.results:
            return 0.0
        return (self.ties.get(key, 0.0) - self.misses.get(key, 0.0)) / (self.results + 0.5)

    def tied_keys(self) -> Iterator[tuple[str, float]]:
        """Yield the keys that repeat the values, and how surely."""
        return ((key, self.tie(key)) for key in sorted(self.ties) if self.tie(key) > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The calls of one old tool in one conversation (or, pooled, in all)."""

    name: str
    found: tuple[Use, ...]
    evidence: Mapping[str, ArgumentUsage]

    @property
    def share_said(self) -> float:
        """Share of the calls that address the user, minus the share of those with a result."""
        said = sum(use.says and (use.long or use.answer == "user") for use in self.found)
        return (said - sum(use.answer == "result" for use in self.found)) / len(self.found)


def grouped(found: Sequence[Use], open_values: Container[str]) -> dict[str, Group]:
    """Return the calls by tool, in the order of their first call; `open_values` are no evidence for an argument."""
    by_name: dict[str, list[Use]] = {}
    for use in found:
        by_name.setdefault(use.call.name, []).append(use)
    return {
        name: Group(name=name, found=tuple(some), evidence=_evidence(some, open_values))
        for name, some in by_name.items()
    }


def uses(conversation: Conversation, toolbox: Toolbox) -> list[Use]:
    """Return the calls of a conversation in order, replies without a tool included."""
    sequence = events(conversation.messages, toolbox)
    found: list[Use] = []
    for event, after in zip_longest(sequence, sequence[1:]):
        answer = after.kind if after is not None and after.kind in ("result", "user") else ""
        rows = after.rows[:_ROWS] if after is not None else ()
        calls = (event.call,) if event.call is not None else conversation.messages[event.position].tool_calls
        found += [Use(position=event.position, call=call, answer=answer, rows=rows) for call in calls]
    return found


def _evidence(found: Sequence[Use], open_values: Container[str]) -> dict[str, ArgumentUsage]:
    gathered: dict[str, ArgumentUsage] = {}
    for use in found:
        columns = _columns(use.rows)
        for key, value in use.call.arguments.items():
            evidence = gathered.setdefault(key, ArgumentUsage())
            text = canonical_value(value, None)
            if text in open_values:
                continue
            evidence.values[text] += 1
            if columns:
                _tie(evidence, text, columns)
    return gathered


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    for row in rows:
        for key, value in row.items():
            if not isinstance(value, dict | list):
                columns.setdefault(key, []).append(canonical_value(value, None))
    return columns


def _tie(evidence: ArgumentUsage, text: str, columns: Mapping[str, list[str]]) -> None:
    evidence.results += 1
    against = _FLAG_MISS if text in ("true", "false") else _MISS
    shares = {key: column.count(text) / len(column) for key, column in columns.items()}
    whole = [key for key, share in shares.items() if share == 1.0]
    for key, share in shares.items():
        if share == 1.0:
            evidence.ties[key] = evidence.ties.get(key, 0.0) + 1 / len(whole)
        else:
            evidence.misses[key] = evidence.misses.get(key, 0.0) + against * (1 - share)
