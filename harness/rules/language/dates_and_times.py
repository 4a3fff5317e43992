"""Dates and clock times in text, relative ones too, as the sets of days or minutes of the day that they may mean."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

from harness.data.text import plain

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH = rf"(?:{'|'.join(_MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)\b\.?"
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_DATE = re.compile(
    r"(?P<iso>(?<![\d-])\d{4}-\d{1,2}-\d{1,2}(?![\d-]))"
    r"|(?P<slash>(?<![\d/])(?:\d{2}/\d{1,2}|\d/\d{2}|\d/\d(?=/))(?:/(?:\d{4}|\d{2}))?(?![\d/]))"
    rf"|\b(?P<m1>{_MONTH}) (?:the )?(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,? (?P<y1>\d{{4}})\b)?"
    rf"|\b(?P<d2>\d{{1,2}})(?:(?:st|nd|rd|th)(?: of)?(?: this)?| of(?: this)?)? "
    rf"(?P<m2>{_MONTH})(?:,? (?P<y2>\d{{4}})\b)?"
    r"|\b(?P<d4>\d{1,2})(?:st|nd|rd|th) of (?:this|the|next) month\b"
    r"|\b(?:the|on) (?P<d3>\d{1,2})(?:st|nd|rd|th)\b(?=\s*(?:$|[.,!?;)]|(?:at|for|of|in|on|please|instead|and|or|this|"
    r"from|by|to|if|around|with|would|is|works|evening|morning|afternoon|as|when|then|night|through|until|it|i)\b))"
    rf"|\b(?P<which>next |this |coming |following )?(?P<wd>{_DAY})(?: (?P<week>next week|this week))?\b"
    r"|\b(?P<rel>(?:the )?day after tomorrow|tomorrow|today|tonight|this (?:morning|afternoon|evening))\b"
)
_GLUE = re.compile(r"[\s,(-]*(?:the |on |i\.e\. )?[\s,(-]*")
_GLUED = 20

TIME_FORMATS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p", "%I %p")
"""In which times of day are written, for `parse_as`."""
_HALF, _MINUTES = 12 * 60, 24 * 60
_NAMED = {"noon": 720, "midday": 720, "midnight": 0}
_PART = r"(?P<part>morning|afternoon|evening|night|tonight)"
_TIME = re.compile(
    r"(?<![\d:.$/-])(?:"
    r"(?P<h>\d{1,2})(?:[:.](?P<m>\d{2})(?::\d{2})?)?\s?(?P<ap>[ap])\.?\s?m\b\.?"
    r"|(?P<h24>\d{1,2}):(?P<m24>\d{2})(?::\d{2})?(?![\d:])"
    r"|(?P<frac>quarter|half|\d{1,2})(?: minutes?)? (?P<dir>past|after|to|till|before) (?P<hf>\d{1,2})"
    r"(?! (?:people|persons|guests|of)\b)"
    r"(?:\s?(?P<apf>[ap])\.?m\b\.?)?(?![\d:/])"
    r"|(?P<hc>\d{1,2}) ?o['\"]? ?clock(?: (?P<apc>[ap])\.?m\b)?"
    r"|\b(?P<named>noon|midday|midnight)\b(?! (?:snack|craving))"
    r"|(?P<hp>\d{1,2})(?= (?:in the|at) (?:morning|afternoon|evening|night)\b)"
    r"|(?:(?<=morning )|(?<=afternoon )|(?<=evening ))(?P<hq>\d{1,2})(?![\d:/%]| (?:people|persons|guests|of)\b)"
    r")"
)
_AFTER = re.compile(r"\s*,?\s*(?:in the |at |this |on \w+ )?" + _PART + r"\b")
_BEFORE = re.compile(_PART + r"(?: at| around| by|,)?\s*$")
_NEAR = 24


def find_dates(text: str, today: date) -> list[tuple[frozenset[int], int, int]]:
    """Return (days that are meant, start, end) of each date in text prepared by `text.plain`.

    `today` is what relative dates count from. Adjacent expressions (`Sunday, March 3rd`) are one date, which means
    the days of either: who has to guess today cannot be held to both.
    """
    found: list[tuple[frozenset[int], int, int]] = []
    for match in _DATE.finditer(text):
        days = _days(match, today)
        if not days:
            continue
        start = match.start()
        if found and start - found[-1][2] <= _GLUED and _GLUE.fullmatch(text, found[-1][2], start):
            others, start, _ = found.pop()
            days = days | others
        found.append((frozenset(days), start, match.end()))
    return found


def _days(match: re.Match[str], today: date) -> set[int]:
    if match["iso"]:
        year, month, day = (int(part) for part in match["iso"].split("-"))
        return _day(year, month, day)
    if match["slash"]:
        return _slashed(match["slash"], today)
    if match["m1"] or match["m2"]:
        month = _month(match["m1"] or match["m2"])
        year = int(match["y1"] or match["y2"] or today.year)
        return _day(year, month, int(match["d1"] or match["d2"]))
    if match["d3"] or match["d4"]:
        return _day_of_month(int(match["d3"] or match["d4"]), today)
    if match["wd"]:
        return _weekday(_DAYS.index(match["wd"]), today)
    relative = match["rel"]
    return {today.toordinal() + (2 if relative.endswith("after tomorrow") else 1 if relative == "tomorrow" else 0)}


def _day(year: int, month: int, day: int) -> set[int]:
    try:
        return {date(year, month, day).toordinal()}
    except ValueError:
        return set()


def _slashed(text: str, today: date) -> set[int]:
    """Return the days of `3/8`, `03/08/2019`: month first or day first."""
    parts = [int(part) for part in text.split("/")]
    year = parts[2] if len(parts) > 2 else today.year
    year += 2000 if year < 100 else 0
    return _day(year, parts[0], parts[1]) | _day(year, parts[1], parts[0])


def _month(name: str) -> int:
    return next(number for number, month in enumerate(_MONTHS, 1) if month.startswith(name.rstrip(".")[:3]))


def _day_of_month(day: int, today: date) -> set[int]:
    """Return the day of this month and of the next: `the 8th` names no month."""
    after = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return _day(today.year, today.month, day) | _day(after.year, after.month, day)


def _weekday(weekday: int, today: date) -> set[int]:
    """Return the two coming days of that name: speakers differ on `this` and `next`, and on whether today counts."""
    first = today.toordinal() + (weekday - today.weekday()) % 7
    return {first, first + 7}


def parse_date(value: str, today: date) -> frozenset[int] | None:
    """Return what an argument such as `2019-03-01` or `next Friday` means, None where it is no date."""
    found = find_dates(plain(value), today)
    return found[0][0] if len(found) == 1 else None


def find_times(text: str) -> list[tuple[frozenset[int], int, int]]:
    """Return (minutes of the day that are meant, start, end) of each time in text prepared by `text.plain`."""
    found = []
    for match in _TIME.finditer(text):
        minutes = _minutes(match)
        if minutes is None:
            continue
        part = _AFTER.match(text, match.end(), match.end() + _NEAR)
        part = part or _BEFORE.search(text, max(0, match.start() - _NEAR), match.start())
        if part and len(minutes) > 1:
            minutes = _narrow(minutes, part["part"])
        found.append((frozenset(minutes), match.start(), match.end()))
    return found


def _minutes(match: re.Match[str]) -> set[int] | None:
    named = match["named"]
    if named:
        return {_NAMED[named]}
    if match["frac"]:
        return _fraction(match)
    hour_text = match["h"] or match["h24"] or match["hc"] or match["hp"] or match["hq"]
    hour, minute = int(hour_text), int(match["m"] or match["m24"] or 0)
    if hour > 24 or minute > 59:
        return None
    if match["h24"] and hour_text.startswith("0"):
        return {hour * 60 + minute}
    return _halves(hour * 60 + minute, match["ap"] or match["apc"])


def _fraction(match: re.Match[str]) -> set[int] | None:
    offset = {"quarter": 15, "half": 30}.get(match["frac"]) or int(match["frac"])
    hour = int(match["hf"])
    if not 1 <= hour <= 12 or offset > 59:
        return None
    if match["dir"] == "to" and offset % 5:  # `1 to 6` is a range
        return None
    sign = 1 if match["dir"] in ("past", "after") else -1
    return _halves(hour * 60 + sign * offset, match["apf"])


def _halves(minute: int, meridiem: str | None) -> set[int]:
    """Return what `minute` may mean: times up to 12:59 in both halves of the day unless `meridiem` says which."""
    if minute >= _HALF + 60:
        return {minute % _MINUTES}
    morning = minute % _HALF
    if meridiem:
        return {morning + (_HALF if meridiem == "p" else 0)}
    return {morning, morning + _HALF}


def _narrow(minutes: set[int], part: str) -> set[int]:
    """Return the minutes that lie in this part of the day; evening and night reach past midnight."""
    if part == "morning":
        return {min(minutes)}
    return {max(minutes)} if max(minutes) < 23 * 60 or part == "afternoon" else minutes


def parse_clock(value: str) -> frozenset[int] | None:
    """Return what an argument such as `18:30` or `6:30 pm` means, None where it is no time."""
    found = find_times(plain(value))
    return found[0][0] if len(found) == 1 else None


@lru_cache(maxsize=1 << 16)
def parse_as(text: str, pattern: str, year: int = 2020) -> datetime | None:
    """Return what a text means in a format of `strptime`, of `year` where the format has none; None for other texts."""
    if "%Y" not in pattern:
        text, pattern = f"{year} {text}", f"%Y {pattern}"
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        return None


def ordinal(day: int) -> str:
    """Return `1st` for 1."""
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


def twelve_hours(minutes: int) -> str:
    """Return a minute of the day as `6 pm` or `6:30 pm`."""
    hour, minute = divmod(minutes, 60)
    return f"{(hour + 11) % 12 + 1}{f':{minute:02d}' if minute else ''} {'am' if hour < 12 else 'pm'}"
