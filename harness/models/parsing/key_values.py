"""Calls as a name and pairs of elements, one with a key and one with its value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.family import Span, Style
from harness.models.parsing.literals import Unreadable, read_json, skip_space
from harness.models.parsing.scanners import places, reach_on, require, spans_at, wrapped
from harness.models.parsing.schemas import ValueSchema
from harness.models.parsing.tags import MAX_STEPS, Finder, Tags
from harness.models.parsing.typed import typed


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValues:
    """The tool's name after an opening mark, then pairs of elements: one with a key, one with its value."""

    opening: str
    closing: str
    key: tuple[str, str] = ("<arg_key>", "</arg_key>")
    kind: tuple[str, str] = ("", "")
    """An element between the two with the value's type, where the notation has one."""
    value: tuple[str, str] = ("<arg_value>", "</arg_value>")
    separator: str = ""
    """A mark between the name and the pairs."""
    wrapper: tuple[str, str] = ("", "")

    def __call__(self, text: str, style: Style) -> list[Span]:
        if not style.strict and self.opening not in text:
            return self._unmarked(text, style)

        def at(start: int) -> list[Span]:
            match = _BARE_NAME.match(text, start + len(self.opening))
            if match and not style.strict and (span := self._without_first_tag(text, start, match, style)):
                return [span]
            named = match and text.startswith(self._after_name(style), match.end())
            return [self._span(text, start, match, style)] if match and named else []

        return spans_at(places(text, self.opening), at)

    def _unmarked(self, text: str, style: Style) -> list[Span]:
        """Return the call whose opening mark was dropped: a tool's name stands right before the first key."""
        place = text.find(self.separator or self.key[0])
        reach = max(0, place - 256)
        match = _LAST_NAME.search(text[reach : max(0, place)])
        if not match or not style.may_be_tool(match["name"]):
            return []
        try:
            position = _after_all(text, place, self.separator)
            arguments, end = self._loosely(text, skip_space(text, position), match["name"], style)
        except Unreadable as error:
            return [Span(start=place, end=place, problem=str(error))]
        call = ToolCall(name=match["name"], arguments=arguments)
        return [Span(start=reach + match.start("name"), end=end, call=call)]

    def _without_first_tag(self, text: str, start: int, match: re.Match[str], style: Style) -> Span | None:
        """Return the call whose first key has no opening tag or another one; the name and that key may be one word."""
        name, begun = match["name"], reach_on(text, match.end(), self.opening)
        end = text.find("<", begun, begun + 200)
        if end < 0 or not text.startswith(self.key[1], end) or style.declares(name) != (end > match.end()):
            return None
        if end == match.end():
            parts = style.apart(name)
            if parts is None:
                return None
            name, begun = parts[0], match.start("name") + len(parts[0])
        try:
            arguments, end = self._loosely(text, skip_space(text, begun), name, style, opened=True)
        except Unreadable as error:
            return Span(start=start, end=end, problem=str(error))
        return Span(start=start, end=end, call=ToolCall(name=name, arguments=arguments))

    def _after_name(self, style: Style) -> tuple[str, ...]:
        exact = (self.separator or self.key[0], self.closing)
        return exact if style.strict else (*exact, self.key[0], "{")

    def _span(self, text: str, start: int, match: re.Match[str], style: Style) -> Span:
        name = match["name"]
        begun = reach_on(text, match.end(), self.separator)
        position = skip_space(text, begun if style.strict else _after_all(text, begun, self.separator))
        read = self._exactly if style.strict else self._loosely
        arguments, end = read(text, position, name, style)
        first, last = wrapped(text, (start, end), self.wrapper, style, (self.opening, self.closing))
        return Span(start=first, end=last, call=ToolCall(name=name, arguments=arguments))

    def _exactly(self, text: str, position: int, name: str, style: Style) -> tuple[dict[str, Any], int]:
        arguments: dict[str, Any] = {}
        while text.startswith(self.key[0], position):
            key, position = _element(text, position, self.key)
            kind, position = self._kind(text, position)
            value, position = _element(text, skip_space(text, position), self.value)
            inside = "<" in key or self.key[0] in value or self.value[0] in value
            require(not inside, "an argument begins inside another")
            arguments[key.strip()] = _of_kind(value, kind, style.schema(name, key.strip()))
            position = skip_space(text, position)
        end = reach_on(text, position, self.closing)
        if end == position:
            raise Unreadable(f"expected an argument or {self.closing}", cut=position >= len(text))
        return arguments, end

    def _loosely(
        self, text: str, position: int, name: str, style: Style, *, opened: bool = False
    ) -> tuple[dict[str, Any], int]:
        """Return the arguments and where they end; the first key stands at `position` where it is `opened`."""
        if text.startswith("{", position):
            arguments, end = read_json(text, position, repair=True, closers=(self.closing, self.wrapper[1]))
            require(isinstance(arguments, dict) and reach_on(text, end, self.closing) > end, "no arguments")
            return arguments, reach_on(text, end, self.closing)
        arguments, finder = {}, Finder(text)
        tags = Tags(
            value_end=self.value[1],
            following=self.key[0],
            around=(self.closing, self.wrapper[1]),
        )
        for _ in range(MAX_STEPS):
            if text.startswith(self.closing, position):
                return arguments, position + len(self.closing)
            if opened or text.startswith(self.key[0], position):
                opened = False
                key, kind, position = self._key(text, position)
                end, after = tags.end_of_value(finder, position)
                raw = text[position:end].removesuffix("\n") if end == after else text[position:end]
                arguments[key] = _of_kind(raw, kind, style.schema(name, key))
                position = after
            elif text.startswith((self.key[1], self.value[1]), position):
                position += len(self.key[1] if text.startswith(self.key[1], position) else self.value[1])
            elif arguments and position < len(text) and not text.startswith("<", position):
                position = finder.next("<", position)
            elif arguments and (tags.over(text, position) or text.startswith(self.opening, position)):
                return arguments, position
            else:
                raise Unreadable(f"expected an argument or {self.closing}", cut=position >= len(text))
            position = skip_space(text, position)
        raise Unreadable("more arguments than any tool has", cut=True)

    def _key(self, text: str, position: int) -> tuple[str, str, int]:
        """Return a key, the kind of its value where one is written, and where the value begins."""
        position = _after_all(text, position, self.key[0])
        end = text.find("<", position, position + 200)
        key = text[position:end].strip()
        if end < 0 or not key:
            raise Unreadable(f"expected {self.key[1]}", cut=end < 0 and position + 200 > len(text))
        position = _after_all(text, end, self.key[1])
        closed = position > end
        kind, position = self._kind(text, position)
        begun = _after_all(text, position, self.value[0])
        if begun == position and (not closed or text.startswith("<", skip_space(text, position))):
            raise Unreadable(f"expected {self.value[0]}", cut=position >= len(text))
        return key, kind, begun if begun > position else skip_space(text, begun)

    def _kind(self, text: str, position: int) -> tuple[str, int]:
        start = skip_space(text, position)
        if not self.kind[0] or not text.startswith(self.kind[0], start):
            return "", position
        kind, end = _element(text, start, self.kind)
        return kind.strip(), skip_space(text, end)


