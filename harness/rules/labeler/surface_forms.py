"""Surface forms of a parameter's values: which values a text states, written as the batch writes them.

For example, where a batch writes dates as `2019-03-02`, the text `March 2nd` states `2019-03-02`; where it writes
`02/03/2019`, it states that.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache, cached_property, lru_cache
from typing import Literal

from harness.data.text import alike, plain, tokens
from harness.data.tools import Toolbox
from harness.rules.labeler.turns import LabelerDialogue, LabelerTurn
from harness.rules.language.dates_and_times import TIME_FORMATS, find_dates, find_times, parse_as
from harness.rules.language.equivalence import truth
from harness.rules.language.mentions import masked

Kind = Literal["date", "time", "number", "flag", "words"]
Readings = tuple[str, ...]
"""The values that one expression may mean, the likeliest first."""

_DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%B %d, %Y", "%d %B %Y")
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|(?<![\w.:/-])\d+(?:\.\d+)?(?![\w:/-])")
_TODAY = re.compile(r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b")
_TOMORROW = re.compile(r"(?<!after )\btomorrow\b")
_MOSTLY, _STATED, _FAR = 0.8, 0.6, 3
_FEW_NUMBERS = 12
_NO_DAY = date(2000, 1, 1)
"""Today where calls hold no dates, so that it does not matter."""
_EMPTY_WORDS = frozenset(["the", "a", "an", "of", "in", "at", "is", "has", "for", "or", "and", "to", "if", "whether"])


class SurfaceForms:
    """What a batch of traces teaches about values: their kinds and formats, which there are, and what day it is."""

    def __init__(self, dialogues: Sequence[LabelerDialogue], turns: Sequence[LabelerTurn], toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._keys = {key for name in toolbox.services for key in toolbox.parameters(name)}
        self.values: dict[str, Counter[str]] = defaultdict(Counter)
        for turn in turns:
            if not turn.raw_reply:
                self._count(turn.raw.arguments.items())
        for dialogue in dialogues:
            for row in (row for event in dialogue.events if event.kind == "result" for row in event.rows):
                self._count(row.items())
        self._formats = {key: _format(values) for key, values in self.values.items()}
        self.today = self._learn_today(turns)
        self.find = cache(lambda key, text: tuple(self._find(key, text)))
        """Key, text -> what the text states that the parameter could take, in order; nothing for flags."""
        self.states = cache(self._states)
        """Key, value, text -> whether the text states this value of the parameter, or mentions the flag."""

    def kind(self, key: str) -> Kind:
        """Return what kind of values a parameter takes."""
        return self._formats[key][0] if key in self._formats else "words"

    def usual(self, key: str) -> str | None:
        """Return the most frequent value of a parameter in calls and rows, None where there is none."""
        values = self.values[key]
        return min(values, key=lambda value: (-values[value], value)) if values else None

    def _states(self, key: str, value: str, text: str) -> bool:
        kind = self.kind(key)
        if kind == "flag":
            return bool(self._flag_words.get(key, frozenset()) & _stems(text))
        if kind != "words" and any(value in mention for mention in self.find(key, text)):
            return True
        if kind in ("date", "time"):
            return False
        wanted, said = words_of(value), frozenset(words_of(text))
        left = len(wanted) - _STATED * len(wanted)
        for word in wanted:
            if word not in said and not any(_alike(word, other) for other in said):
                left -= 1
            if left < 0:
                return False
        return bool(wanted)

    @cached_property
    def _flag_words(self) -> dict[str, frozenset[str]]:
        """Return the words of a parameter's name: a user who wants a flag set names what it is about."""
        return {key: _stems(re.sub(r"[_\W]+|(?<=[a-z])(?=[A-Z])", " ", key)) for key in self._keys}

    def _count(self, items: Iterable[tuple[str, object]]) -> None:
        for key, value in items:
            if key in self._keys and isinstance(value, str | int | float):
                self.values[key][str(value)] += 1

    def _find(self, key: str, text: str) -> Iterable[Readings]:
        kind, pattern = self._formats.get(key, ("words", ""))
        if kind == "date":
            for days, _, _ in find_dates(plain(text), self.today):
                yield tuple(date.fromordinal(day).strftime(pattern) for day in sorted(days))
        elif kind == "time":
            for minutes, _, _ in find_times(plain(text)):
                yield self._by_frequency(key, {_clock(minute, pattern) for minute in minutes})
        elif kind == "number":
            known, text = self.values[key], plain(text)
            for match in _NUMBER.finditer(masked(text, [*find_dates(text, self.today), *find_times(text)])):
                number = match[0].replace(",", "")
                if number in known or len(known) > _FEW_NUMBERS:
                    yield (number,)
        elif kind == "words":
            yield from self._names(key, text)

    def _by_frequency(self, key: str, values: set[str]) -> Readings:
        return tuple(sorted(values, key=lambda value: (-self.values[key][value], value)))

    def _names(self, key: str, text: str) -> Iterable[Readings]:
        index, words, at = self._index[key], words_of(text), 0
        while at < len(words):
            match = next(
                (v for v in index.get(words[at], ()) if words_of(v) == words[at : at + len(words_of(v))]), None
            )
            if match is not None:
                yield (match,)
            at += len(words_of(match)) if match is not None else 1

    @cached_property
    def _index(self) -> dict[str, dict[str, list[str]]]:
        """Return, by parameter and first word, the values, longest first, and the more frequent spelling first."""
        index: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for key, values in self.values.items():
            choices = [
                c
                for name in self._toolbox.services
                if key in (ps := self._toolbox.parameters(name))
                for c in ps[key].choices
            ]
            for value in sorted({*values, *choices}, key=lambda value: (-len(words_of(value)), -values[value], value)):
                if set(words_of(value)) - _EMPTY_WORDS:
                    index[key][words_of(value)[0]].append(value)
        return index

    def _learn_today(self, turns: Sequence[LabelerTurn]) -> date:
        """Return the day that `today` most often means: what calls hold after a user said so, or a day earlier."""
        votes: Counter[int] = Counter()
        dates: list[int] = []
        for turn in turns:
            days = [day for key, value in turn.raw.arguments.items() if (day := self._day(key, str(value)))]
            dates += days
            for event in list(turn.dialogue.said_before(turn.position))[:2]:
                text = plain(event.text)
                votes.update(day for day in days if _TODAY.search(text))
                votes.update(day - 1 for day in days if _TOMORROW.search(text))
        if votes:
            return date.fromordinal(max(votes, key=lambda day: (votes[day], -day)))
        return date.fromordinal(min(dates)) if dates else _NO_DAY

    def _day(self, key: str, value: str) -> int | None:
        kind, pattern = self._formats.get(key, ("words", ""))
        if kind != "date":
            return None
        found = parse_as(value, pattern)
        return found.toordinal() if found else None


