"""Relevance: whether a trace is about the task, by its users' words and by what its tools return."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, zip_longest

from harness.data.events import Event
from harness.data.records import Task, ToolCall
from harness.data.tools import Toolbox
from harness.rules.language.lexicon import declared

WORDS = "teacher/rating.yaml"
"""Below `eval/`: words that are no evidence of a topic."""
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])")
_SHORTEST, _PLURAL = 3, 4
_TOOL, _KEY, _SAID = 3, 2, 1
"""What a word of a tool's name counts, one of a parameter's name, and one that a description uses."""
_CAP = 6
"""No word counts more, however often the task repeats it."""
_VALID = 6
"""Evidence of calls that are valid for the task's tools, or of results like those of such calls."""
_MOSTLY = 0.5
_LEVELS = ((14, 5), (6, 4), (4, 3), (2, 2))
"""Evidence -> rating. Traces of the task reach 14 nearly always, those of unrelated services hardly ever 6."""
_SHARE, _CHANCE = 0.25, 3
"""Results with a smaller share of known words may share them by chance; then they count a third."""
_FEW, _SOME = 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTopic:
    """What a task is about: its words with their weights, 1 to 6."""

    weights: Mapping[str, int]

    @classmethod
    def of(cls, task: Task, toolbox: Toolbox) -> TaskTopic:
        """Return the words of the task's tools, parameters, values and descriptions that any service would not use."""
        weights: dict[str, int] = {}

        def add(text: str, weight: int) -> None:
            for word in content_words(text):
                weights[word] = min(_CAP, weights.get(word, 0) + weight)

        for name in toolbox.services:
            add(name, _TOOL)
            add(toolbox.description(name), _KEY)
            for parameter in toolbox.parameters(name).values():
                add(parameter.name, _KEY)
                add(" ".join((parameter.description, *parameter.choices)), _SAID)
        add(task.description, _SAID)
        return cls(weights=weights)

    def weigh(self, words: Iterable[str]) -> int:
        """Return what different words count together."""
        return sum(self.weights.get(word, 0) for word in set(words))

    def heaviest(self, words: Iterable[str]) -> list[str]:
        """Return the words that the task knows, heaviest first."""
        known = sorted({word for word in words if word in self.weights}, key=lambda word: (-self.weights[word], word))
        return known[:_SOME]


def content_words(text: str) -> frozenset[str]:
    """Return the words of a text or name (`camelCase` and `snake_case` taken apart), singular, without common ones."""
    return frozenset(word for word in map(_singular, _WORD.findall(text)) if len(word) >= _SHORTEST) - _common()


Returned = frozenset[frozenset[str]]
"""The keys of a result's rows, for each kind of result."""


def learn_returned(traces: Iterable[Sequence[Event]], toolbox: Toolbox) -> Returned:
    """Return what the task's tools return, by the traces in which every call fits them; independent of their order.

    Schemas do not tell it, and for a task that says little of itself it is what a trace of older tools is known by.
    For each tool only what most of its calls return counts: a single stray trace teaches nothing.
    """
    votes: dict[str, Counter[frozenset[str]]] = defaultdict(Counter)
    for trace in traces:
        calls = [event.call for event in trace if event.kind == "call" and event.call is not None]
        if not any(call.arguments for call in calls) or any(toolbox.problems(call) for call in calls):
            continue
        for event, after in pairwise(trace):
            if event.kind == "call" and event.call is not None and after.rows:
                votes[event.call.name][frozenset(after.rows[0])] += 1
    return frozenset(keys for vote in votes.values() for keys, count in vote.items() if count > _MOSTLY * vote.total())


