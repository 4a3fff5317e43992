"""Dates in text, relative ones too. A date is a set of days (proleptic ordinals) that it may mean."""

from __future__ import annotations

import re
from datetime import date, timedelta

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
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|"
    r"jun|jul|aug|sept|sep|oct|nov|dec)\b\.?"
)
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