def _format(values: Counter[str]) -> tuple[Kind, str]:
    """Return the kind of most values, and the format of dates and times."""
    total = values.total()
    if sum(count for value, count in values.items() if truth(value) is not None) > _MOSTLY * total:
        return "flag", ""
    for kind, formats in (("date", _DATE_FORMATS), ("time", TIME_FORMATS)):
        for pattern in formats:
            if sum(count for value, count in values.items() if parse_as(value, pattern)) > _MOSTLY * total:
                return ("date" if kind == "date" else "time"), pattern
    if sum(count for value, count in values.items() if re.fullmatch(r"\d+(?:\.\d+)?", value)) > _MOSTLY * total:
        return "number", ""
    return "words", ""


def _clock(minute: int, pattern: str) -> str:
    return datetime(2000, 1, 1, minute // 60, minute % 60).strftime(pattern)


@lru_cache(maxsize=1 << 18)
def _alike(one: str, other: str) -> bool:
    return one[0] == other[0] and abs(len(one) - len(other)) < _FAR and alike(one, other)


@lru_cache(maxsize=65536)
def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, plain."""
    return tuple(tokens(text))


def _stems(text: str) -> frozenset[str]:
    """Return the first five letters of each word that says something."""
    return frozenset(word[:5] for word in words_of(text) if word not in _EMPTY_WORDS)
