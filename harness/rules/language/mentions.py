"""Values that a text states: times, dates, numbers of people, phone numbers, amounts of money, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Literal

from harness.data.text import plain, tokens
from harness.rules.language.dates_and_times import find_dates, find_times
from harness.rules.language.equivalence import phone_digits
from harness.rules.language.lexicon import lexicon

Kind = Literal["time", "date", "people", "phone", "money", "address", "number"]
"""`number` is any other whole number: it may be what a speaker left unsaid, and is evidence but no claim."""

_PHONE = re.compile(r"(?<![\w.])\+?\(?\d(?:[\s().-]{0,2}\d){8,14}(?!\w)")
_MONEY = re.compile(
    r"\$\s?(\d{1,9}(?:,\d{3}){0,4}(?:\.\d{1,2})?)"
    r"|(?<![\d.,])(\d{1,9}(?:,\d{3}){0,4}(?:\.\d{1,2})?) (?:dollars|usd|bucks)\b"
)
_GROUP = re.compile(
    r"\b(?:table|reservation|booking|party|group|party size|reserve|book|seats?) (?:for |of |is |it for )?(\d{1,2})"
    r"(?![\w:%/.-]*\d)(?! ?(?:[ap]\.?m|days?|nights?|stars?|rooms?|beds?|hours?|minutes?|tickets?|dollars|%|-|th|st))\b"
    r"|\bfor (?:just |only )?(\d{1,2})"
    r"(?= ?(?:[.,!?;)]|$)| (?:at|in|on|today|tomorrow|tonight|this|next|please|and|instead)\b)"
)
_STREET = (
    r"(?:street|avenue|road|boulevard|drive|lane|way|court|place|square|st|ave|blvd|rd|dr|ln|plaza|highway|parkway|"
    r"terrace|real|row|alley|circle|broadway|expressway|pike|turnpike)"
)
_ADDRESS = re.compile(
    rf"(?<![\d#$.-])(\d{{1,5}})(?:-\d+)?((?: (?!and\b|at\b|for\b|is\b|in\b)[\w.'&]+){{0,4}}? {_STREET})\b"
)
_STREET_TYPE = re.compile(r"\b(?:street|avenue|road|boulevard|drive|lane|ave|blvd|rd)$")
_NUMBER = re.compile(r"(?<![\w:$.~-])\d{1,3}(?![\w:%-]|\.\d)")
_MONEY_KEYS = ("price", "fare", "rent", "amount", "balance", "cost")
_ISO, _CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One value as a text states it."""

    kind: Kind
    values: frozenset[Any]
    """What it may mean: minutes of the day, days, numbers, digits, cents, or number and word of a street."""
    text: str

    def agrees(self, other: Mention) -> bool:
        """Whether both may mean the same."""
        return self.kind == other.kind and bool(self.values & other.values)


@lru_cache(maxsize=4096)
def find_mentions(text: str, today: date, names: tuple[str, ...] = ()) -> tuple[Mention, ...]:
    """Return what `text` states, in the order of kinds. Digits within `names` (plain) count as no value."""
    rest = plain(text)
    for name in names:
        rest = rest.replace(name, " " * len(name))
    dates = find_dates(rest, today)
    times = find_times(masked(rest, dates))
    found: list[tuple[Kind, frozenset[Any], str]] = [("date", days, rest[start:end]) for days, start, end in dates]
    found += [("time", minutes, rest[start:end]) for minutes, start, end in times]
    found += _numbers(masked(rest, [*dates, *times]))
    return tuple(Mention(kind=kind, values=values, text=text.strip()) for kind, values, text in found if values)


def masked(text: str, spans: Iterable[tuple[Any, int, int]]) -> str:
    """Return `text` with `~` for each span (value, start, end), so that nothing there is read as something else."""
    for _, start, end in spans:
        text = text[:start] + "~" * (end - start) + text[end:]
    return text


def _numbers(text: str) -> Iterator[tuple[Kind, frozenset[Any], str]]:
    for match in _PHONE.finditer(text):
        yield "phone", frozenset([phone_digits(match[0])]), match[0]
    for match in _MONEY.finditer(text):
        yield "money", frozenset([_cents(match)]), match[0]
    for match in _ADDRESS.finditer(text):
        if len(match[1]) > 1 or _STREET_TYPE.search(match[0]):
            yield "address", _address(match[0]), match[0]
    for match in (*_GROUP.finditer(text), *_people().finditer(text)):
        yield "people", frozenset([int(next(group for group in match.groups() if group))]), match[0]
    for number in _NUMBER.findall(text):
        yield "number", frozenset([int(number)]), number


@lru_cache(maxsize=1)
def _people() -> re.Pattern[str]:
    nouns = "|".join(re.escape(noun) for noun in lexicon().people)
    return re.compile(rf"(?<![\d:$.~-])(\d{{1,2}}) (?:more |other )?(?:{nouns})\b")


def _cents(match: re.Match[str]) -> int:
    return round(float((match[1] or match[2]).replace(",", "")) * 100)


def _address(text: str) -> frozenset[str]:
    words = tokens(text)
    numbers = [word for word in words if word.isdigit()]
    return frozenset(
        f"{number} {word}" for number in numbers for word in words if word not in (number, *lexicon().street_words)
    )


def mention_of(key: str, value: Any, today: date) -> Mention | None:
    """Return the value that the field `key` of a call or result states, None for other kinds of values."""
    if not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    if _ISO.fullmatch(text):
        return next(iter(find_mentions(text, today)), None)
    if _CLOCK.fullmatch(text):
        return _exact_time(text)
    values: frozenset[Any] = frozenset()
    kind: Kind = "number"
    if "address" in key and any(char.isdigit() for char in text[:6]):
        kind, values = "address", _address(text)
    elif "phone" in key and (digits := phone_digits(text)):
        kind, values = "phone", frozenset([digits])
    elif amount := _MONEY.fullmatch(text):
        kind, values = "money", frozenset([_cents(amount)])
    elif not re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", text):
        return None
    elif key in lexicon().people_arguments:
        kind, values = "people", frozenset([int(float(text))])
    elif any(part in key for part in _MONEY_KEYS):
        kind, values = "money", frozenset([round(float(text) * 100)])
    return Mention(kind=kind, values=values, text=text) if values else None


def _exact_time(text: str) -> Mention | None:
    hour, minute = (int(part) for part in text.split(":")[:2])
    return Mention(kind="time", values=frozenset([hour % 24 * 60 + minute]), text=text) if minute < 60 else None
