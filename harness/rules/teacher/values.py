"""New values for the slots of a task, in the format in which values were seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from harness.rules.language.dates_and_times import parse_as
from harness.rules.language.equivalence import truth, typed
from harness.rules.teacher.lexicon import like, names
from harness.rules.teacher.slots import Slot, learn_slot

_NO_TODAY = date(2026, 3, 2)
"""The start of drawn dates where no trace shows any."""
_AHEAD = 27
_OPEN, _CLOSE = 8 * 60, 21 * 60
_QUARTER = 15
_OBSERVED = 0.25
"""Share of places that are taken from the traces and not from the list."""
_SHORT = 3
"""Longest code of a place."""
_PHONE, _CODE = "555-010-0000", "N-00000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Draws values. Relative dates count from `today`, None where no trace determines it."""

    today: date | None

    def draw(self, slot: Slot, rng: Random, *, schema: Any = None) -> Any:
        """Return a new value of a slot, valid for the argument's own `schema` where one is given."""
        schema = slot.schema if schema is None else schema
        choices = [choice for choice in schema.get("enum") or () if str(choice).lower() != "dontcare"]
        if choices:
            return rng.choice(choices)
        value = self._draw(slot, rng)
        return typed(value, schema.get("type"))

    def day_of(self, slot: Slot, value: Any) -> date | None:
        """Return the day that a value of a date slot means."""
        return parse_day(str(value), slot.format, self.base.year)

    @property
    def base(self) -> date:
        """The day that drawn dates come after."""
        return self.today or _NO_TODAY

    def write_day(self, slot: Slot, day: date) -> str:
        """Return a day as the task writes it."""
        return _write(slot, datetime(day.year, day.month, day.day))

    def _draw(self, slot: Slot, rng: Random) -> Any:
        unseen = _PHONE if "phone" in slot.label else _CODE
        draws: dict[str, Callable[[], Any]] = {
            "flag": lambda: rng.choice(_flags(slot)),
            "date": lambda: self.write_day(slot, self.base + timedelta(days=rng.randint(0, _AHEAD))),
            "time": lambda: _time(slot, rng),
            "count": lambda: _count(slot, rng),
            "number": lambda: _number(slot, rng),
            "phone": lambda: like(str(rng.choice(slot.values)) if slot.values else unseen, rng),
            "address": lambda: names().address(rng),
            "city": lambda: _city(slot, rng),
            "person": lambda: names().person(rng),
            "list": lambda: _items(slot, rng),
            "object": lambda: self._object(slot, rng),
            "title": lambda: names().title(rng, endings(slot)),
            "choice": lambda: rng.choice(_words(slot)) if slot.values else names().title(rng),
            "word": lambda: rng.choice(_words(slot)) if slot.values else names().title(rng),
        }
        return draws[slot.kind]()

    def _object(self, slot: Slot, rng: Random) -> Any:
        if slot.values:
            return rng.choice(slot.values)
        inner = slot.schema.get("properties") or {}
        wanted = slot.schema.get("required") or list(inner)
        return {key: self.draw(learn_slot(key, inner[key], (), distinct=False), rng) for key in wanted if key in inner}


def endings(slot: Slot) -> list[str]:
    """Return the last words that several of a slot's values share: the generic names of such things in this task."""
    last = [str(value).split()[-1] for value in slot.values if len(str(value).split()) > 1]
    return sorted({word for word in last if word.isalpha() and (last.count(word) > 1 or len(last) < 12)})


def parse_day(text: str, form: str, year: int) -> date | None:
    """Return the day that `text` means in `form`, of `year` where the form has none; None where it is none."""
    moment = parse_as(text, form, year)
    return moment.date() if moment else None


def parse_minutes(text: str, form: str) -> int | None:
    """Return the minute of the day that `text` means in `form`."""
    moment = parse_as(text, form)
    return moment.hour * 60 + moment.minute if moment else None


def _write(slot: Slot, moment: datetime) -> str:
    """Return a moment as the traces write it: figures are padded unless a trace shows one that is not."""
    text = moment.strftime(slot.format)
    seen = [str(value) for value in slot.values]
    if any(re.search(r"(?<!\d)\d(?!\d)", value) for value in seen):
        text = re.sub(r"^0(?=\d)" if slot.kind == "time" else r"(?<!\d)0(?=\d)", "", text)
    return text.lower() if seen and all(value.islower() for value in seen) else text


