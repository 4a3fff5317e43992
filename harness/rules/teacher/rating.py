"""`rules:teacher` as the filter's rater: relevance and coherence of a trace by rules, for any task."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from harness.data.events import Event, events
from harness.data.pipeline_records import Rating
from harness.data.records import Conversation, Task
from harness.data.text import plain
from harness.data.tools import Toolbox
from harness.resources import folder
from harness.rules.teacher.rating_relevance import WORDS, Returned, TaskTopic, learn_returned, rate_relevance

VERSION = 2

_ORDER, _MANY = 0.15, 0.35
"""Share of messages out of order that no conversation survives; share of odd turns that a few slips stay below."""
_AFTER = {
    "start": ("user", "reply", "call"),
    "system": ("user", "reply", "call", "system"),
    "user": ("reply", "call", "empty", "system"),
    "reply": ("user", "result"),
    "call": ("result", "user"),
    "result": ("reply", "call", "empty"),
    "empty": ("user", "result", "reply", "call"),
}
"""What may follow what, if turns may be mislabelled but no message was lost or moved."""
_WORDS = re.compile(r"[^\W_]+")
_FLAGS = frozenset(("true", "false", "none", "null"))
_TOLD = 4
"""Minimum length of a checked word: shorter ones are said in too many ways."""


class RulesRater:
    """Rates without a model, deterministic. A trace whose calls fit the task's tools, or whose words tell enough, is
    rated by itself; the rest of the batch matters to the others, as far as it shows what those tools return."""

    name = "rules:teacher"

    def __init__(self, task: Task) -> None:
        self._toolbox = Toolbox(task.tools)
        self._topic = TaskTopic.of(task, self._toolbox)
        words = (folder("eval") / WORDS).read_bytes()
        self.settings: dict[str, Any] = {"version": VERSION, "words_sha256": hashlib.sha256(words).hexdigest()}

    def rate(self, traces: Sequence[Conversation], on_rating: Callable[[Rating], None]) -> None:
        """Call `on_rating` with the rating of each trace, in order."""
        returned = learn_returned((events(trace.messages, self._toolbox) for trace in traces), self._toolbox)
        for trace in traces:
            on_rating(self.rating(trace, returned))

    def rating(self, trace: Conversation, returned: Returned = frozenset()) -> Rating:
        """Return the rating of one trace; `returned` is what `learn_returned` found in its batch."""
        told = events(trace.messages, self._toolbox)
        relevance, why_relevant = rate_relevance(told, self._topic, self._toolbox, returned)
        coherence, why_coherent = rate_coherence(told)
        return Rating(
            id=trace.id,
            relevance=relevance,
            coherence=coherence,
            relevance_reason=why_relevant,
            coherence_reason=why_coherent,
        )


def rate_coherence(events: Sequence[Event]) -> tuple[int, str]:
    """Return how well a trace holds together, 1 to 5, and why.

    1: messages out of order, or nothing the agent does. Otherwise by the share of the agent's turns that do not fit
    their place: 5 none, 4 a single one, 3 up to about a third, 2 more.
    """
    turns = [event for event in events if event.is_turn]
    if not turns:
        return 1, "the agent does nothing in it"
    moved = _out_of_order(events)
    if moved and len(moved) > _ORDER * len(events):
        return 1, f"{len(moved)} of {len(events)} messages are out of order, first message {moved[0]}"
    odd = {**_misplaced(events), **_unheard(events)}
    if not odd and not moved:
        return 5, "every turn fits what comes before and after it"
    number = len(odd) + len(moved)
    first = min([*odd, *moved])
    example = f"message {first}: {odd.get(first, 'out of order')}"
    if number == 1:
        return 4, f"one turn is odd, {example}"
    share = f"{number} of {len(turns)} turns are odd, {example}"
    return (3, share) if number <= _MANY * len(turns) else (2, share)


def _out_of_order(events: Sequence[Event]) -> list[int]:
    """Return the positions of messages that are out of order, regardless of how the turns are labelled."""
    found, before = [], "start"
    for event in events:
        if event.kind not in _AFTER[before]:
            found.append(event.position)
        before = event.kind
    if events and events[0].is_turn and len(events) > 1 and events[1].kind == "result":
        found.append(events[0].position)  # an agent may greet first, but not call
    return sorted(set(found))


def _misplaced(events: Sequence[Event]) -> dict[int, str]:
    """Return replies that a result follows, and calls that the user's message or nothing follows."""
    found = {}
    for event, after in zip(events, [*events[1:], None], strict=True):
        if event.kind == "reply" and after is not None and after.kind == "result":
            found[event.position] = "a reply to the user is followed by a result"
        elif event.kind == "call" and after is not None and after.kind == "user":
            found[event.position] = "a call is followed by the user instead of its result"
        elif event.kind == "call" and after is None:
            found[event.position] = "the last call has no result"
    return found


def _unheard(events: Sequence[Event]) -> dict[int, str]:
    """Return calls most of whose names no user has said and no tool has returned before.

    A single such name is no evidence: people phrase values differently from tools.
    """
    found: dict[int, str] = {}
    heard: set[str] = set()
    for event in events:
        if event.kind == "call" and event.call is not None:
            named = {key: words for key, value in event.call.arguments.items() if (words := _name(value))}
            unheard = [key for key, words in named.items() if heard.isdisjoint(words)]
            if len(unheard) > 1 and 2 * len(unheard) > len(named):
                found[event.position] = f"its arguments {' and '.join(unheard[:2])} were not spoken of before"
        heard.update(_WORDS.findall(plain(event.text)))
    return found


def _name(value: Any) -> list[str]:
    """Return the words of a value that is a name; none for numbers, dates, times and levels: too many ways to say."""
    if not isinstance(value, str) or not value[:1].isupper() or any(char.isdigit() for char in value):
        return []
    return [word for word in _WORDS.findall(plain(value)) if len(word) >= _TOLD and word not in _FLAGS]
