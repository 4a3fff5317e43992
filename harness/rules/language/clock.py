"""Clock times in text: 12 and 24 hours, in figures or words. A time is a set of minutes of the day that it may mean."""

from __future__ import annotations

import re

from harness.data.text import plain

_HALF, _DAY = 12 * 60, 24 * 60
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
        return {minute % _DAY}
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
