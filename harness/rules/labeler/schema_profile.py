"""Profiles of a parameter's values, from task and traces: members, vocabulary, dates, times, flags, numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.data.canonical import canonical_value, kind_of
from harness.data.tools import Parameter, Toolbox
from harness.rules.labeler.schema_usage import Use
from harness.rules.labeler.schema_values import into_choices

_DATE, _TIME = re.compile(r"\d{4}-\d{2}-\d{2}|--\d{2}-\d{2}"), re.compile(r"\d{1,2}:\d{2}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_KNOWN = 0.6
"""A kind is known where this share of the observed values is of it."""
_FITS = {"date": 1.2, "time": 1.2, "number": 0.5, "flag": 0.4, "text": 0.2}
_CLASHES = -2.5
_VOCABULARY = 2.0
_DOUBT = 4.0
"""Number of sightings at which a value is half certain to belong to a name."""
_KIN = 0.3
"""Parameters with this share of common values, relative to the smaller set, take the same kind of values."""
_ENOUGH = 50
"""After this many observed values, a parameter with few distinct ones is unlikely to take others."""
_MEMBERS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What values a parameter takes."""

    parameter: Parameter
    kind: str
    """`date`, `time`, `number`, `flag`, `text`; empty where unknown."""
    vocabulary: Mapping[str, int]
    """How often each value was seen under this name in results, and in calls that fit the task."""


class Profiles:
    """The profiles of the parameters of a task, learned from a batch of traces."""

    def __init__(self, toolbox: Toolbox, batch: Iterable[Sequence[Use]]) -> None:
        self._toolbox = toolbox
        self._seen = _seen(toolbox, batch)
        self.settle()

    def add(self, name: str, values: Mapping[str, int]) -> None:
        """Count more values of a parameter: those of arguments that are surely it. `settle` makes them count."""
        self._seen.setdefault(name, Counter()).update(values)

    def settle(self) -> None:
        """Take what was added into account."""
        toolbox = self._toolbox
        merged = {name: _with_kin(name, self._seen) for name in sorted(self._seen)}
        self._by_place = {
            (tool, name): _profile(parameter, merged.get(name, Counter()))
            for tool in toolbox.names
            for name, parameter in toolbox.parameters(tool).items()
        }
        self._all = Counter[str]()
        for counts in self._seen.values():
            self._all.update(counts)

    def fit(self, values: Mapping[str, int], tool: str, name: str) -> float:
        """Return how well values fit a parameter, -2.5 (another kind) to 2 (values known for it, and for no other)."""
        profile = self._by_place[tool, name]
        total = sum(values.values())
        if not total:
            return 0.0
        parameter = profile.parameter
        if parameter.choices:
            found = into_choices(sorted(values), parameter.choices)
            share = sum(count for value, count in values.items() if value in found) / total
            return _FITS.get(profile.kind, _MEMBERS) * share + _CLASHES * (1 - share)
        kinds = Counter[str]()
        for value, count in values.items():
            kinds[_shape(value)] += count
        share = kinds[profile.kind] / total if profile.kind else 1.0
        fits = _FITS.get(profile.kind, 0.0) * share + _CLASHES * (1 - share)
        if profile.kind in ("flag", "number", "date", "time"):
            return fits
        if profile.kind and share < _KNOWN:
            return fits
        vocabulary = profile.vocabulary
        met = {value: count for value, count in values.items() if value in vocabulary}
        known = sum(count * vocabulary[value] / (self._all[value] + _DOUBT) for value, count in met.items())
        seen = sum(vocabulary.values())
        closed = 1 - len(vocabulary) / seen if seen >= _ENOUGH else 0.0
        return fits + _VOCABULARY * known / total - closed * (1 - sum(met.values()) / total)


def _seen(toolbox: Toolbox, batch: Iterable[Sequence[Use]]) -> dict[str, Counter[str]]:
    """Return the values under each parameter's name in rows, and in valid calls, with their counts."""
    wanted = {name for tool in toolbox.services for name in toolbox.parameters(tool)}
    seen: dict[str, Counter[str]] = {}
    for found in batch:
        for use in found:
            own = [use.call.arguments] if use.call.name in toolbox.services and not toolbox.problems(use.call) else []
            for row in (*use.rows, *own):
                for key in row.keys() & wanted:
                    seen.setdefault(key, Counter())[canonical_value(row[key], None)] += 1
    return seen


def _with_kin(name: str, seen: Mapping[str, Counter[str]]) -> Counter[str]:
    """Return the values of a parameter and of those that take the same ones: a city says not whether one goes there."""
    merged = Counter[str]()
    for other, counts in seen.items():
        common = len(counts.keys() & seen[name].keys())
        if other == name or common >= _KIN * min(len(counts), len(seen[name])):
            merged.update(counts)
    return merged


def _profile(parameter: Parameter, vocabulary: Counter[str]) -> Profile:
    kind = kind_of(parameter) if parameter.choices or parameter.schema.get("type") != "string" else ""
    if not kind and vocabulary:
        shape, count = Counter(sorted(map(_shape, vocabulary))).most_common(1)[0]
        kind = shape if count >= _KNOWN * len(vocabulary) else ""
    return Profile(parameter=parameter, kind=kind or kind_of(parameter), vocabulary=vocabulary)


def _shape(text: str) -> str:
    if text in ("true", "false"):
        return "flag"
    for kind, pattern in (("date", _DATE), ("time", _TIME), ("number", _NUMBER)):
        if pattern.fullmatch(text):
            return kind
    return "text"
