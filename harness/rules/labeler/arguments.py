"""The arguments of a service call: the trace's own where they fit, else what the dialogue and the results say."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from harness.data.tools import Parameter, Toolbox
from harness.rules.labeler.evidence import Call, CallEvidence, Outcome
from harness.rules.labeler.options import Options
from harness.rules.labeler.scenes import LabelerTurn, as_text
from harness.rules.labeler.weights import SOURCES, Example, best, candidates, fit
from harness.rules.labeler.wording import Wording

_ROUNDS, _DRAWS = 3, 4
_HALF, _STRENGTH, _OUTCOMES = 0.5, 2.0, 12
_RIGHT, _RIGHT_STRENGTH = 0.6, 3
"""How many of the traces' own arguments are right, and as how many observations that counts."""
_MOST = 50.0


class LearnedArguments:
    """The arguments of the service calls of a batch, learned from calls whose own arguments fit.

    Whether the arguments logged with a call are its own is decided like a match of records (Fellegi and Sunter): each
    parameter agrees with rows and words, or not, which is so much likelier for a call's own than for another's.
    """

    def __init__(self, calls: Sequence[Call], wording: Wording, toolbox: Toolbox) -> None:
        self._wording, self._toolbox = wording, toolbox
        self._evidence = CallEvidence(wording, toolbox)
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
        self._options = Options(trusted, self._evidence, wording, toolbox)

    def of(self, turn: LabelerTurn) -> dict[str, Any] | None:
        """Return the arguments of a turn, None where a required one is not to be had."""
        if self._trust.get(turn.key, 0.0) >= _HALF:
            return dict(turn.raw.arguments)
        call = self._calls[turn.key]
        found: dict[str, Any] = {}
        for key, parameter in self._toolbox.parameters(call.tool).items():
            value = self._best(call, key)
            if value is None and parameter.required:
                return None
            if value is not None and (parameter.required or self._options.likely(call, key) > _HALF):
                found[key] = _typed(value, parameter)
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
        """Decide anew which calls have their own arguments, by what those have in common that are thought to."""
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
        rng = Random(f"{call.turn.scene.id}:{call.turn.position}")  # noqa: S311 - a sample, not a secret
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
                    for group in ((self._wording.kind(key),), (call.tool, key)):
                        examples[group].append((found, arguments[key]))
        pooled = {group: fit(found, SOURCES) for group, found in examples.items() if len(group) == 1}
        return pooled | {
            group: fit(found, pooled[(self._wording.kind(group[1]),)])
            for group, found in examples.items()
            if len(group) > 1
        }

    def _best(self, call: Call, key: str) -> str | None:
        """Return the value that the sources speak for, by their weights."""
        found = candidates(self._evidence.sources(call)[key])
        choices = self._toolbox.parameters(call.tool)[key].choices
        if choices:
            found = {value: speaks for value, speaks in found.items() if value in choices}
        weights = self._weights.get((call.tool, key)) or self._weights.get((self._wording.kind(key),), SOURCES)
        return best(found, weights) if found else None


def _strings(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {key: as_text(value) for key, value in arguments.items()}


def _typed(value: str, parameter: Parameter) -> Any:
    """Return a value in the type that the schema wants, as text where it cannot be."""
    wanted = parameter.schema.get("type")
    try:
        if wanted == "integer":
            return int(value)
        if wanted == "number":
            return float(value)
    except ValueError:
        return value
    if wanted == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def _tally(counts: Counter[tuple[str, ...]], outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for group in (outcome, outcome[:2], outcome[2:], ()):
            counts[group] += 1


def _share(counts: Counter[tuple[str, ...]], outcome: Outcome) -> float:
    """Return how often a parameter has this outcome, drawn towards how often all parameters have it."""
    pooled = (counts[outcome[2:]] + _HALF) / (counts[()] + _HALF * _OUTCOMES)
    return (counts[outcome] + _STRENGTH * pooled) / (counts[outcome[:2]] + _STRENGTH)
