"""Calls as JSON after a mark, and the pieces that all scanners walk with; a family is a scanner with its own marks.

All scanners walk with `str.find` and anchored, bounded patterns, so that their work is linear in the text for
each of the at most MAX_CALLS places they look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.family import MAX_CALLS, Keys, Span, Style, call_of
from harness.models.parsing.literals import Literals, Unreadable, read_json, skip_space, sound


def places(text: str, mark: str) -> Iterator[int]:
    """Yield where `mark` stands in the text, at most MAX_CALLS times."""
    position = -1
    for _ in range(MAX_CALLS):
        position = text.find(mark, position + 1)
        if position < 0:
            return
        yield position


def spans_at(starts: Iterable[int], read: Callable[[int], Iterable[Span]]) -> list[Span]:
    """Return what `read` makes of each place: a problem where that is Unreadable, and nothing after a cut."""
    spans: list[Span] = []
    for start in starts:
        try:
            spans += read(start)
        except Unreadable as error:
            spans.append(Span(start=start, end=start, problem=str(error)))
            if error.cut:
                break
    return spans


def marked_spans(
    text: str, mark: str, heading: re.Pattern[str], read: Callable[[int, re.Match[str]], Span]
) -> list[Span]:
    """Return what `read` makes of each place where `heading` follows `mark`; see `spans_at`."""

    def at(start: int) -> list[Span]:
        match = heading.match(text, start + len(mark))
        return [read(start, match)] if match else []

    return spans_at(places(text, mark), at)


def reach_back(text: str, start: int, mark: str) -> int:
    """Return where `mark` begins if it stands before `start` (white space between allowed), else `start`."""
    before = text[:start].rstrip()
    return len(before) - len(mark) if mark and before.endswith(mark) else start


def reach_on(text: str, end: int, mark: str) -> int:
    """Return where `mark` ends if it stands at `end` (white space between allowed), else `end`."""
    position = skip_space(text, end)
    return position + len(mark) if mark and text.startswith(mark, position) else end


def wrapped(
    text: str, extent: tuple[int, int], wrapper: tuple[str, str], style: Style, marks: tuple[str, str]
) -> tuple[int, int]:
    """Return where the wrapper around a call begins and ends, the call's own ends without one; strict needs one.

    Of several calls in one wrapper each begins and ends with its own `marks`; there another one stands in its place.
    """
    start, end = extent
    first, last = reach_back(text, start, wrapper[0]), reach_on(text, end, wrapper[1])
    if style.strict:
        after_another = reach_back(text, start, marks[1]) < start
        before_another = reach_on(text, end, marks[0]) > end
        require(not wrapper[0] or first < start or after_another, f"no {wrapper[0]} before the call")
        require(not wrapper[1] or last > end or before_another, f"no {wrapper[1]} after the call")
    return first, last


def read_arguments(text: str, start: int, *, repair: bool, closers: tuple[str, ...] = ()) -> tuple[dict[str, Any], int]:
    """Return the JSON object at `start` and where it ends; see `read_json`."""
    arguments, end = read_json(text, start, repair=repair, closers=closers)
    if not isinstance(arguments, dict):
        raise Unreadable("the arguments are no JSON object")
    return arguments, end


@dataclass(frozen=True, slots=True, kw_only=True)
class EnclosedJson:
    """JSON after an opening mark: one object, or with `many` a list of them. The closing mark may be none.

    Read leniently, the closing mark also closes what the JSON left open, and a first brace that is missing is added.
    """

    opening: str
    closing: str = ""
    keys: Keys = field(default_factory=Keys)
    many: bool = False

    def __call__(self, text: str, style: Style) -> list[Span]:
        covered = 0

        def at(start: int) -> list[Span]:
            nonlocal covered
            if start < covered:
                return []
            value, end, mended = self._json(text, start + len(self.opening), style)
            covered = reach_on(text, end, self.closing)
            require(not style.strict or not self.closing or covered > end, f"no {self.closing} after the call")
            calls = [call_of(one, style, self.keys) for one in self._items(value, style)]
            misplaced = mended and any(style.misplaced(call) for call in calls)
            require(not misplaced, "a brace that may belong elsewhere")
            return [Span(start=start, end=covered, call=call) for call in calls]

        return spans_at(places(text, self.opening), at)

    def _json(self, text: str, start: int, style: Style) -> tuple[Any, int, bool]:
        """Return the JSON, where it ends, and whether brackets had to be added."""
        closers = (self.closing,) if self.closing else ("</", "<|")
        if not style.strict and (match := _MEMBER.match(text, start)):
            value, end = Literals(text=text, closers=closers).pairs(match.start("member"))
            return sound(value), end, True
        return closed_json(text, start, style, closers)

    def _items(self, value: Any, style: Style) -> list[Any]:
        if isinstance(value, list) and (self.many or not style.strict):
            if not value:
                raise Unreadable("an empty list of calls")
            return value[:MAX_CALLS]
        if self.many and style.strict:
            raise Unreadable("expected a list of calls")
        return [value]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedJson:
    """A mark, the tool's name in a heading of its own, then its arguments as a JSON object.

    `heading` is matched at the end of `opening` and has a group `name`. `wrapper` stands around all calls of
    a message, or is a pair of empty marks.
    """

    opening: str
    heading: re.Pattern[str]
    closing: str = ""
    wrapper: tuple[str, str] = ("", "")
    loose: re.Pattern[str] | None = None
    """The heading in other spellings."""
    name: Callable[[str, dict[str, Any], Style], tuple[str, dict[str, Any]]] | None = None
    """Finds the tool's name and its arguments where the heading names it in other ways."""

    def __call__(self, text: str, style: Style) -> list[Span]:
        heading = self.heading if style.strict else self.loose or self.heading
        return marked_spans(text, self.opening, heading, lambda start, match: self._span(text, start, match, style))

    def _span(self, text: str, start: int, match: re.Match[str], style: Style) -> Span:
        closers = (self.closing, self.wrapper[1], "<|", "<｜")
        if not style.strict and self.closing and reach_on(text, match.end(), self.closing) > match.end():
            arguments: Any = {}
            end = match.end()  # no arguments at all
        elif not style.strict and text.startswith('"', skip_space(text, match.end())):
            written, end = Literals(text=text).value(match.end())
            arguments = call_of({"name": match["name"], "arguments": written}, style, Keys()).arguments
        else:
            arguments, end = read_arguments(text, match.end(), repair=not style.strict, closers=closers)
        name = match["name"].strip()
        if self.name and not style.strict:
            name, arguments = self.name(name, arguments, style)
        closed = reach_on(text, end, self.closing)
        require(not style.strict or not self.closing or closed > end, f"no {self.closing} after the call")
        first, last = wrapped(text, (start, closed), self.wrapper, style, (self.opening, self.closing))
        return Span(start=first, end=last, call=ToolCall(name=name, arguments=arguments))


def closed_json(text: str, start: int, style: Style, closers: tuple[str, ...]) -> tuple[Any, int, bool]:
    """Return the JSON at `start`, where it ends, and whether one of `closers` ended what it left open.

    Where the text ends after whole arguments, one brace closes the call; a text that ends inside them needs more.
    """
    try:
        return *read_json(text, start, repair=not style.strict), False
    except Unreadable as error:
        if style.strict or (error.cut and not text.endswith("}")):
            raise
        if error.cut:
            value, end = read_json(f"{text}}}", start, repair=True)
            return value, min(end, len(text)), True
    return *read_json(text, start, repair=True, closers=closers), True


_MEMBER = re.compile(r"""\s{0,64}(?P<member>["'](?:name|arguments|parameters)["']\s{0,8}:)""")


def require(condition: bool, problem: str) -> None:
    """Raise Unreadable with `problem` unless the condition holds."""
    if not condition:
        raise Unreadable(problem)
