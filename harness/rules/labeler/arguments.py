"""The arguments of a service call: the trace's own where they fit, else what the dialogue and the results say.

For example, `FindRestaurants(city="Reno")` is logged before rows that are all in San Jose, after a user who asked for
San Jose: these arguments belong to another call, and `city="San Jose"` is restored from rows and words.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from harness.data.tools import Toolbox
from harness.rules.labeler.argument_sources import (
    SOURCES,
    Call,
    CallEvidence,
    Example,
    Outcome,
    best,
    candidates,
    fit,
    user_words,
)
from harness.rules.labeler.surface_forms import SurfaceForms
from harness.rules.labeler.turns import LabelerTurn
from harness.rules.language.equivalence import typed

_ROUNDS, _DRAWS = 3, 4
_HALF, _STRENGTH, _OUTCOMES = 0.5, 2.0, 12
_RIGHT, _RIGHT_STRENGTH = 0.6, 3
"""The prior share of correct logged arguments, and the number of observations it counts as."""
_MOST = 50.0

_STRENGTH, _UNKNOWN = 2.0, 0.5
_SEEN, _HINT, _LIFT, _FEW_VALUES = 3, 0.6, 2.0, 12
_CHANCE = 0.02
"""Below this chance, rows that share a value were filtered by it."""


class LearnedArguments:
    """The arguments of the service calls of a batch, learned from calls whose own arguments fit.

    Whether the arguments logged with a call are its own is decided like a match of records (Fellegi and Sunter): each
    parameter agrees with rows and words, or not, which is so much likelier for a call's own than for another's.
    """

    def __init__(self, calls: Sequence[Call], surface: SurfaceForms, toolbox: Toolbox) -> None:
        self._surface, self._toolbox = surface, toolbox
        self._evidence = CallEvidence(surface, toolbox)
        self._calls = {call.turn.key: call for call in calls}
        fitting = [call for call in sorted(calls, key=lambda call: call.turn.order) if self._fits(call)]
        self._logged = {call.turn.key: _strings(call.turn.raw.arguments) for call in fitting}
        self._pool: dict[str, list[dict[str, str]]] = defaultdict(list)
        for call in fitting:
            self._pool[call.tool].append(self._logged[call.turn.key])
        self._trust = {call.turn.key: self._first_trust(call) for call in fitting}
        self._own: Counter[tuple[str, ...]] = Counter()
        self._other: Counter[tuple[str, ...]] = Counter()
        for _ in range(_ROUNDS):
            self._match()
        trusted = [call for call in fitting if self._trust[call.turn.key] >= _HALF]
        self._weights = self._weigh(trusted)
        self._options = OptionalArguments(trusted, self._evidence, surface, toolbox)

    def of(self, turn: LabelerTurn) -> dict[str, Any] | None:
        """Return the arguments of a turn, None where a required one is unknown."""
        if self._trust.get(turn.key, 0.0) >= _HALF:
            return dict(turn.raw.arguments)
        call = self._calls[turn.key]
        found: dict[str, Any] = {}
        for key, parameter in self._toolbox.parameters(call.tool).items():
            value = self._best(call, key)
            if value is None and parameter.required:
                return None
            if value is not None and (parameter.required or self._options.likely(call, key) > _HALF):
                found[key] = typed(value, parameter.schema.get("type"))
        return found

    def weight(self, turn: LabelerTurn, arguments: Mapping[str, Any]) -> float:
        """Return how much likelier it is that a call's own arguments agree with rows and words like these than that
        another's do (natural logarithm)."""
        outcomes = self._evidence.outcomes(self._calls[turn.key], _strings(arguments))
        return sum(math.log(_share(self._own, outcome) / _share(self._other, outcome)) for outcome in outcomes)

    def _fits(self, call: Call) -> bool:
        """Whether the trace's arguments are possible for the tool."""
        parameters, raw = self._toolbox.parameters(call.tool), call.turn.raw
        return (
            not call.turn.raw_reply
            and all(key in parameters for key in raw.arguments)
            and all(key in raw.arguments for key, parameter in parameters.items() if parameter.required)
        )

    def _first_trust(self, call: Call) -> float:
        outcomes = self._evidence.outcomes(call, self._logged[call.turn.key])
        given = [(rows, said) for _, _, rows, said in outcomes if rows != "absent"]
        good = sum(rows == "same" or (rows == "nothing" and said != "nobody") for rows, said in given)
        if not given:  # a call without arguments, unless the user asked for what came back
            return 0.0 if any((rows, said) == ("absent", "user") for _, _, rows, said in outcomes) else 1.0
        return 1.0 if good > _HALF * len(given) else 0.0

    def _match(self) -> None:
        """Re-estimate which calls have their own arguments, from the outcomes of those currently believed to."""
        self._own, self._other = Counter(), Counter()
        for key, trust in self._trust.items():
            call = self._calls[key]
            if trust >= _HALF:
                _tally(self._own, self._evidence.outcomes(call, self._logged[key]))
            for arguments in self._drawn(call):
                _tally(self._other, self._evidence.outcomes(call, arguments))
        right = sum(trust >= _HALF for trust in self._trust.values()) + _RIGHT * _RIGHT_STRENGTH
        share = right / (len(self._trust) + _RIGHT_STRENGTH)
        prior = math.log(share / (1 - share))
        for key in self._trust:
            turn = self._calls[key].turn
            score = prior + self.weight(turn, turn.raw.arguments)
            self._trust[key] = 1 / (1 + math.exp(-max(-_MOST, min(_MOST, score))))

    def _drawn(self, call: Call) -> list[dict[str, str]]:
        """Return a few other calls' arguments: what a wrong call looks like here."""
        rng = Random(f"{call.turn.dialogue.id}:{call.turn.position}")  # noqa: S311 - a sample, not a secret
        drawn = [rng.choice(self._pool[call.tool]) for _ in range(_DRAWS)]
        return [arguments for arguments in drawn if arguments != self._logged[call.turn.key]]

    def _weigh(self, trusted: Sequence[Call]) -> dict[tuple[str, ...], dict[str, float]]:
        """Return the weights of the sources by kind of value, and by tool and parameter."""
        examples: dict[tuple[str, ...], list[Example]] = defaultdict(list)
        for call in trusted:
            arguments = self._logged[call.turn.key]
            for key, sources in self._evidence.sources(call).items():
                found = candidates(sources)
                if len(found) > 1 and arguments.get(key) in found:
                    for group in ((self._surface.kind(key),), (call.tool, key)):
                        examples[group].append((found, arguments[key]))
        pooled = {group: fit(found, SOURCES) for group, found in examples.items() if len(group) == 1}
        return pooled | {
            group: fit(found, pooled[(self._surface.kind(group[1]),)])
            for group, found in examples.items()
            if len(group) > 1
        }

    def _best(self, call: Call, key: str) -> str | None:
        """Return the best-supported value."""
        found = candidates(self._evidence.sources(call)[key])
        choices = self._toolbox.parameters(call.tool)[key].choices
        if choices:
            found = {value: speaks for value, speaks in found.items() if value in choices}
        weights = self._weights.get((call.tool, key)) or self._weights.get((self._surface.kind(key),), SOURCES)
        return best(found, weights) if found else None


