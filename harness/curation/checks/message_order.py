"""Checks of the order of messages: who speaks when, where it begins and ends, how long it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from pydantic import PositiveInt

from harness.data.events import Event, Kind
from harness.data.formats.strict_records import FrozenModel
from harness.data.pipeline_records import Finding, Severity
from harness.data.records import Conversation, Message, ToolCall
from harness.data.tools import Toolbox


class CheckConfig(FrozenModel):
    """What the checks take as given."""

    strict: bool = False
    """For what is about to be trained on, synthetic or relabelled: what is repairable elsewhere is rejected here."""
    max_length: PositiveInt = 20_000
    """Characters of all texts and calls of a conversation; the benchmark's own setting."""
    max_message: PositiveInt = 10_000
    """Characters of one message, from which on it is worth a note."""
    max_messages: PositiveInt = 200
    parallel: bool = False
    """Whether a turn may have several calls."""
    consistency: bool = True
    """Whether results are compared with calls and replies with results: most of the time that the checks take."""


_WHAT: dict[Kind, str] = {
    "system": "a system message",
    "user": "a user message",
    "reply": "a reply",
    "call": "a service call",
    "result": "a tool result",
    "empty": "an assistant message",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A conversation as the checks see it."""

    conversation: Conversation
    events: tuple[Event, ...]
    """One for each message."""
    toolbox: Toolbox
    config: CheckConfig

    @property
    def spoken(self) -> tuple[Event, ...]:
        """The events without the system message at the start."""
        return self.events[1:] if self.events and self.events[0].kind == "system" else self.events

    def calls(self, event: Event) -> tuple[ToolCall, ...]:
        """Return the calls of an assistant's turn, a reply as a call too; none where it may not be a turn."""
        if event.call is not None:
            return (event.call,)
        several = self.conversation.messages[event.position].tool_calls if event.kind == "empty" else ()
        return several if self.config.parallel else ()

    def found(self, check: str, severity: Severity, problem: str, at: Event | None = None) -> Finding:
        """Return a finding, as strict as the configuration wants it."""
        if self.config.strict and severity == "repairable":
            severity = "reject"
        return Finding(check=check, severity=severity, problem=problem, position=at.position if at else None)


def characters(conversation: Conversation) -> int:
    """Return the length of a conversation: characters of its texts, and of its calls as names and JSON arguments."""
    return sum(map(message_characters, conversation.messages))


def message_characters(message: Message) -> int:
    """Return the length of one message, counted as `characters` does."""
    calls = (len(call.name) + len(json.dumps(call.arguments, ensure_ascii=False)) for call in message.tool_calls)
    return len(message.content or "") + sum(calls)


def turns(view: View) -> Iterator[Finding]:
    """`no-messages`, `no-turns`: there must be something to learn."""
    if not view.spoken:
        yield view.found("no-messages", "reject", "the conversation has no messages; expected a user and an assistant")
    elif not any(view.calls(event) for event in view.spoken):
        yield view.found("no-turns", "reject", "the assistant says and calls nothing; expected one turn or more")


def first_message(view: View) -> Iterator[Finding]:
    """`first-message`: a user speaks first, after a system message at most."""
    for event in view.spoken[:1]:
        if event.kind != "user":
            yield view.found(
                "first-message", "reject", f"the conversation starts with {_WHAT[event.kind]}; expected a user", event
            )


def role_order(view: View) -> Iterator[Finding]:
    """`role-order`: an order that no relabelling mends, because it depends on no tool's name.

    The committee may turn a reply into a call and a call into a reply, but it moves no message: two messages without
    an assistant's turn between them stay so, and so does a result that follows no assistant message. Traces whose
    labels are damaged keep this order, shuffled ones lose it: all 142 hotel traces of the benchmark's fifth scenario
    break it, and no conversation of any service in the Schema-Guided Dialogue dataset does.
    """
    owed = 0  # results that the last assistant message may still have
    for before, event in pairwise(view.spoken):
        if before.kind not in ("result", "user"):
            owed = max(1, len(view.conversation.messages[before.position].tool_calls))
        problem = None
        if event.kind == "system":
            problem = "a system message in the middle; expected it at the start only"
        elif event.kind == "result":
            owed -= 1
            if before.kind == "user":
                problem = "a tool result right after a user message; expected an assistant message before it"
            elif before.kind == "result" and owed < 0:
                problem = "a tool result right after another; expected one for each call"
        elif event.kind == "user" and before.kind in ("user", "result"):
            problem = f"a user message right after {_WHAT[before.kind]}; expected the assistant's turn between them"
        if problem:
            yield view.found("role-order", "reject", problem, event)


def last_message(view: View) -> Iterator[Finding]:
    """`last-message`: the assistant has the last word. A real trace may break off; training data may not."""
    event = view.spoken[-1] if view.spoken else None
    if event and event.kind in ("user", "result"):
        severity: Severity = "reject" if view.config.strict else "note"
        problem = f"the conversation ends with {_WHAT[event.kind]}; expected the assistant's turn"
        yield view.found("last-message", severity, problem, event)


def consecutive_turns(view: View) -> Iterator[Finding]:
    """`consecutive-turns`: an assistant that goes on after a reply. Unusual, and not wrong."""
    for before, event in pairwise(view.spoken):
        if before.kind == "reply" and view.calls(event):
            problem = f"{_WHAT[event.kind]} right after a reply; expected a user message between them"
            yield view.found("consecutive-turns", "note", problem, event)


def sizes(view: View) -> Iterator[Finding]:
    """`too-long`, `too-many-messages`, `long-message`: what does not fit into a model's context, or was never read."""
    config = view.config
    total = 0
    for event, message in zip(view.events, view.conversation.messages, strict=True):
        length = message_characters(message)
        total += length
        if length > config.max_message:
            problem = f"a message of {length:,} characters; expected at most {config.max_message:,}"
            yield view.found("long-message", "note", problem, event)
    if total > config.max_length:
        problem = f"the conversation has {total:,} characters; expected at most {config.max_length:,}"
        yield view.found("too-long", "reject", problem)
    if len(view.events) > config.max_messages:
        problem = f"the conversation has {len(view.events):,} messages; expected at most {config.max_messages:,}"
        yield view.found("too-many-messages", "reject", problem)