def _time(slot: Slot, rng: Random) -> str:
    seen = [minutes for value in slot.values if (minutes := parse_minutes(str(value), slot.format)) is not None]
    low, high = (min(seen) - 60, max(seen) + 60) if len(seen) > 1 else (_OPEN, _CLOSE)
    step = next((size for size in (60, 30, _QUARTER, 5, 1) if all(minutes % size == 0 for minutes in seen)), _QUARTER)
    step = min(step, 30) if "%M" in slot.format else 60
    low, high = max(0, low) // step, min(24 * 60 - step, high) // step
    minutes = rng.randint(low, high) * step
    return _write(slot, datetime(2020, 1, 1, minutes // 60, minutes % 60))


def _count(slot: Slot, rng: Random) -> Any:
    seen = [int(value) for value in slot.values]
    low = min(1, *seen, int(slot.schema.get("minimum", 1))) if seen else int(slot.schema.get("minimum", 1))
    high = max([*seen, 4]) if "maximum" not in slot.schema else int(slot.schema["maximum"])
    value = rng.randint(low, max(low, high))
    return str(value) if slot.values and isinstance(slot.values[0], str) else value


def _number(slot: Slot, rng: Random) -> Any:
    if not slot.values:
        return round(rng.uniform(float(slot.schema.get("minimum", 1)), float(slot.schema.get("maximum", 200))), 2)
    example = rng.choice(slot.values)
    if isinstance(example, str):
        return _near(example, rng)
    seen = [float(value) for value in slot.values if not isinstance(value, str)]
    low, high = min(seen), max(seen)
    drawn = rng.uniform(low, high) if high > low else rng.uniform(low * 0.7, low * 1.4)
    digits = max(len(str(value).partition(".")[2]) for value in seen)
    return round(drawn) if isinstance(example, int) else round(drawn, digits)


def _near(example: str, rng: Random) -> str:
    """Return another amount of about the same size, written the same way."""

    def other(match: re.Match[str]) -> str:
        digits = match[0]
        drawn = rng.randint(round(int(digits) * 0.7), round(int(digits) * 1.3) + 1)
        return str(drawn)

    whole, point, rest = example.partition(".")
    whole = re.sub(r"\d+", other, whole)
    return whole + point + re.sub(r"\d", lambda _: str(rng.randint(1, 9)), rest)


def _city(slot: Slot, rng: Random) -> str:
    short = bool(slot.values) and all(len(str(value)) <= _SHORT for value in slot.values)
    if slot.values and (short or rng.random() < _OBSERVED):
        return str(rng.choice(slot.values))
    return rng.choice(names().cities)


def _items(slot: Slot, rng: Random) -> list[Any]:
    items = slot.schema.get("items") or {}
    pool = list(items.get("enum") or ())
    pool = pool or [part for value in slot.values for part in (value if isinstance(value, list) else [value])]
    if not pool:
        inner = learn_slot(slot.name, items, (), distinct=False)
        pool = [Values(today=None).draw(inner, rng) for _ in range(4)]
    pool = [item for number, item in enumerate(pool) if item not in pool[:number]]
    low = int(slot.schema.get("minItems", 1))
    return rng.sample(pool, min(len(pool), max(low, rng.randint(1, 2))))


def _words(slot: Slot) -> Sequence[Any]:
    """Return what a category may be: values seen, and the members of the set that they belong to."""
    known = {str(value).lower() for value in slot.values}
    for members in names().sets.values():
        inside = {member.lower() for member in members}
        if known and len(known & inside) * 2 >= len(known) and len(known) > 1:
            return [*slot.values, *(member for member in members if member.lower() not in known)]
    return slot.values


def _flags(slot: Slot) -> list[Any]:
    seen = [value for value in slot.values if truth(value) is not None]
    if not seen:
        return [True, False]
    example = seen[0]
    if isinstance(example, bool):
        return [True, False]
    pair = ("True", "False") if str(example).lower() in ("true", "false") else ("Yes", "No")
    return [text if str(example)[0].isupper() else text.lower() for text in pair]
