"""Sources of an argument's value (rows, user, agent, other results), and how much each counts.

For example, rows that agree on `city: San Jose` after a user who last said Reno give two candidates, each with the
sources that support it; the learned weights decide between them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.data.events import Event
from harness.data.tools import Toolbox
from harness.rules.labeler.surface_forms import Readings, SurfaceForms, words_of
from harness.rules.labeler.turns import LabelerTurn, constants

Outcome = tuple[str, str, str, str]
"""Tool, parameter, how its value (or its absence) agrees with the rows returned, and who stated it."""

SOURCES = {
    "row": 4.0,
    "rows": 3.0,
    "question": 1.5,
    "user": 1.5,
    "agent": 1.0,
    "last": 1.0,
    "past": 0.7,
    "later": 0.7,
    "usual": 0.3,
}
"""Where a value can come from, with its weight as long as nothing is known: the rows returned, and that there are
several of them (one may be another than was asked for, several are what a search was for), the agent's question just
before, the user's and the agent's last words about it, the last words of either, the result before, the result after,
and what most calls have."""

Candidates = dict[str, dict[str, float]]
"""Candidate value -> source -> how strongly the source supports it."""
Example = tuple[Candidates, str]
"""The candidates, and which one is right."""

_SECOND = 0.5
"""How strongly a source supports the second meaning of an expression; the first counts 1."""
_EPOCHS, _STEP, _PULL = 12, 0.2, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A service call whose tool is known."""

    turn: LabelerTurn
    tool: str
    known: Mapping[str, str]
    """What all rows returned agree on."""


class CallEvidence:
    """The evidence for the calls of a batch."""

    def __init__(self, surface: SurfaceForms, toolbox: Toolbox) -> None:
        self._surface, self._toolbox = surface, toolbox
        self._sources: dict[tuple[int, int], dict[str, dict[str, Readings]]] = {}

    def sources(self, call: Call) -> dict[str, dict[str, Readings]]:
        """Return, by parameter and source (see `SOURCES`), the value that the source gives."""
        found = self._sources.get(call.turn.key)
        if found is None:
            found = self._sources[call.turn.key] = {
                key: {source: mention for source, mention in self._sources_of(call, key) if mention}
                for key in self._toolbox.parameters(call.tool)
            }
        return found

    def outcomes(self, call: Call, arguments: Mapping[str, str]) -> list[Outcome]:
        """Return how arguments, values as text, agree with the evidence: one outcome for each parameter of the tool."""
        return [
            (call.tool, key, *self._outcome(call, key, arguments.get(key)))
            for key in self._toolbox.parameters(call.tool)
        ]

    def said(self, call: Call, key: str, value: str) -> str:
        """Return who stated a value before the turn: the user, only the agent, or `nobody`."""
        who = "nobody"
        for event in call.turn.dialogue.said_before(call.turn.position):
            if self._surface.states(key, value, event.text):
                if event.kind == "user":
                    return "user"
                who = "agent"
        return who

    def _outcome(self, call: Call, key: str, value: str | None) -> tuple[str, str]:
        row = call.known.get(key)
        if value is None:
            return "absent", self.said(call, key, row) if row is not None else "unknown"
        agrees = "nothing" if row is None else "same" if row == value else "other"
        return agrees, self.said(call, key, value)

    def _sources_of(self, call: Call, key: str) -> Iterator[tuple[str, Readings]]:
        dialogue, position = call.turn.dialogue, call.turn.position
        known = (call.known[key],) if key in call.known else ()
        yield "row", known
        yield "rows", known if len(call.turn.rows) > 1 else ()
        last: Readings = ()
        seen: set[str] = set()
        for number, event in enumerate(dialogue.said_before(position)):
            mentions = self._surface.find(key, event.text)
            if not mentions:
                continue
            who = "user" if event.kind == "user" else "agent"
            last = last or mentions[-1]
            if who == "agent" and number <= 1:
                yield "question", mentions[-1]
            if who not in seen:
                seen.add(who)
                yield who, mentions[-1]
        yield "last", last
        yield "past", _returned(key, reversed(dialogue.events[:position]))
        yield "later", _returned(key, dialogue.events[position + 2 :])
        usual = self._surface.usual(key)
        yield "usual", (usual,) if usual is not None else ()


def user_words(call: Call) -> frozenset[str]:
    """Return the words that the user said before a call."""
    said = call.turn.dialogue.said_before(call.turn.position)
    return frozenset(word for event in said if event.kind == "user" for word in words_of(event.text))


def _returned(key: str, events: Iterable[Event]) -> Readings:
    """Return the value of the first result whose rows all agree on one."""
    for event in events:
        if event.kind == "result" and key in (known := constants(event.rows)):
            return (known[key],)
    return ()


def candidates(sources: Mapping[str, Readings]) -> Candidates:
    """Return the candidate values that the sources support."""
    found: Candidates = defaultdict(dict)
    for source, mention in sources.items():
        for number, value in enumerate(mention):
            found[value][source] = 1.0 if number == 0 else _SECOND
    return dict(found)


def best(found: Candidates, weights: Mapping[str, float]) -> str:
    """Return the best-supported candidate; `found` must not be empty."""
    return max(found, key=lambda value: (_score(found[value], weights), value))


def fit(examples: Sequence[Example], start: Mapping[str, float]) -> dict[str, float]:
    """Return weights under which the right candidates score highest, drawn towards `start`.

    Stochastic gradient descent on the log-likelihood of McFadden's conditional logit, in the order of the examples.
    """
    weights = dict(start)
    for _ in range(_EPOCHS):
        for found, right in examples:
            shares = softmax({value: _score(speaks, weights) for value, speaks in found.items()})
            for value, share in shares.items():
                for source, speaks in found[value].items():
                    weights[source] += _STEP * ((value == right) - share) * speaks
            for source, weight in weights.items():
                weights[source] = weight - _STEP * _PULL * (weight - start[source])
    return weights


def softmax(logs: Mapping[str, float]) -> dict[str, float]:
    """Return the probabilities of which these are the logarithms, up to a constant; there must be one."""
    top = max(logs.values())
    raised = {name: math.exp(value - top) for name, value in logs.items()}
    total = sum(raised.values())
    return {name: value / total for name, value in raised.items()}


def _score(speaks: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(share * weights[source] for source, share in speaks.items())
