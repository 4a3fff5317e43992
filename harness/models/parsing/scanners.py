"""The ways in which formats write a call; a family is one of them with its own marks.

All scanners walk with `str.find` and anchored, bounded patterns, so that their work is linear in the text for
each of the at most MAX_CALLS places they look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.data.records import ToolCall
from harness.models.parsing.family import MAX_CALLS, Keys, Span, Style, call_of
from harness.models.parsing.schemas import ValueSchema
from harness.models.parsing.typed import typed
from harness.models.parsing.values import Unreadable, read_json, skip_space


def places(text: str, mark: str) -> Iterator[int]:
    """Yield where `mark` stands in the text, at most MAX_CALLS times."""
    position = -1
    for _ in range(MAX_CALLS):
        position = text.find(mark, position + 1)
        if position < 0:
            return
        yield position


def reach_back(text: str, start: int, mark: str) -> int:
    """Return where `mark` begins if it stands before `start` (white space between allowed), else `start`."""
    before = text[:start].rstrip()
    return len(before) - len(mark) if mark and before.endswith(mark) else start


def reach_on(text: str, end: int, mark: str) -> int:
    """Return where `mark` ends if it stands at `end` (white space between allowed), else `end`."""
    position = skip_space(text, end)
    return position + len(mark) if mark and text.startswith(mark, position) else end


@dataclass(frozen=True, slots=True, kw_only=True)
class EnclosedJson:
    """JSON after an opening mark: one object, or with `many` a list of them. The closing mark may be none."""

    opening: str
    closing: str = ""
    keys: Keys = field(default_factory=Keys)
    many: bool = False

    def __call__(self, text: str, style: Style) -> list[Span]:
        spans: list[Span] = []
        covered = 0
        for start in places(text, self.opening):
            if start < covered:
                continue
            try:
                value, end = read_json(text, start + len(self.opening), repair=not style.strict)
                covered = reach_on(text, end, self.closing)
                if style.strict and self.closing and covered == end:
                    raise Unreadable(f"no {self.closing} after the call")
                items = self._items(value, style)
                spans += [Span(start=start, end=covered, call=call_of(one, style, self.keys)) for one in items]
            except Unreadable as error:
                spans.append(Span(start=start, end=max(covered, start + len(self.opening)), problem=str(error)))
                if error.cut:
                    break
        return spans

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

    def __call__(self, text: str, style: Style) -> list[Span]:
        spans: list[Span] = []
        for start in places(text, self.opening):
            match = self.heading.match(text, start + len(self.opening))
            if not match:
                continue
            try:
                spans.append(self._span(text, start, match, style))
            except Unreadable as error:
                spans.append(Span(start=start, end=match.end(), problem=str(error)))
                if error.cut:
                    break
        return spans

    def _span(self, text: str, start: int, match: re.Match[str], style: Style) -> Span:
        arguments, end = read_json(text, match.end(), repair=not style.strict)
        if not isinstance(arguments, dict):
            raise Unreadable("the arguments are no JSON object")
        closed = reach_on(text, end, self.closing)
        first = reach_back(text, start, self.wrapper[0])
        last = reach_on(text, closed, self.wrapper[1])
        if style.strict:
            require(not self.closing or closed > end, f"no {self.closing} after the call")
            require(not self.wrapper[0] or first < start, f"no {self.wrapper[0]} before the call")
            require(not self.wrapper[1] or last > closed, f"no {self.wrapper[1]} after the call")
        call = ToolCall(name=match["name"].strip(), arguments=arguments)
        return Span(start=first, end=last, call=call)


def require(condition: bool, problem: str) -> None:
    """Raise Unreadable with `problem` unless the condition holds."""
    if not condition:
        raise Unreadable(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """An element for the call, named in its opening tag, with one element an argument.

    `opening` is a literal that every call begins with; `invoke` matches the whole opening tag there (group
    `name`), `parameter` one of an argument (group `name`, optional group `kind`). With `lines`, a value stands
    on lines of its own: the line break after the opening and before the closing tag are no part of it.
    """

    opening: str
    invoke: re.Pattern[str]
    invoke_end: str
    parameter: re.Pattern[str]
    parameter_end: str
    wrapper: tuple[str, str] = ("", "")
    lines: bool = False
    before: re.Pattern[str] | None = None
    """What may stand before the wrapper and belongs to the call; ends with `$`, at most 256 characters."""

    def __call__(self, text: str, style: Style) -> list[Span]:
        spans: list[Span] = []
        covered = 0
        for start in places(text, self.opening):
            match = self.invoke.match(text, start)
            if start < covered or not match:
                continue
            try:
                arguments, end = self._arguments(text, match, style)
                spans.append(self._span(text, (start, end), ToolCall(name=match["name"], arguments=arguments), style))
                covered = end
            except Unreadable as error:
                spans.append(Span(start=start, end=match.end(), problem=str(error)))
                if error.cut:
                    break
        return spans

    def _arguments(self, text: str, invoke: re.Match[str], style: Style) -> tuple[dict[str, Any], int]:
        arguments: dict[str, Any] = {}
        position = skip_space(text, invoke.end())
        while not text.startswith(self.invoke_end, position):
            match = self.parameter.match(text, position)
            if not match:
                cut = position >= len(text) or text.find(self.invoke_end, position) < 0
                raise Unreadable(f"expected an argument or {self.invoke_end}", cut=cut)
            end = text.find(self.parameter_end, match.end())
            if end < 0:
                raise Unreadable("the text ends inside an argument", cut=True)
            raw = self._value(text[match.end() : end])
            arguments[match["name"]] = self._typed(raw, match, style.schema(invoke["name"], match["name"]))
            position = skip_space(text, end + len(self.parameter_end))
        return arguments, position + len(self.invoke_end)

    def _value(self, raw: str) -> str:
        return raw.removeprefix("\n").removesuffix("\n") if self.lines else raw

    def _typed(self, raw: str, match: re.Match[str], schema: ValueSchema) -> Any:
        kind = match.groupdict().get("kind")
        if kind is None:
            return typed(raw, schema)
        if kind in ("true", "string"):
            return encodable(raw)
        return typed(raw, _NO_TEXT)

    def _span(self, text: str, extent: tuple[int, int], call: ToolCall, style: Style) -> Span:
        first = reach_back(text, extent[0], self.wrapper[0])
        last = reach_on(text, extent[1], self.wrapper[1])
        if style.strict:
            require(not self.wrapper[0] or first < extent[0], f"no {self.wrapper[0]} before the call")
            require(not self.wrapper[1] or last > extent[1], f"no {self.wrapper[1]} after the call")
        heading = self.before.search(text[max(0, first - 256) : first]) if self.before else None
        return Span(start=first - len(heading.group()) if heading else first, end=last, call=call)


_NO_TEXT = ValueSchema(nodes=({"type": ["null", "integer", "number", "boolean", "object", "array"]},))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValues:
    """The tool's name after an opening mark, then pairs of elements: one with a key, one with its value."""

    opening: str
    closing: str
    key: tuple[str, str] = ("<arg_key>", "</arg_key>")
    value: tuple[str, str] = ("<arg_value>", "</arg_value>")
    separator: str = ""
    """A mark between the name and the pairs."""
    wrapper: tuple[str, str] = ("", "")

    def __call__(self, text: str, style: Style) -> list[Span]:
        spans: list[Span] = []
        for start in places(text, self.opening):
            match = _BARE_NAME.match(text, start + len(self.opening))
            if not match or not text.startswith((self.separator or self.key[0], self.closing), match.end()):
                continue
            try:
                spans.append(self._span(text, start, match, style))
            except Unreadable as error:
                spans.append(Span(start=start, end=match.end(), problem=str(error)))
                if error.cut:
                    break
        return spans

    def _span(self, text: str, start: int, match: re.Match[str], style: Style) -> Span:
        name = match["name"]
        arguments: dict[str, Any] = {}
        position = skip_space(text, reach_on(text, match.end(), self.separator))
        while text.startswith(self.key[0], position):
            key, position = _element(text, position, self.key)
            value, position = _element(text, skip_space(text, position), self.value)
            arguments[key.strip()] = typed(value, style.schema(name, key.strip()))
            position = skip_space(text, position)
        end = reach_on(text, position, self.closing)
        if end == position:
            raise Unreadable(f"expected an argument or {self.closing}", cut=position >= len(text))
        first = reach_back(text, start, self.wrapper[0])
        last = reach_on(text, end, self.wrapper[1])
        if style.strict:
            require(not self.wrapper[0] or first < start, f"no {self.wrapper[0]} before the call")
            require(not self.wrapper[1] or last > end, f"no {self.wrapper[1]} after the call")
        return Span(start=first, end=last, call=ToolCall(name=name, arguments=arguments))


_BARE_NAME = re.compile(r"\s{0,8}(?P<name>[\w.\-]{1,200}+)\s{0,8}")


def _element(text: str, start: int, marks: tuple[str, str]) -> tuple[str, int]:
    """Return the content of the element that begins at `start`, and where it ends."""
    if not text.startswith(marks[0], start):
        raise Unreadable(f"expected {marks[0]}", cut=start >= len(text))
    end = text.find(marks[1], start + len(marks[0]))
    if end < 0:
        raise Unreadable(f"the text ends before {marks[1]}", cut=True)
    return text[start + len(marks[0]) : end], end + len(marks[1])
