"""Classifies which tool a turn calls: by what follows it, what came back, and what was said around it.

For example, a turn labelled `GetWeather` before rows with the keys `city` and `restaurant_name` calls
`FindRestaurants`, if most turns before such rows have that name.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.data.tools import Toolbox
from harness.rules.labeler.argument_sources import softmax
from harness.rules.labeler.surface_forms import words_of
from harness.rules.labeler.turns import Key, LabelerTurn, constants

_ROUNDS = 12
_SMOOTHING = 0.5
_RIGHT_NAME, _SURE, _RARE = 0.7, 0.6, 3
_FOREIGN_KEY, _MISSING_PARAMETER, _UNEXPLAINED_KEY = 1.5, 1.0, 0.3
"""Natural logarithms of how much less likely a tool is for each raw argument that it does not take or required one
that is not there; for each required parameter on which the rows returned do not agree; for each key on which they do
that another tool requires and this one does not take."""
_WORD_WEIGHT, _MOST_BY_WORDS = 0.5, 1.5
"""Words of one utterance depend on each other; as independent features they would outvote everything else."""
_MOST_BY_NOTHING = 0.8
"""That nothing was found says little of which tool found nothing, however the few cases of a batch fall."""
_MOSTLY, _SIGMAS = 0.5, 3.0
_SERVICE_WITHOUT_RESULT = 0.6


class ToolClassifier:
    """The tools that turns call, learned from a batch in which many names may be wrong.

    Turns that a result follows call a service. Which one is a hidden class, found by expectation maximisation over
    a naive Bayes model (Dawid and Skene's use of it with one rater, the trace): the keys and number of the rows
    returned, the raw name and the raw arguments' keys, and the words before and after.
    """

    def __init__(self, turns: Sequence[LabelerTurn], toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._required = {
            parameter.name
            for name in toolbox.services
            for parameter in toolbox.parameters(name).values()
            if parameter.required
        }
        self._reply_results = _reply_results(turns)
        self._counts = _service_counts(turns)
        self._rates = {follows: calls / max(1, count) for follows, (calls, count) in self._counts.items()}
        self._posteriors = self._learn([turn for turn in turns if self._calls_service(turn)])

    def of(self, turn: LabelerTurn) -> str | None:
        """Return the tool of a turn, None where nothing determines it."""
        if self._calls_service(turn):
            found = self._posteriors.get(turn.key)
            return max(found, key=lambda name: found[name]) if found else None
        if turn.follows == "user" and self._rates["user"] > _SERVICE_WITHOUT_RESULT:
            return turn.raw.name if turn.raw.name in self._toolbox else None
        if turn.raw.name in self._toolbox.services and turn.follows in ("turn", "end") and self._cut(turn):
            return turn.raw.name
        return self._toolbox.reply.tool

    def certainty(self, turn: LabelerTurn) -> float:
        """Return how likely the name of a service call is, 1.0 for replies."""
        found = self._posteriors.get(turn.key)
        return max(found.values()) if found else 1.0

    def _calls_service(self, turn: LabelerTurn) -> bool:
        return turn.follows == "result" and signature(turn) not in self._reply_results

    def _cut(self, turn: LabelerTurn) -> bool:
        """Whether a service call without a result is one whose result was lost, rather than a wrong label.

        Wrong labels are as frequent here as where a user's answer proves them wrong; more than that is genuine.
        """
        noise = self._rates["user"]
        calls, turns = self._counts[turn.follows]
        excess = calls - turns * noise
        return excess > _MOSTLY * calls and excess > _SIGMAS * math.sqrt(turns * noise * (1 - noise))

    def _learn(self, turns: Sequence[LabelerTurn]) -> dict[Key, dict[str, float]]:
        names = self._used(turns)
        if not names or not turns:
            return {}
        features = [_features(turn) for turn in turns]
        seen = Counter(feature for found in features for feature in set(found))
        features = [[f for f in found if seen[f] >= _RARE or f[0] not in _WORDS] for found in features]
        priors = [{name: self._prior(turn, name) for name in names} for turn in turns]
        shares = _shares(priors)
        priors = [{name: fit + shares[name] for name, fit in prior.items()} for prior in priors]
        posteriors = [softmax(prior) for prior in priors]
        for _ in range(_ROUNDS):
            model = _Model(features, posteriors)
            posteriors = [
                softmax({name: prior[name] + model.log_likelihood(found, name) for name in names})
                for found, prior in zip(features, priors, strict=True)
            ]
        return {turn.key: posterior for turn, posterior in zip(turns, posteriors, strict=True)}

    def _used(self, turns: Sequence[LabelerTurn]) -> tuple[str, ...]:
        """Return the tools for which some call has complete arguments, all tools if there is no such call.

        An unused tool would otherwise absorb what is rare in another's calls, such as empty results.
        """
        keys = {frozenset(turn.raw.arguments) for turn in turns if not turn.raw_reply}
        found = []
        for name in self._toolbox.services:
            parameters = self._toolbox.parameters(name)
            required = {key for key, parameter in parameters.items() if parameter.required}
            if any(required <= given <= parameters.keys() for given in keys):
                found.append(name)
        return tuple(found) or self._toolbox.services

    def _prior(self, turn: LabelerTurn, name: str) -> float:
        """Return the logarithm of how well a tool fits the trace's own call, and its schema the rows returned."""
        parameters = self._toolbox.parameters(name)
        fit = 0.0
        required = [parameter.name for parameter in parameters.values() if parameter.required]
        if not turn.raw_reply:
            fit -= _FOREIGN_KEY * sum(key not in parameters for key in turn.raw.arguments)
            fit -= _FOREIGN_KEY * sum(key not in turn.raw.arguments for key in required)
        if turn.rows:
            known = constants(turn.rows)
            fit -= _MISSING_PARAMETER * sum(key not in known for key in required)
            fit -= _UNEXPLAINED_KEY * sum(key in self._required and key not in parameters for key in known)
        return fit + _by_trace(turn, name, self._toolbox)


def _shares(priors: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the logarithm of the number of turns that call each tool, counted where name and schema leave no doubt.

    Fixed, not learned from doubtful turns: otherwise an unused tool would absorb the odd calls of another.
    """
    counts = dict.fromkeys(priors[0], _SMOOTHING)
    for prior in priors:
        guess = softmax(prior)
        best = max(guess, key=lambda name: guess[name])
        counts[best] += guess[best] > _SURE
    return {name: math.log(count) for name, count in counts.items()}


_WORDS = ("user", "agent", "answer")
Feature = tuple[str, str]
_NOTHING: tuple[Feature, ...] = (("signature", "=[]"), ("signature", "={}"), ("signature", "=null"))


def _features(turn: LabelerTurn) -> list[Feature]:
    found: list[Feature] = [
        ("signature", signature(turn)),
        ("before", _previous(turn)),
    ]
    if turn.rows:
        found.append(("rows", str(min(len(turn.rows), 2))))
    said = {"user": "", "agent": ""}
    for event in turn.dialogue.said_before(turn.position):
        who = "user" if event.kind == "user" else "agent"
        if who == "agent" or not said["user"]:
            said[who] = event.text
        if who == "agent" or turn.position - event.position > 2:
            break
    after = turn.dialogue.said_next(turn.position)
    said["answer"] = after.text if after else ""
    return found + [(who, word) for who, text in said.items() for word in sorted(set(words_of(text)))]


def _by_trace(turn: LabelerTurn, name: str, toolbox: Toolbox) -> float:
    """Return the logarithm of how likely the trace's own call is where the tool is right.

    Set, not learned, for the reason that `_shares` gives.
    """
    if turn.raw_reply:
        return 0.0
    parameters, arguments = toolbox.parameters(name), turn.raw.arguments
    known = constants(turn.rows)
    missing = any(parameter.required and key not in arguments for key, parameter in parameters.items())
    returned = bool(turn.rows) and all(known.get(key) == str(value) for key, value in arguments.items())
    others = max(1, len(toolbox.services) - 1)
    score = math.log(_RIGHT_NAME if turn.raw.name == name else (1 - _RIGHT_NAME) / others)
    return score - _FOREIGN_KEY * (returned and (missing or any(key not in parameters for key in arguments)))


def _previous(turn: LabelerTurn) -> str:
    """Return the signature of the result before this turn's, empty for the first."""
    for event in reversed(turn.dialogue.events[: turn.position]):
        if event.kind == "result":
            return " ".join(sorted(event.rows[0])) if event.rows else "-"
    return ""


def signature(turn: LabelerTurn) -> str:
    """Return what the result looks like: the keys of its first row, a short text, or nothing."""
    if turn.rows:
        return " ".join(sorted(turn.rows[0]))
    return f"={turn.result.text[:40]}" if turn.result else ""


class _Model:
    """Naive Bayes over groups of features, fitted to soft classes."""

    def __init__(self, features: Sequence[Sequence[Feature]], posteriors: Sequence[dict[str, float]]) -> None:
        names = list(posteriors[0])
        self._counts: dict[str, dict[Feature, float]] = {name: defaultdict(float) for name in names}
        self._totals: dict[str, dict[str, float]] = {name: defaultdict(float) for name in names}
        self._all: Counter[Feature] = Counter()
        self._all_groups: Counter[str] = Counter()
        for found, posterior in zip(features, posteriors, strict=True):
            groups = {feature[0] for feature in found}
            for name, weight in posterior.items():
                for feature in found:
                    self._counts[name][feature] += weight
                for group in groups:
                    self._totals[name][group] += weight
            self._all.update(found)
            self._all_groups.update(groups)

    def log_likelihood(self, features: Sequence[Feature], name: str) -> float:
        """Return the logarithm of how much likelier the features are in a class than elsewhere, words weighted less."""
        score = 0.0
        words: dict[str, float] = defaultdict(float)
        for feature in features:
            group = feature[0]
            ratio = math.log(self._share(feature, name) / self._background(feature))
            if feature in _NOTHING:
                score += max(-_MOST_BY_NOTHING, min(_MOST_BY_NOTHING, ratio))
            elif group in _WORDS:
                words[group] += _WORD_WEIGHT * ratio
            else:
                score += ratio
        return score + sum(max(-_MOST_BY_WORDS, min(_MOST_BY_WORDS, found)) for found in words.values())

    def _background(self, feature: Feature) -> float:
        return self._all[feature] / self._all_groups[feature[0]]

    def _share(self, feature: Feature, name: str) -> float:
        """Return the feature's share in a class, drawn towards its share in all turns where the class is small."""
        counted = self._counts[name][feature] + _SMOOTHING * self._background(feature)
        return counted / (self._totals[name][feature[0]] + _SMOOTHING)


def _reply_results(turns: Sequence[LabelerTurn]) -> frozenset[str]:
    """Return the results that the reply tool returns: some layouts log a receipt for each reply.

    Where few replies have one, those are calls mislabelled as replies, and what follows is that nothing was found.
    """
    follows = [turn.follows == "result" and not turn.rows for turn in turns if turn.raw_reply]
    if sum(follows) <= _MOSTLY * len(follows):
        return frozenset()
    votes: dict[str, Counter[bool]] = defaultdict(Counter)
    for turn in turns:
        if turn.follows == "result" and not turn.rows:
            votes[signature(turn)][turn.raw_reply] += 1
    return frozenset(sign for sign, vote in votes.items() if vote[True] >= _RARE and vote[True] > vote[False])


def _service_counts(turns: Sequence[LabelerTurn]) -> dict[str, tuple[int, int]]:
    """Return, by what follows, the number of turns that the traces label as service calls, and of all turns."""
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    for turn in turns:
        counts[turn.follows][turn.raw_reply] += 1
    return {follows: (counts[follows][False], counts[follows].total()) for follows in ("result", "user", "turn", "end")}
