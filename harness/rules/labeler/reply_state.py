"""The dialogue state where a reply stands, and the surface forms of its values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

from harness.data.events import Event
from harness.data.records import ToolCall
from harness.data.text import plain, tokens
from harness.data.tools import Toolbox
from harness.errors import DataError
from harness.rules.labeler.reply_context import plain_line
from harness.rules.language.dates_and_times import find_times, ordinal, twelve_hours
from harness.rules.language.lexicon import declared

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_ISO = re.compile(r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2})(?!\d)")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::00)?")
RELATIVE_DAYS = frozenset(
    ["today", "tonight", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
)
_FEW_USERS = 3
"""Number of user messages that may come before the call being prepared."""
_PHRASES = "labeler/phrases.yaml"
_EMPTY = frozenset(["", "none", "null", "dontcare"])
_SHORT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyState:
    """The dialogue state in the context of a reply."""

    facts: Mapping[str, str]
    """Key -> value: of the row under discussion, of the call being prepared, of earlier results."""
    row: Mapping[str, str]
    """The row under discussion, the next one where the user asked for another; empty without one."""
    rows: Sequence[Mapping[str, Any]]
    """All rows of the last result."""
    prepared: Mapping[str, str]
    """Those arguments of the next service call that earlier messages state."""
    before: Event | None
    """What the user said or a tool returned last."""
    after: Event | None
    """The next of that kind."""
    question: str
    """What the user said last."""
    made: ToolCall | None
    """The service call that was answered last."""
    next: ToolCall | None
    """The service call that comes next."""
    words: frozenset[str]
    """All words of users and tools so far; dates and times in spoken form too."""


def reply_state(sequence: Sequence[Event], position: int, toolbox: Toolbox) -> ReplyState:
    """Return the dialogue state before the message at `position`; nothing said or found after it is used."""
    given = [event for event in sequence if event.kind in ("user", "result")]
    earlier = [event for event in given if event.position < position]
    calls = [event for event in sequence if event.kind == "call" and event.call and event.call.name in toolbox]
    results = [event for event in earlier if event.kind == "result"]
    words = known_words(earlier)
    rows = results[-1].rows if results else ()
    row = _focus(sequence, position, results[-1]) if rows else {}
    prepared = _prepared(sequence, position, words)
    older: dict[str, str] = {}
    for event in results[:-1]:
        if len(event.rows) == 1:
            older.update(scalars(event.rows[0]))
    fresh = bool(earlier) and earlier[-1].kind == "result"
    order = (older, prepared, row) if fresh else (older, row, prepared)
    facts = {key: value for known in order for key, value in known.items()}
    return ReplyState(
        facts=facts,
        row=row,
        rows=rows,
        prepared=prepared,
        before=earlier[-1] if earlier else None,
        after=next((event for event in given if event.position > position), None),
        question=next((event.text for event in reversed(earlier) if event.kind == "user"), ""),
        made=next((event.call for event in reversed(calls) if event.position < position), None),
        next=next((event.call for event in calls if event.position > position), None),
        words=words,
    )


def scalars(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a row that can be said, as text; flags, numbers and texts."""
    found = {key: str(value).strip() for key, value in row.items() if isinstance(value, (str, int, float, bool))}
    return {key: value for key, value in found.items() if value.lower() not in _EMPTY}


def forms(value: str) -> Iterator[str]:
    """Yield the ways in which a value may be said, always as many for a date or a time, as written first."""
    yield value
    day = _DATE.fullmatch(value)
    if day:
        try:
            when = date(*map(int, day.groups()))
        except ValueError:
            return
        yield from (f"{when:%B} {ordinal(when.day)}", f"{when:%B} {when.day}", f"the {ordinal(when.day)}")
    time = _TIME.fullmatch(value)
    if time:
        yield twelve_hours(60 * int(time[1]) + int(time[2]))


def spoken(value: str) -> str:
    """Return a value as one says it."""
    found = list(forms(value))
    return found[1] if len(found) > 1 else value


def is_known(value: str, words: frozenset[str], *, relative: bool = True) -> bool:
    """Whether words (of `known_words`) state a value, in one of its forms.

    A weekday or `tomorrow` may state any date, unless not `relative`.
    """
    if _TIME.fullmatch(value):
        return _clock_word(value) in words
    day = _DATE.fullmatch(value)
    if day and relative and words & RELATIVE_DAYS:
        return True
    return any(all(word in words for word in tokens(form)) for form in forms(value) if tokens(form))


def known_words(events: Sequence[Event]) -> frozenset[str]:
    """Return the words of users and results; dates of results also as they are spoken, times also as `13:15`."""
    return frozenset().union(*(_words(event.text) for event in events if event.kind in ("user", "result")))


@lru_cache(maxsize=1 << 16)
def _words(text: str) -> frozenset[str]:
    found = set(tokens(text.replace("_", " ")))
    for minutes, _, _ in find_times(plain(text)):
        found.update(f"{minute // 60:02}:{minute % 60:02}" for minute in minutes)
    for value in _ISO.findall(text):
        found.update(word for form in forms(value) for word in tokens(form))
    return frozenset(found)


def _clock_word(value: str) -> str:
    hour, minute = value.split(":")[:2]
    return f"{int(hour):02}:{minute}"


def _focus(sequence: Sequence[Event], position: int, result: Event) -> dict[str, str]:
    """Return the row under discussion: the last one named since the result, or the first; or the one after it."""
    rows = [scalars(row) for row in result.rows]
    current, named = 0, False
    last_user = ""
    for event in sequence:
        if not result.position < event.position < position or event.kind not in ("user", "reply"):
            continue
        hits = [index for index, row in enumerate(rows) if _names(event.text, row, rows)]
        if hits and (len(hits) == 1 or current not in hits):
            current, named = hits[0], True
        if event.kind == "user":
            last_user = event.text
    if named and current + 1 < len(rows) and asks_for_others(last_user):
        current += 1
    return rows[current]


def asks_for_others(text: str) -> bool:
    """Whether a user asks for an alternative."""

    return bool(phrases().others & set(tokens(text)))


def _names(text: str, row: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> bool:
    """Whether a text has a value of the row, of three letters or more, that no other row has."""
    line = f" {plain_line(text)} "
    for key, value in row.items():
        written = plain_line(value)
        if len(written) > _SHORT and f" {written} " in line and sum(other.get(key) == value for other in rows) == 1:
            return True
    return False


def _prepared(sequence: Sequence[Event], position: int, words: frozenset[str]) -> dict[str, str]:
    """Return those arguments of the next service call that words state, unless a result comes before it."""
    users = 0
    for event in sequence:
        if event.position <= position:
            continue
        users += event.kind == "user"
        if users > _FEW_USERS or event.kind == "result":
            break
        if event.kind == "call" and event.call is not None:
            return {
                key: value
                for key, value in scalars(event.call.arguments).items()
                if is_known(value, words, relative=False)
            }
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The data of `eval/labeler/phrases.yaml`."""

    replies: Mapping[str, str]
    pair: str
    join: str
    others: frozenset[str]
    ends: frozenset[str]
    corrections: frozenset[str]


@cache
def phrases() -> Phrases:
    """Return the phrases. DataError where the file lacks something."""
    data = declared(_PHRASES)
    try:
        return Phrases(
            replies=data["replies"],
            pair=data["facts"]["pair"],
            join=data["facts"]["join"],
            others=frozenset(data["users"]["others"]),
            ends=frozenset(data["users"]["ends"]),
            corrections=frozenset(data["users"]["corrections"]),
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"eval/{_PHRASES} lacks {error}; restore it from the repository") from error