_LAST_NAME = re.compile(r"(?:^|\s)(?P<name>[A-Za-z_][\w.\-]{0,199})\s{0,8}$")
_BARE_NAME = re.compile(r"\s{0,8}(?P<name>[\w.\-]{1,200}+)\s{0,8}")


def _of_kind(raw: str, kind: str, schema: ValueSchema) -> Any:
    """Return the value; a kind that is written beside it decides where the schema does not."""
    if kind and kind != "any" and (not schema.nodes or kind in schema.kinds()):
        schema = ValueSchema(nodes=({"type": kind},))
    return typed(raw, schema)


def _after_all(text: str, position: int, mark: str) -> int:
    """Return where the marks end that stand at `position`, one or several, each perhaps after white space."""
    while (end := reach_on(text, position, mark)) > position:
        position = end
    return position


def _element(text: str, start: int, marks: tuple[str, str]) -> tuple[str, int]:
    """Return the content of the element that begins at `start`, and where it ends."""
    if not text.startswith(marks[0], start):
        raise Unreadable(f"expected {marks[0]}", cut=start >= len(text))
    end = text.find(marks[1], start + len(marks[0]))
    if end < 0:
        raise Unreadable(f"the text ends before {marks[1]}", cut=True)
    return text[start + len(marks[0]) : end], end + len(marks[1])
