"""Where a value between tags ends, also where tags are missing or doubled.

A value ends at its closing tag, or where the next argument begins or what is around it is closed; a call whose
arguments are whole ends with the text, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.models.parsing.literals import Unreadable, skip_space
from harness.models.parsing.scanners import require

_CLOSING = re.compile(r"</[\w:.\-|｜]{1,60}>")
_NAMED_CLOSING = re.compile(r"</(?P<name>[A-Za-z][\w:.\-]{0,60})>")
_REMAINS = re.compile(r"[\w/= ]{0,20}>?\s*+$")
"""What follows a closing tag's first characters where its end was written otherwise."""


_REACH = 2000
"""How far before a closing tag its opening one is looked for."""

MAX_STEPS = 1000
"""Tags of one call that are looked at when tags may be missing or doubled."""


class Finder:
    """Finds marks and patterns from growing positions on, looking at each stretch of the text once for each."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._known: dict[str | re.Pattern[str], tuple[int, int]] = {}

    def next(self, mark: str | re.Pattern[str], position: int) -> int:
        """Return where the mark next stands at or after `position`, the end of the text where it does not."""
        looked, found = self._known.get(mark, (0, -1))
        if looked <= position <= found:
            return found
        if isinstance(mark, str):
            place = self.text.find(mark, position) if mark else -1
        else:
            match = mark.search(self.text, position)
            place = match.start() if match else -1
        found = place if place >= 0 else len(self.text)
        self._known[mark] = (position, found)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What ends a value of an argument, and what may follow it."""

    value_end: str
    following: str | re.Pattern[str]
    """How the next argument begins."""
    around: tuple[str, ...]
    """What closes the call, or all calls."""

    def end_of_value(self, finder: Finder, start: int) -> tuple[int, int]:
        """Return where the value ends that begins at `start`, and where the text goes on; raises Unreadable.

        That is its closing tag, the first that something follows which may: a value can speak of tags, and then words
        go on after a blank. Where the tag is missing or misspelt, the next argument or what closes the call ends the
        value.
        """
        limit = finder.next(self.following, start)
        first = end = finder.next(self.value_end, start)
        while end < limit:
            after = end + len(self.value_end)
            if self._may_follow(finder.text, skip_space(finder.text, after)):
                return end, after
            goes_on = _goes_on(finder.text, start, end, after)
            end = finder.next(self.value_end, after)
            require(end >= limit or goes_on, "an argument without its opening tag")
        if first < limit:
            require(finder.next(self.value_end, first + 1) >= limit, "several ends of one argument")
            return first, first + len(self.value_end)
        end = min(limit, *(finder.next(mark, start) for mark in self.around if mark))
        if end >= len(finder.text):
            raise Unreadable("the text ends inside an argument", cut=True)
        tag = finder.text.find("<", start, end)
        if tag < 0:
            return end, end
        stem = self.value_end.removesuffix(">")
        misspelt = finder.text.startswith(stem, tag) and _REMAINS.match(finder.text[tag + len(stem) : end])
        require(bool(misspelt), "the remains of a tag in an argument")
        return tag, end

    def _may_follow(self, text: str, position: int) -> bool:
        if position >= len(text) or text.startswith((*filter(None, self.around), self.value_end), position):
            return True
        if isinstance(self.following, str):
            return text.startswith(self.following, position)
        return self.following.match(text, position) is not None

    def over(self, text: str, position: int) -> bool:
        """Return whether a call whose arguments are whole ends at `position`, with or without its closing tag."""
        rest = text[position : position + 80]
        return (
            not rest
            or any(mark and (rest.startswith(mark) or mark.startswith(rest)) for mark in self.around)
            or _CLOSING.match(rest) is not None
        )


def _goes_on(text: str, start: int, end: int, after: int) -> bool:
    """Return whether the value that begins at `start` goes on after a closing tag in it, from `end` to `after`.

    So it does before a blank, where an element is closed that the value opened, and within a line of a value that
    stands on lines of its own.
    """
    closing = _NAMED_CLOSING.match(text, after)
    within = text.startswith("\n", start) and "\n" not in (text[end - 1], text[after : after + 1])
    opened = closing and text.rfind(f"<{closing['name']}", max(start, end - _REACH), end) >= 0
    return text.startswith(" ", after) or within or bool(opened)
