"""Matches the arguments of an old call with a tool's parameters: an assignment by names, values and results.

For example, `town` is `city` because the names are synonyms, its values are known as cities, and the rows of its
results repeat them under `city`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from scipy.optimize import linear_sum_assignment

from harness.data.tools import Toolbox
from harness.rules.labeler.schema_profile import Profiles
from harness.rules.labeler.schema_usage import ArgumentUsage, Group
from harness.rules.labeler.schema_words import is_opaque, likeness, name_words

_NAME, _TIE, _SAME, _REQUIRED = 3.0, 4.0, 1.0, 0.5
_ACCEPT = 0.9
_FILL = -0.5
"""A required parameter that nothing else fills takes an argument of this score."""
_POOL_CALLS = 3.0
"""Evidence pooled over all conversations counts as this many calls."""
_NAMESAKE = 0.5
"""Evidence from an argument of the same name in another tool of the conversation counts half."""
_ONLY = 0.5
"""Margin of a pair that is made because nothing else is left."""
_ELSEWHERE = 0.5
"""An argument that is tied to another key of the result with more certainty than this is not matched as the last one
left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An old argument and the parameter that it is."""

    old: str
    new: str
    score: float
    margin: float
    """How much worse the whole gets where this argument is another parameter, or another argument this one."""


class ArgumentMatcher:
    """Matches the arguments of groups of calls. `trust` is how far a (tool, argument) means the same everywhere."""

    def __init__(self, toolbox: Toolbox, profiles: Profiles, pool: Mapping[str, Group]) -> None:
        self._toolbox = toolbox
        self._profiles = profiles
        self._pool = pool
        self._pool_fit = cache(self._fit_of_pool)
        self._shared = {tool: _shared_words(tuple(toolbox.parameters(tool))) for tool in toolbox.names}
        self.trust: Mapping[tuple[str, ...], float] = {}

    def evidence(self, groups: Mapping[str, Group]) -> dict[str, dict[str, ArgumentUsage]]:
        """Return tool -> argument -> its evidence: own, half of its namesakes' here, and some of the pool."""
        return {
            group.name: {old: self._merged(groups, group, old) for old in group.evidence} for group in groups.values()
        }

    def pairs(self, group: Group, evidence: Mapping[str, ArgumentUsage], tool: str) -> tuple[Pair, ...]:
        """Return the pairs for one tool of the task. Unlikely pairs are left out."""
        olds, news = list(group.evidence), list(self._toolbox.parameters(tool))
        if not olds or not news:
            return ()
        scores = [[self._score(group, evidence[old], old, tool, new) for new in news] for old in olds]
        chosen = best_assignment(scores)
        found: list[Pair] = []
        for row, column in chosen.items():
            score = scores[row][column]
            if score >= (_FILL if self._toolbox.parameters(tool)[news[column]].required else _ACCEPT):
                margin = _margin(scores, chosen, row)
                found.append(Pair(old=olds[row], new=news[column], score=score, margin=margin))
        return (*found, *self._remaining(group, evidence, tool, found))

    def _remaining(
        self, group: Group, evidence: Mapping[str, ArgumentUsage], tool: str, found: Sequence[Pair]
    ) -> list[Pair]:
        """Return pairs of unmatched opaque arguments with the only remaining parameter that takes their values."""
        olds = [old for old in group.evidence if old not in {pair.old for pair in found}]
        news = [new for new in self._toolbox.parameters(tool) if new not in {pair.new for pair in found}]
        fits = {(old, new): self._fit(group, old, tool, new) for old in olds for new in news}
        pairs = []
        for old in olds:
            takers = [new for new in news if fits[old, new] > 0]
            elsewhere = any(sure > _ELSEWHERE and not is_opaque(key) for key, sure in evidence[old].tied_keys())
            if len(takers) != 1 or not is_opaque(old) or elsewhere:
                continue
            if sum(fits[other, takers[0]] > 0 for other in olds) == 1:
                pairs.append(Pair(old=old, new=takers[0], score=fits[old, takers[0]], margin=_ONLY))
        return pairs

    def _score(self, group: Group, evidence: ArgumentUsage, old: str, tool: str, new: str) -> float:
        parameter, shared = self._toolbox.parameters(tool)[new], self._shared[tool]
        named = likeness(old, new, parameter.description, shared)
        for key, sure in evidence.tied_keys():
            if key != new:
                named = max(named, sure * likeness(key, new, parameter.description, shared))
        score = _NAME * named + self._fit(group, old, tool, new) + _TIE * evidence.tie(new)
        return score + (_SAME if old == new else 0.0) + (_REQUIRED if parameter.required else 0.0)

    def _fit(self, group: Group, old: str, tool: str, new: str) -> float:
        fit = self._profiles.fit(group.evidence[old].values, tool, new)
        trust = self.trust.get((group.name, old), 0.0)
        if not trust:
            return fit
        return (fit + trust * self._pool_fit(group.name, old, tool, new)) / (1 + trust)

    def _fit_of_pool(self, name: str, old: str, tool: str, new: str) -> float:
        return self._profiles.fit(self._pool[name].evidence[old].values, tool, new)

    def _merged(self, groups: Mapping[str, Group], group: Group, old: str) -> ArgumentUsage:
        merged = ArgumentUsage()
        merged.add(group.evidence[old], 1.0)
        for other in groups.values():
            if other is not group and old in other.evidence:
                merged.add(other.evidence[old], _NAMESAKE)
        trust, pooled = self.trust.get((group.name, old), 0.0), self._pool[group.name].evidence[old]
        if trust and pooled.results:
            merged.add(pooled, trust * min(1.0, _POOL_CALLS / pooled.results))
        return merged


def best_assignment(scores: Sequence[Sequence[float]]) -> dict[int, int]:
    """Return row -> column with the highest sum of scores, each column once at most."""
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def _margin(scores: Sequence[Sequence[float]], chosen: Mapping[int, int], row: int) -> float:
    """Return how much better an assignment is than the best one that differs in one pair, or in two by a swap."""
    column, taken = chosen[row], {column: other for other, column in chosen.items()}
    own = scores[row][column]
    losses = [own - max(scores[row][free], 0.0) for free in range(len(scores[row])) if free not in taken]
    losses += [own - scores[free][column] for free in range(len(scores)) if free not in chosen]
    for other, place in chosen.items():
        if other != row:
            losses.append(own + scores[other][place] - scores[row][place] - scores[other][column])
    return min(losses, default=own)


def _shared_words(names: Sequence[str]) -> frozenset[str]:
    """Return the words that stand in several names."""
    counts = Counter(word for name in names for word in set(name_words(name)))
    return frozenset(word for word, count in counts.items() if count > 1)
