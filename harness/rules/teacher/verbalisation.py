"""Verbalisation: values as people say them, and where a text mentions one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from harness.data.text import plain
from harness.rules.language.dates_and_times import find_dates, find_times, ordinal, twelve_hours
from harness.rules.language.equivalence import truth
from harness.rules.teacher.lexicon import names
from harness.rules.teacher.slots import Slot, split_name
from harness.rules.teacher.values import Values, parse_minutes

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WEEK = 7
_NOON, _EVENING = 12 * 60, 17 * 60
_DONE = {"allowed": "allow", "welcome": "welcome", "included": "include", "permitted": "permit", "accepted": "accept"}
_VERBS = re.compile(r"\w{3,}[^s]s")


def spoken(slot: Slot, value: Any, values: Values, rng: Random, *, plainly: bool = True) -> str:
    """Return a value as a noun phrase; `plainly` keeps to the forms that need no working out."""
    if slot.kind == "date":
        day = values.day_of(slot, value)
        return str(value) if day is None else _day(day, values.today, rng, plainly=plainly)
    if slot.kind == "time":
        minutes = parse_minutes(str(value), slot.format)
        return str(value) if minutes is None else _time(minutes, rng, plainly=plainly)
    if slot.kind == "count" and str(value).isdigit():
        return _count(slot, int(value), rng)
    return f"{slot.unit}{shown(value)}"


def shown(value: Any) -> str:
    """Return any JSON value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        parts = [shown(part) for part in value]
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    if isinstance(value, dict):
        return ", ".join(f"{' '.join(split_name(key))} {shown(part)}" for key, part in value.items())
    return str(value)


def _day(day: date, today: date | None, rng: Random, *, plainly: bool) -> str:
    ahead = (day - today).days if today else -1
    number, month = ordinal(day.day), f"{day:%B}"
    relative = {0: "today", 1: "tomorrow", 2: "the day after tomorrow"}.get(ahead)
    if relative and (ahead < 2 or not plainly) and rng.random() < 0.8:
        return relative
    forms = [f"{month} {number}", f"{month} {number}", f"the {number} of {month}"]
    if today and ahead > 0 and day.month == today.month:
        forms.append(f"the {number}")
    if not plainly and 2 < ahead < _WEEK:
        forms += [f"this {day:%A}"] * 2
    return rng.choice(forms)


def _time(minutes: int, rng: Random, *, plainly: bool) -> str:
    hour, minute = divmod(minutes, 60)
    clock = (hour + 11) % 12 + 1
    part = "in the morning" if minutes < _NOON else "in the afternoon" if minutes < _EVENING else "in the evening"
    figures = twelve_hours(minutes)
    forms = [figures, figures, figures if minute else figures.replace(" ", ":00 ")]
    if not plainly and hour:
        forms.append(f"{clock} {part}" if not minute else figures)
        forms += {15: [f"quarter past {clock} {part}"], 30: [f"half past {clock} {part}"]}.get(minute, [])
    return rng.choice(forms)


def _count(slot: Slot, number: int, rng: Random) -> str:
    figure = _WORDS[number] if number < len(_WORDS) and rng.random() < 0.3 else str(number)
    if not slot.unit:
        return figure
    return f"{figure} {unit(slot, number)}"


def unit(slot: Slot, number: int) -> str:
    """Return what a count counts, in the singular for one."""
    if number != 1:
        return slot.unit
    return names().singular.get(slot.unit) or re.sub(r"s\b", "", slot.unit)


def mention(text: str, slot: Slot, value: Any, values: Values) -> tuple[int, int] | None:
    """Return where a text says a value, None where it does not; the unit of a count belongs to it."""
    if slot.kind == "flag":
        return None
    if slot.kind in ("date", "time"):
        return _moment(text, slot, value, values)
    if slot.kind == "count" and str(value).isdigit():
        word = _WORDS[int(value)] if int(value) < len(_WORDS) else str(value)
        counted = "|".join(re.escape(unit(slot, number)) for number in (1, 2) if slot.unit)
        match = re.search(rf"(?<![\w:.$-])(?:{value}|{word})(?![\w:%])(?! ?[ap]\.?m)(?: (?:{counted})\b)?", text, re.I)
        return match.span() if match else None
    said = shown(value)
    sign = r"[$€£]?" if slot.kind == "number" else ""
    match = re.search(rf"(?<!\w){sign}{re.escape(said)}(?!\w)", text, re.I) if said else None
    return match.span() if match else None


