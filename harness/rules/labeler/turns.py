"""Conversations as the labelers read them: what was said before a turn, what it returned, what comes after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from harness.data.events import Event, events
from harness.data.pipeline_records import Rewrite
from harness.data.records import Conversation, ToolCall
from harness.data.tools import Toolbox

Key = tuple[int, int]
Label = tuple[ToolCall | None, str]
"""A turn's label, None where nothing determines it, and why it differs from the trace."""
Follows = Literal["result", "user", "turn", "end"]
OUT_OF_CONTEXT = 0.5
"""Score from which on a reply counts as out of context."""
_MOST_VIOLATIONS = 0.25
_FEW_MESSAGES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelerDialogue:
    """A conversation as events."""

    number: int
    """In the batch: ids may repeat."""
    id: str
    events: tuple[Event, ...]
    distrusted: frozenset[int] = frozenset()
    """Positions of replies that are not to be learned from."""

    def said_before(self, position: int) -> Iterator[Event]:
        """Yield what user and agent said before a message, the latest first."""
        for event in reversed(self.events[:position]):
            if event.kind == "user" or (event.kind == "reply" and event.position not in self.distrusted):
                yield event

    def said_next(self, position: int) -> Event | None:
        """Return the agent's reply to the result of the turn at `position`, None where there is none."""
        event = self.events[position + 2] if position + 2 < len(self.events) else None
        return event if event and event.kind == "reply" and event.position not in self.distrusted else None

    @property
    def in_order(self) -> bool:
        """Whether the messages can have been exchanged in this order; shuffled ones break every second step."""
        kinds = ["turn" if event.is_turn else event.kind for event in self.events if event.kind != "system"]
        if len(kinds) < _FEW_MESSAGES:
            return True
        wrong = {("user", "user"), ("result", "result"), ("result", "user"), ("user", "result"), ("turn", "turn")}
        steps = list(zip(["turn", *kinds], [*kinds, "user"], strict=True))
        return sum(step in wrong for step in steps[:-1]) <= _MOST_VIOLATIONS * len(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelerTurn:
    """An assistant turn, what the trace says that it was, and what followed."""

    dialogue: LabelerDialogue
    position: int
    raw: ToolCall
    raw_reply: bool
    """Whether the trace labels the turn as a reply to the user."""
    follows: Follows
    result: Event | None

    @property
    def key(self) -> Key:
        """Number of the conversation and position of the message."""
        return self.dialogue.number, self.position

    @property
    def order(self) -> tuple[str, int]:
        """Where the turn comes in an order that does not depend on the batch's."""
        return self.dialogue.id, self.position

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """The objects that the call returned."""
        return self.result.rows if self.result else ()


def dialogues_of(
    conversations: Sequence[Conversation], toolbox: Toolbox, distrusted: Mapping[tuple[str, int], float] | None = None
) -> list[LabelerDialogue]:
    """Return one dialogue for each conversation; `distrusted` gives replies (id, position) that were found foreign."""
    foreign: dict[str, set[int]] = {}
    for (name, position), score in (distrusted or {}).items():
        if score >= OUT_OF_CONTEXT:
            foreign.setdefault(name, set()).add(position)
    return [
        LabelerDialogue(
            number=number,
            id=conversation.id,
            events=events(conversation.messages, toolbox),
            distrusted=frozenset(foreign.get(conversation.id, ())),
        )
        for number, conversation in enumerate(conversations)
    ]


def turns_of(dialogue: LabelerDialogue) -> list[LabelerTurn]:
    """Return the turns of a dialogue, in order."""
    found = []
    for event, after in zip_longest(dialogue.events, dialogue.events[1:]):
        if event.call is None or not event.is_turn:
            continue
        kind = "end" if after is None else after.kind
        follows: Follows = kind if kind in ("end", "result", "user") else "turn"
        found.append(
            LabelerTurn(
                dialogue=dialogue,
                position=event.position,
                raw=event.call,
                raw_reply=event.kind == "reply",
                follows=follows,
                result=after if follows == "result" else None,
            )
        )
    return found


def rewrite(id: str, labeler: str, labels: Sequence[Label]) -> Rewrite:
    """Return a labeler's rewrite of one conversation."""
    return Rewrite(
        id=id, labeler=labeler, calls=tuple(call for call, _ in labels), reasons=tuple(reason for _, reason in labels)
    )


def constants(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the keys that have one and the same plain value in all rows, values as text."""
    if not rows:
        return {}
    first = {key: str(value) for key, value in rows[0].items() if isinstance(value, str | int | float)}
    return {key: value for key, value in first.items() if all(str(row.get(key)) == value for row in rows[1:])}
