"""When a call has an optional parameter: learned from trusted calls, by what was said and returned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.data.tools import Toolbox
from harness.rules.labeler.evidence import Call, CallEvidence, user_words
from harness.rules.labeler.scenes import as_text
from harness.rules.labeler.wording import Wording

_STRENGTH, _UNKNOWN = 2.0, 0.5
_SEEN, _HINT, _LIFT, _FEW_VALUES = 3, 0.6, 2.0, 12
_CHANCE = 0.02
"""Rows that share a value which they would all have by no greater chance were searched by it."""


class Options:
    """How often optional parameters are there, in which circumstances."""

    def __init__(self, trusted: Sequence[Call], evidence: CallEvidence, wording: Wording, toolbox: Toolbox) -> None:
        self._evidence, self._wording, self._toolbox = evidence, wording, toolbox
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
        """Whether so many rows share one value of the parameter that this is no accident."""
        values, count = self._wording.values[key], len(call.turn.rows)
        share = values[call.known[key]] / max(1, values.total()) if key in call.known else 1.0
        return count > 1 and share ** (count - 1) < _CHANCE

    def _learn_hints(self, trusted: Sequence[Call]) -> dict[tuple[str, str, str], frozenset[str]]:
        """Return, by tool, optional parameter and value, the words of users that go with it: other words for it."""
        words: dict[tuple[str, str], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for call in trusted:
            for key in self._optional(call):
                if len(self._wording.values[key]) > _FEW_VALUES:
                    continue
                value = as_text(call.turn.raw.arguments.get(key, ""))
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