def _moment(text: str, slot: Slot, value: Any, values: Values) -> tuple[int, int] | None:
    """Return where a date or time is said; the article or part of the day beside it belongs to it."""
    figures, places = _figures(text)
    if slot.kind == "date":
        day = values.day_of(slot, value)
        wanted = None if day is None else day.toordinal()
    else:
        wanted = parse_minutes(str(value), slot.format)
    moments = _moments(figures, slot.kind, values)
    spans = [(places[start], places[end]) for meant, start, end in moments if wanted in meant]
    if not spans:
        return None
    start, end = spans[0]
    start -= 4 if slot.kind == "date" and text[max(0, start - 4) : start].lower() == "the " else 0
    part = re.match(r" in the (?:morning|afternoon|evening)\b", text[end:], re.I) if slot.kind == "time" else None
    while end > start and text[end - 1] in " .,":
        end -= 1
    return start, end + (part.end() if part else 0)


def has_moment(text: str, kind: str, values: Values) -> bool:
    """Whether a text says any date (`kind` date) or time (`kind` time)."""
    return kind in ("date", "time") and bool(_moments(_figures(text)[0], kind, values))


def _moments(figures: str, kind: str, values: Values) -> list[tuple[frozenset[int], int, int]]:
    return find_dates(figures, values.base) if kind == "date" else find_times(figures)


def _figures(text: str) -> tuple[str, list[int]]:
    """Return the text in lower case with number words as figures, and for each place in it the place in `text`."""
    out: list[str] = []
    places: list[int] = []
    last = 0
    for match in re.finditer(r"[A-Za-z]+", text):
        figure = plain(match[0])
        if not figure.isdigit():
            continue
        places += [*range(last, match.start()), *[match.start()] * len(figure)]
        out += [text[last : match.start()], figure]
        last = match.end()
    places += range(last, len(text) + 1)
    return ("".join([*out, text[last:]])).lower(), places


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """What a flag says, in words that follow `it`, and the question for it."""

    yes: str
    no: str
    ask: str

    def of(self, value: Any) -> str:
        """Return what a value of the flag says."""
        return self.yes if truth(value) else self.no


def clause(slot: Slot) -> Clause:
    """Return how a flag is put into words, from its name: `has_x`, `is_x`, `serves_x`, `x_allowed`, `x`."""
    words = split_name(slot.name)
    rest = " ".join(words[1:])
    if words[0] == "has" and rest:
        return Clause(yes=f"has {rest}", no=f"does not have {rest}", ask=f"does it have {rest}")
    if words[0] in ("is", "are") and rest:
        return Clause(yes=f"is {rest}", no=f"is not {rest}", ask=f"is it {rest}")
    if len(words) > 1 and _VERBS.fullmatch(words[0]):
        verb = words[0][:-1]
        return Clause(yes=f"{words[0]} {rest}", no=f"does not {verb} {rest}", ask=f"does it {verb} {rest}")
    if words[-1] in _DONE and len(words) > 1:
        verb, what = _DONE[words[-1]], " ".join(words[:-1])
        are = "are" if words[-2].endswith("s") else "is"
        return Clause(yes=f"{verb}s {what}", no=f"does not {verb} {what}", ask=f"{are} {what} {words[-1]}")
    if len(words) == 1 and words[0].endswith(("ed", "able", "al", "free")):
        return Clause(yes=f"is {words[0]}", no=f"is not {words[0]}", ask=f"is it {words[0]}")
    said = " ".join(words)
    return Clause(yes=f"comes with {said}", no=f"comes without {said}", ask=f"does it come with {said}")
