"""Canonical forms of argument values, so that two spellings of one thing compare equal and two things never do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from harness.data.records import ToolCall
from harness.data.text import plain, straight
from harness.data.tools import Parameter, Toolbox

_TRUE, _FALSE = frozenset(["true", "yes", "y"]), frozenset(["false", "no", "n"])
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,9})?")
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_YEAR}[-/.](?P<number>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?:t00:00(?::00)?z?)?",
        rf"{_MONTH} (?:the )?{_DAY}(?:,? {_YEAR})?",
        rf"(?:the )?{_DAY} (?:of )?{_MONTH}(?:,? {_YEAR})?",
    )
)
_TIME = re.compile(r"(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d))?(?::[0-5]\d)?\s?(?P<half>[ap]\.?\s?m\.?)?")
_NAMED_TIMES = {"noon": "12:00", "midday": "12:00", "12 noon": "12:00", "midnight": "00:00", "12 midnight": "00:00"}
_DATE_WORDS, _TIME_WORDS = frozenset(["date", "day"]), frozenset(["time", "hour"])
_NUMBER_WORDS = frozenset(["number", "count", "num", "size", "quantity", "amount", "many"])
_WORDS = re.compile(r"[a-z]+")


def canonical_value(value: Any, parameter: Parameter | None) -> str:
    """Return the text that stands for a value: equal texts mean the same thing.

    Dates come out as `2019-03-03`, or `--03-03` where no year is said, times as `18:00`, numbers in figures, flags as
    `true` and `false`, enumerated values as the task writes them (in lower case), other text in lower case with single
    spaces. What may be read in two ways stays text: `6:00` may be the evening, `03/04/2019` April, `tomorrow` any day.
    Words count as numbers, flags and times only where `parameter` takes such: Two is also a name.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _figures(repr(value)) or repr(value)
    if not isinstance(value, str):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = plain_text(value)
    if parameter is not None and parameter.choices:
        return _choice(text, parameter.choices)
    return _READINGS.get(kind_of(parameter), _date)(text) or text


def canonical_call(call: ToolCall, toolbox: Toolbox) -> ToolCall:
    """Return a call with sorted keys and canonical values: two calls that mean the same are equal. The id stays."""
    parameters = toolbox.parameters(call.name)
    if call.name == toolbox.reply.tool:
        texts = {key: " ".join(straight(str(value)).split()) for key, value in call.arguments.items()}
        return ToolCall(name=call.name, arguments=dict(sorted(texts.items())), id=call.id)
    arguments = {key: canonical_value(value, parameters.get(key)) for key, value in sorted(call.arguments.items())}
    return ToolCall(name=call.name, arguments=arguments, id=call.id)


def plain_text(value: str) -> str:
    """Return text in lower case, in compatibility form, quotes straight and spaces single."""
    return " ".join(straight(value).split()).casefold()


def kind_of(parameter: Parameter | None) -> str:
    """Return `date`, `time`, `number` or `flag` where a parameter's schema or name says so, else an empty text."""
    if parameter is None:
        return ""
    schema: Mapping[str, Any] = parameter.schema
    if schema.get("type") == "boolean" or _is_flag(parameter.choices):
        return "flag"
    if schema.get("type") in ("integer", "number") or _is_numeric(parameter.choices):
        return "number"
    if schema.get("format") in ("date", "time"):
        return str(schema["format"])
    words = set(_WORDS.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", parameter.name).lower()))
    for kind, known in (("date", _DATE_WORDS), ("time", _TIME_WORDS), ("number", _NUMBER_WORDS)):
        if words & known:
            return kind
    return ""


def number_of(text: str) -> str | None:
    """Return a number in figures, from figures or English words up to 99; None for any other text."""
    if _NUMBER.fullmatch(text):
        return _figures(text)
    word = plain(text)
    if _NUMBER.fullmatch(word):
        return word
    ten, _, unit = text.replace("-", " ").partition(" ")
    if ten in _TENS and re.fullmatch("[1-9]?", plain(unit)):
        return str(20 + 10 * _TENS.index(ten) + int(plain(unit) or 0))
    return None


def _choice(text: str, choices: tuple[str, ...]) -> str:
    """Return the member that a text is, spelling apart; the text where it is none, or may be two."""
    plain = {plain_text(choice) for choice in choices}
    if text in plain:
        return text
    for reading in (_flag(text), number_of(text)):
        members = [choice for choice in sorted(plain) if reading and reading in (_flag(choice), number_of(choice))]
        if len(members) == 1:
            return members[0]
    same = [choice for choice in sorted(plain) if _letters(choice) == _letters(text)]
    return same[0] if len(same) == 1 else text


def _letters(text: str) -> str:
    return re.sub(r"[\s_-]", "", text)


def _flag(text: str) -> str | None:
    return "true" if text in _TRUE else "false" if text in _FALSE else None


def _is_flag(choices: tuple[str, ...]) -> bool:
    return {_flag(plain_text(choice)) for choice in choices} == {"true", "false"}


def _is_numeric(choices: tuple[str, ...]) -> bool:
    return bool(choices) and all(_NUMBER.fullmatch(choice) for choice in choices)


def _figures(text: str) -> str | None:
    """Return a number without sign of plus, leading zeros and empty decimals."""
    if not _NUMBER.fullmatch(text):
        return None
    whole, _, decimals = text.lstrip("+").partition(".")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    figures = (whole.lstrip("0") or "0") + (f".{decimals.rstrip('0')}" if decimals.rstrip("0") else "")
    return figures if figures == "0" else sign + figures


def _time(text: str) -> str | None:
    """Return a time that can be read in one way only as HH:MM, 24 hours."""
    if text in _NAMED_TIMES:
        return _NAMED_TIMES[text]
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute = int(match["hour"]), match["minute"] or "00"
    if match["half"]:
        return f"{hour % 12 + (12 if match['half'][0] == 'p' else 0):02d}:{minute}" if 1 <= hour <= 12 else None
    written_out = match["minute"] and (len(match["hour"]) == 2 or hour == 0)
    return f"{hour:02d}:{minute}" if written_out and hour < 24 else None


def _date(text: str) -> str | None:
    """Return a date in figures, without its year where none is said."""
    for pattern in _DATES:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        found = match.groupdict()
        month = int(found["number"]) if found.get("number") else _MONTHS.index(found["month"][:3]) + 1
        year = found.get("year")
        try:
            day = date(int(year or 2000), month, int(found["day"]))
        except ValueError:
            return None
        return day.isoformat() if year else f"--{day:%m-%d}"
    return None


_READINGS: Mapping[str, Callable[[str], str | None]] = {"flag": _flag, "number": number_of, "time": _time}
"""By kind of parameter; all others may be dates."""