def rate_relevance(
    events: Sequence[Event], topic: TaskTopic, toolbox: Toolbox, returned_by_task: Returned = frozenset()
) -> tuple[int, str]:
    """Return how much a trace has to do with the task, 1 to 5, and why.

    Users' words, the keys of results and the arguments' names are looked at, and whether calls fit the tools; never
    what the agent said, which may be what is wrong, nor the tools' names, which another service may share. Of
    several messages the one that speaks most for the task is left aside: one message cannot talk a trace in.
    `returned_by_task` (see `learn_returned`) speaks for traces whose calls do not fit but whose results do.
    """
    said = [content_words(event.text) for event in events if event.kind == "user"]
    returned = [content_words(" ".join(key for row in event.rows[:1] for key in row)) for event in events if event.rows]
    calls = [event.call for event in events if event.kind == "call" and event.call is not None]
    asked = [content_words(" ".join(call.arguments)) for call in calls]
    places = {"the users speak of": said, "the results hold": returned, "the calls ask for": asked}
    speaks = topic.weigh(word for bag in said for word in bag) >= _TOOL
    fit = sum(
        _fits(event.call, after, toolbox, bare=returned_by_task if speaks else None)
        for event, after in zip_longest(events, events[1:])
        if event.kind == "call" and event.call is not None
    )
    weights = {place: _weigh(topic, bags) for place, bags in places.items()}
    if _by_chance(topic, returned, asked):
        weights["the results hold"] //= _CHANCE
    kinds = [frozenset(event.rows[0]) for event in events if event.rows]
    like = sum(kind in returned_by_task for kind in kinds) > _MOSTLY * len(kinds)
    evidence = sum(weights.values()) + (_VALID if fit > _MOSTLY * len(calls) or like else 0)
    rating = next((level for least, level in _LEVELS if evidence >= least), 1)
    return rating, _reason(topic, places, foreign=rating < _LEVELS[1][1], fit=fit, calls=len(calls), like=like)


def _fits(call: ToolCall, after: Event | None, toolbox: Toolbox, *, bare: Returned | None) -> bool:
    """Whether a call fits the task's tools. One without arguments may be another service's: it does so where the users
    speak of the task (`bare` is given), and where nothing came back or what the tools return."""
    if toolbox.problems(call):
        return False
    rows = after.rows if after is not None else ()
    return bool(call.arguments) or (bare is not None and (not rows or frozenset(rows[0]) in bare))


def _weigh(topic: TaskTopic, bags: Sequence[frozenset[str]]) -> int:
    """Return what the words of several messages count, the message that counts most left aside."""
    if len(bags) > 1:
        best = max(range(len(bags)), key=lambda position: topic.weigh(bags[position]))
        bags = [bag for position, bag in enumerate(bags) if position != best]
    return topic.weigh(word for bag in bags for word in bag)


def _by_chance(topic: TaskTopic, returned: Sequence[frozenset[str]], asked: Sequence[frozenset[str]]) -> bool:
    """Return whether the results hold few of the task's words, and the calls, of several words, none at all.

    A single word may be shared by services that have nothing to do with one another: music is also played at dinner.
    """
    held = frozenset().union(*returned)
    wanted = frozenset().union(*asked)
    few = len(topic.weights.keys() & held) < _SHARE * len(held)
    return few and len(wanted) > 1 and topic.weights.keys().isdisjoint(wanted)


def _reason(
    topic: TaskTopic, places: Mapping[str, Sequence[frozenset[str]]], *, foreign: bool, fit: int, calls: int, like: bool
) -> str:
    parts = []
    for place, bags in places.items():
        words = {word for bag in bags for word in bag}
        if known := topic.heaviest(words):
            parts.append(f"{place} {', '.join(known)}")
        elif unknown := sorted(words)[:_FEW]:
            parts.append(f"{place} {', '.join(unknown)}, which the task does not know")
    if calls and not fit:
        parts.append("no call fits the task's tools" + (", but they return what those do" if like else ""))
    if not parts:
        return "nothing in it can be compared with the task"
    return ("little that the task speaks of: " if foreign else "") + "; ".join(parts)


def _singular(word: str) -> str:
    word = word.lower()
    if len(word) <= _PLURAL or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    return word[:-2] if word.endswith(("ches", "shes", "sses", "xes")) else word[:-1]


@cache
def _common() -> frozenset[str]:
    return frozenset(_singular(word) for entry in declared(WORDS).values() for word in str(entry).split())
