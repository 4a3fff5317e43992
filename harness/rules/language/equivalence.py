"""Whether two argument values mean the same: the same day, time, number, flag, level, place, name or kind."""

from __future__ import annotations

import re
import reprlib
from datetime import date
from functools import cache
from typing import Any

from harness.data.text import alike, plain, same_name, tokens
from harness.rules.language.dates_and_times import parse_clock, parse_date
from harness.rules.language.lexicon import lexicon

_ISO, _CLOCK = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,6})?")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_PLACE_KEYS = frozenset(["city", "location", "area", "where_to", "destination", "origin", "town"])


def same_value(key: str, reference: Any, other: Any, today: date) -> bool:
    """Whether `other` means what `reference` means, for an argument `key`.

    A reference that states nothing (`dontcare`) is met by anything. `5:45` may be 05:45 and 17:45.
    """
    a, b = _clean(reference), _clean(other)
    if a == b or not is_stated(a):
        return True
    return is_stated(b) and _same_value(key, a, b, today)


def _same_value(key: str, a: str, b: str, today: date) -> bool:
    if a in ("true", "false"):
        return lexicon().truths.get(b) == lexicon().truths[a]
    if _ISO.fullmatch(a):
        return bool((parse_date(a, today) or frozenset()) & (parse_date(b, today) or frozenset()))
    if _CLOCK.fullmatch(a):
        return _same_time(a, b)
    if "phone" in key:
        return phone_digits(a) == phone_digits(b)
    return _same_number(a, b) if _NUMBER.fullmatch(a) else _same_text(key, a, b)


def truth(value: Any) -> bool | None:
    """Return what a flag says (`True`, `yes`), None for any other value."""
    return _FLAGS.get(str(value).lower())


def typed(value: Any, declared: Any) -> Any:
    """Return a value in the type that a JSON schema declares, as it is where it cannot be of that type."""
    try:
        if declared == "integer":
            return int(value)
        if declared == "number" and not isinstance(value, int | float):
            return float(value)
    except ValueError:
        return value
    if declared == "boolean":
        flag = truth(value)
        return value if flag is None else flag
    return str(value) if declared == "string" else value


def is_stated(value: Any) -> bool:
    """Whether a value says anything: not empty, null, or one of the words for `no preference`."""
    return _clean(value) not in lexicon().no_preference


def show(value: Any) -> str:
    """Return an argument as text; lists and objects are abbreviated, so that any depth can be shown."""
    if isinstance(value, str):
        return value
    return reprlib.repr(value) if isinstance(value, list | dict) else str(value)


def _clean(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(plain(show(value)).split())


def phone_digits(text: str) -> str:
    """Return the digits by which two spellings of a phone number are the same, with or without a country's code."""
    return re.sub(r"\D", "", text)[-10:]


def _same_time(reference: str, other: str) -> bool:
    """Whether a 24-hour time is what `other` may mean."""
    hour, minute = (int(part) for part in reference.split(":")[:2])
    return hour * 60 + minute in (parse_clock(other) or ())


def _same_number(reference: str, other: str) -> bool:
    """`2`, `2.0`, `two` (already a digit) and `2 people` are the same number."""
    found = _NUMBER.findall(other)
    return len(found) == 1 and float(found[0]) == float(reference)


def _same_text(key: str, a: str, b: str) -> bool:
    levels = price_level(a), price_level(b)
    if None not in levels:
        return levels[0] == levels[1]
    if same_kind(a, b):
        return True
    if _initials(a) == b or _initials(b) == a:
        return True
    if key in _PLACE_KEYS or (not key.endswith("name") and not _PLACE_KEYS.isdisjoint(key.split("_"))):
        return _same_place(a, b)
    return same_name(a, b)


def _same_place(a: str, b: str) -> bool:
    """Places are the same with all their words only: South San Francisco is not San Francisco."""
    known = lexicon().no_names
    one, other = (
        "".join(word for word in tokens(place(name)) if word not in known) or "".join(tokens(name)) for name in (a, b)
    )
    return alike(one, other)


def place(name: str) -> str:
    """Return the usual name of a place: what stands before a comma, abbreviations written out."""
    known = lexicon().places
    bare = re.sub(r"^the ", "", plain(name).strip())
    return known.get(bare) or known.get(bare.split(",")[0].strip()) or bare.split(",")[0].strip()


def _initials(name: str) -> str | None:
    found = tokens(name)
    return "".join(word[0] for word in found) if len(found) > 1 else None


def price_level(text: str) -> int | None:
    """Return the level that a value names as a whole, from 0 (the cheapest), None where it names none."""
    bare = re.sub(r"\b(?:price range|price|priced|prices|ly)\b", "", plain(text)).strip()
    for level, entries in enumerate(lexicon().price_levels):
        if bare in entries:
            return level
    return None


def same_kind(one: str, other: str) -> bool:
    """Whether one is the other, or a kind of it, or they are listed as siblings; typos allowed."""
    a, b = _known(one), _known(other)
    return any(
        one == other or other in lexicon().above.get(one, ()) or one in lexicon().above.get(other, ())
        for one in _with_siblings(a)
        for other in _with_siblings(b)
    )


def _with_siblings(kind: str) -> set[str]:
    return {kind}.union(*(group for group in lexicon().siblings if kind in group))


def is_kind(word: str) -> bool:
    """Whether a word is a kind of the lexicon (`Italian`), and so no name of one thing."""
    return plain(word).strip() in _vocabulary()


def _known(kind: str) -> str:
    """Return the word of the lexicon that `kind` means, or `kind` itself."""
    bare = re.sub(r"\b(?:food|cuisine|restaurants?)\b", "", plain(kind)).strip()
    words = _vocabulary()
    if bare in words:
        return bare
    return next((word for word in words if alike(bare.replace(" ", ""), word.replace(" ", ""))), bare)


@cache
def _vocabulary() -> list[str]:
    known = lexicon()
    return sorted({*known.above, *(kind for kinds in known.above.values() for kind in kinds)}.union(*known.siblings))