def _strings(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in arguments.items()}


def _tally(counts: Counter[tuple[str, ...]], outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for group in (outcome, outcome[:2], outcome[2:], ()):
            counts[group] += 1


def _share(counts: Counter[tuple[str, ...]], outcome: Outcome) -> float:
    """Return how often a parameter has this outcome, drawn towards how often all parameters have it."""
    pooled = (counts[outcome[2:]] + _HALF) / (counts[()] + _HALF * _OUTCOMES)
    return (counts[outcome] + _STRENGTH * pooled) / (counts[outcome[:2]] + _STRENGTH)


class OptionalArguments:
    """How often optional parameters are there, in which circumstances."""

    def __init__(
        self, trusted: Sequence[Call], evidence: CallEvidence, surface: SurfaceForms, toolbox: Toolbox
    ) -> None:
        self._evidence, self._surface, self._toolbox = evidence, surface, toolbox
        self._hints = self._learn_hints(trusted)
        self._there: Counter[tuple[str, ...]] = Counter()
        self._tried: Counter[tuple[str, ...]] = Counter()
        for call in trusted:
            for key in self._optional(call):
                context = self._context(call, key)
                for group in ((call.tool, key, *context), context, ()):
                    self._tried[group] += 1
                    self._there[group] += key in call.turn.raw.arguments

    def likely(self, call: Call, key: str) -> float:
        """Return how often calls like this one give the parameter."""
        context = self._context(call, key)
        pooled = self._rate(context, self._rate((), _UNKNOWN))
        return self._rate((call.tool, key, *context), pooled)

    def _optional(self, call: Call) -> list[str]:
        return [key for key, parameter in self._toolbox.parameters(call.tool).items() if not parameter.required]

    def _rate(self, group: tuple[str, ...], otherwise: float) -> float:
        return (self._there[group] + _STRENGTH * otherwise) / (self._tried[group] + _STRENGTH)

    def _context(self, call: Call, key: str) -> tuple[str, str]:
        """Return what the rows know of the parameter, and who asked for its value."""
        sources = self._evidence.sources(call)[key]
        value = sources.get("row") or sources.get("user")
        rows = "known" if key in call.known else "rows" if call.turn.rows else "none"
        rows = "searched" if self._searched(call, key) else rows
        if not value:
            return rows, "unknown"
        said = self._evidence.said(call, key, value[0])
        if said != "user" and self._hints.get((call.tool, key, value[0]), frozenset()) & user_words(call):
            said = "hinted"
        return rows, said

    def _searched(self, call: Call, key: str) -> bool:
        """Whether more rows share one value of the parameter than chance explains."""
        values, count = self._surface.values[key], len(call.turn.rows)
        share = values[call.known[key]] / max(1, values.total()) if key in call.known else 1.0
        return count > 1 and share ** (count - 1) < _CHANCE

    def _learn_hints(self, trusted: Sequence[Call]) -> dict[tuple[str, str, str], frozenset[str]]:
        """Return, by tool, optional parameter and value, the words of users that go with it: other words for it."""
        words: dict[tuple[str, str], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for call in trusted:
            for key in self._optional(call):
                if len(self._surface.values[key]) > _FEW_VALUES:
                    continue
                value = str(call.turn.raw.arguments.get(key, ""))
                for word in (*user_words(call), ""):
                    words[call.tool, key][word][value] += 1
        hints: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for (tool, key), found in words.items():
            everywhere = found.pop("")
            for word, values in found.items():
                value, count = max(values.items(), key=lambda item: (item[1], item[0]))
                share, usual = count / values.total(), everywhere[value] / everywhere.total()
                if value and count >= _SEEN and share > max(_HINT, _LIFT * usual):
                    hints[tool, key, value].add(word)
        return {group: frozenset(found) for group, found in hints.items()}
