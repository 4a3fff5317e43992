"""Service calls with what they returned, and how results are laid out."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.data.events import Event
from harness.data.records import Conversation, ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A service call, and what came of it."""

    call: ToolCall
    rows: tuple[dict[str, Any], ...]
    value: Any
    """The result as JSON; None where the trace shows none."""
    position: int
    """Of the call's message."""
    said: str
    """What the user had said by then."""
    heard: str
    """What the agent had said by then."""
    asked: str
    """What the agent had said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLayout:
    """How results are written."""

    role: Literal["user", "tool"]
    """Whose messages results are."""
    wrappers: Mapping[str, str]
    """Tool -> key of an object that holds its rows."""
    single: frozenset[str]
    """Tools whose result is one object and no list."""


def exchanges_of(history: Sequence[Event]) -> Iterator[Exchange]:
    """Yield the service calls of a conversation, in order."""
    for position, (event, after) in enumerate(itertools.zip_longest(history, history[1:])):
        if event.kind != "call" or event.call is None:
            continue
        result = after if after is not None and after.kind == "result" else None
        yield Exchange(
            call=event.call,
            rows=_flat(result) if result else (),
            value=result.value if result else None,
            position=position,
            said="\n".join(one.text for one in history[:position] if one.kind == "user"),
            heard="\n".join(one.text for one in history[:position] if one.kind == "reply"),
            asked=next((one.text for one in reversed(history[:position]) if one.kind == "reply"), ""),
        )


def layout_of(exchanges: Sequence[Exchange], conversations: Sequence[Conversation]) -> ResultLayout:
    """Return how these conversations write results."""
    wrappers = {each.call.name: key for each in exchanges if (key := _wrapper(each.value))}
    objects = {each.call.name for each in exchanges if isinstance(each.value, dict)}
    tools = any(message.role == "tool" for each in conversations for message in each.messages)
    role: Literal["user", "tool"] = "tool" if tools else "user"
    return ResultLayout(role=role, wrappers=wrappers, single=frozenset(objects - wrappers.keys()))


def links_of(histories: Sequence[tuple[Sequence[Event], Sequence[Exchange]]]) -> dict[tuple[str, str], str]:
    """Return which arguments take their values from a column of the result before that has another name."""
    votes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for _, exchanges in histories:
        for before, after in itertools.pairwise(exchanges):
            for key, value in after.call.arguments.items():
                rows = before.rows
                if rows and before.call.name != after.call.name and not any(key in row for row in rows):
                    found = {column for row in rows for column in row if str(row[column]) == str(value)}
                    votes[after.call.name, key].update(found - before.call.arguments.keys() or {""})
    best = {place: max(sorted(counted), key=lambda name: counted[name]) for place, counted in votes.items()}
    return {place: column for place, column in best.items() if column}


def _flat(result: Event) -> tuple[dict[str, Any], ...]:
    """Return the rows of a result; where it is an object around a list of objects, those."""
    key = _wrapper(result.value)
    return tuple(row for row in result.value[key] if isinstance(row, dict)) if key else result.rows


def _wrapper(value: Any) -> str | None:
    """Return the key of an object under which its rows are."""
    if not isinstance(value, dict):
        return None
    lists = {key: inner for key, inner in value.items() if isinstance(inner, list)}
    return next((str(key) for key, inner in lists.items() if all(isinstance(one, dict) for one in inner)), None)
