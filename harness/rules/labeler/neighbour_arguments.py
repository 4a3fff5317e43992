"""Arguments of a service call from its result and from what users say, as in the batch's consistent calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from harness.data.events import Event
from harness.data.records import ToolCall
from harness.data.text import tokens
from harness.data.tools import Toolbox
from harness.rules.labeler.reply_context import plain_line
from harness.rules.labeler.reply_state import forms, is_known, known_words, scalars
from harness.rules.labeler.turns import constants
from harness.rules.language.equivalence import truth

_USUAL, _EVER = 0.5, 0.05
_FEW = 3
_CHANCE = 0.02
_STEM = 6


class ConsistentCalls:
    """Consistent calls: which keys they have, which values there are."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._calls: Counter[str] = Counter()
        self._keys: dict[str, Counter[str]] = defaultdict(Counter)
        self._values: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, call: ToolCall, rows: Sequence[Mapping[str, Any]]) -> None:
        """Learn from a call with its result."""
        self._calls[call.name] += 1
        self._keys[call.name].update(call.arguments.keys())
        for source in (call.arguments, *rows):
            for key, value in scalars(source).items():
                self._values[key][value] += 1

    def arguments(self, name: str, sequence: Sequence[Event], event: Event) -> dict[str, Any] | None:
        """Return the arguments of a call of `name` at a turn; None where a required one cannot be told.

        A value comes from the result where all rows have the same, else from what the user said last, else from the
        other calls of the conversation, the nearest first. Optional ones are left out where the user asked for no such
        thing and most calls do not have them.
        """
        rows = sequence[event.position + 1].rows
        users = [other for other in sequence[: event.position] if other.kind == "user"]
        words = known_words(users)
        fixed = constants([scalars(row) for row in rows])
        found: dict[str, Any] = {}
        for key, parameter in self._toolbox.parameters(name).items():
            value = fixed.get(key)
            if value is None or not is_known(value, words):
                said = self._said(key, users)
                # A named value that the result has under another key belongs there; this one was phrased otherwise.
                if value is not None and any(said == other for name, other in fixed.items() if name != key):
                    said = None
                value = said or value or self._called(key, sequence, event.position)
            if value is None and parameter.required:
                value = scalars(event.call.arguments if event.call else {}).get(key)
            if value is None:
                if parameter.required:
                    return None
                continue
            share = self._keys[name][key] / max(self._calls[name], 1)
            usual, ever = share > _USUAL, share > _EVER
            if (
                parameter.required
                or usual
                or (ever and (_asked_for(key, value, words) or self._filtered(key, value, rows)))
            ):
                found[key] = value
        return found if not self._toolbox.problems(ToolCall(name=name, arguments=found)) else None

    def _filtered(self, key: str, value: str, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether more rows share a value of a key than chance explains."""
        total = self._values[key].total()
        share = self._values[key][value] / total if total else 1.0
        same = all(scalars(row).get(key) == value for row in rows)
        return bool(rows) and same and share ** (len(rows) - 1) < _CHANCE

    def _said(self, key: str, users: Sequence[Event]) -> str | None:
        """Return the value of the parameter that the user named last, the longest of one message."""
        for user in reversed(users):
            line = f" {plain_line(user.text)} "
            words = known_words([user])
            told = [
                value
                for value in self._values[key]
                if truth(value) is None
                and (
                    any(f" {plain_line(form)} " in line for form in forms(value) if len(form) > 1)
                    or (":" in value and is_known(value, words))
                    or (len(value) >= _STEM and value.isalpha() and _stems_in(value, words))
                )
            ]
            if told:
                return max(sorted(told), key=len)
        return None

    def _called(self, key: str, sequence: Sequence[Event], position: int) -> str | None:
        """Return the value that another call of the conversation has, the nearest whose result agrees with it."""
        near = sorted(sequence[:-1], key=lambda other: abs(other.position - position))
        for other in near:
            if other.kind == "call" and other.call is not None and other.position != position:
                words = known_words(sequence[: other.position])
                rows = sequence[other.position + 1].rows
                if key in other.call.arguments and agrees(other.call, rows, words):
                    return scalars(other.call.arguments).get(key)
        return None


def agrees(call: ToolCall, rows: Sequence[Mapping[str, Any]], words: frozenset[str]) -> bool:
    """Whether the arguments fit the result: they have the value that all rows share, or one that users asked for.

    `words` are those of users and earlier results. Services sometimes propose something else, so one argument in three
    may differ where users named it. At least one argument must be known.
    """
    fixed, given = constants([scalars(row) for row in rows]), scalars(call.arguments)
    other = [key for key, value in given.items() if key in fixed and plain_line(value) != plain_line(fixed[key])]
    unknown = [
        key for key, value in given.items() if key not in fixed and truth(value) is None and not is_known(value, words)
    ]
    few = len(other) * _FEW <= len(given) and (not unknown or len(unknown) < len(given))
    return few and all(is_known(given[key], words) for key in other)


def _asked_for(key: str, value: str, words: frozenset[str]) -> bool:
    """Whether users named the value, or for yes and no what the parameter is about."""
    if truth(value) is None:
        return is_known(value, words) or _stems_in(value, words)
    parts = [part for part in tokens(key.replace("_", " ")) if len(part) > _FEW]
    return bool(parts) and parts[-1] in words


def _stems_in(value: str, words: frozenset[str]) -> bool:
    stems = [word[:_STEM] for word in tokens(value)]
    return bool(stems) and all(any(word.startswith(stem) for word in words) for stem in stems)
