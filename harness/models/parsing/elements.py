"""Calls as elements: one for the call, named in its opening tag, with one for each argument in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.data.records import ToolCall
from harness.models.parsing.family import Span, Style
from harness.models.parsing.literals import Unreadable, read_json, skip_space
from harness.models.parsing.scanners import places, reach_on, require, spans_at, wrapped
from harness.models.parsing.schemas import ValueSchema
from harness.models.parsing.tags import MAX_STEPS, Finder, Tags
from harness.models.parsing.typed import typed

_NO_TEXT = ValueSchema(nodes=({"type": ["null", "integer", "number", "boolean", "object", "array"]},))


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """An element for the call, named in its opening tag, with one element per argument.

    `opening` is a literal that every call begins with; `invoke` matches the whole opening tag there (group
    `name`), `parameter` one of an argument (group `name`, optional group `kind`). With `lines`, a value stands
    on lines of its own: the line break after the opening and before the closing tag are no part of it.
    """

    opening: str
    invoke: re.Pattern[str]
    invoke_end: str
    parameter: re.Pattern[str]
    parameter_end: str
    loose: tuple[re.Pattern[str], re.Pattern[str]] | None = None
    """`invoke` and `parameter` in other spellings."""
    wrapper: tuple[str, str] = ("", "")
    lines: bool = False
    before: re.Pattern[str] | None = None
    """What may stand before the wrapper and belongs to the call; ends with `$`, at most 256 characters."""

    def __call__(self, text: str, style: Style) -> list[Span]:
        invoke = self.loose[0] if self.loose and not style.strict else self.invoke
        covered = 0

        def at(start: int) -> list[Span]:
            nonlocal covered
            match = invoke.match(text, start)
            if start < covered or not match:
                return []
            arguments, end = (self._exactly if style.strict else self._loosely)(text, match, style)
            span = self._span(text, (start, end), ToolCall(name=match["name"], arguments=arguments), style)
            covered = end
            return [span]

        return spans_at(places(text, self.opening), at)

    def _exactly(self, text: str, invoke: re.Match[str], style: Style) -> tuple[dict[str, Any], int]:
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
            require(not self.parameter.search(text, match.end(), end), "an argument begins inside another")
            self._add(arguments, (invoke["name"], match), text[match.end() : end], style)
            position = skip_space(text, end + len(self.parameter_end))
        return arguments, position + len(self.invoke_end)

    def _loosely(self, text: str, invoke: re.Match[str], style: Style) -> tuple[dict[str, Any], int]:
        arguments: dict[str, Any] = {}
        pattern, finder = self.loose[1] if self.loose else self.parameter, Finder(text)
        tags = Tags(
            value_end=self.parameter_end,
            following=pattern,
            around=(self.invoke_end, self.wrapper[1]),
        )
        position = skip_space(text, invoke.end())
        if text.startswith("{", position):
            return self._json(text, position)
        for _ in range(MAX_STEPS):
            if text.startswith(self.invoke_end, position):
                return arguments, position + len(self.invoke_end)
            if match := pattern.match(text, position):
                end, position = tags.end_of_value(finder, match.end())
                raw = text[match.end() : end]
                raw = raw.removesuffix("\n") if end == position and not self.lines else raw
                if end == position and (inner := pattern.match(text, position)):
                    schema, own_line = style.arguments(invoke["name"]), text[position - 1] == "\n"
                    require(own_line or schema.declares(inner["name"]), "another opening tag in an argument")
                self._add(arguments, (invoke["name"], match), raw, style)
            elif text.startswith(self.parameter_end, position):
                position += len(self.parameter_end)
            elif arguments and not text.startswith("<", position) and position < len(text):
                position = finder.next("<", position)  # words between the elements say nothing
            elif self._ends(text, position, tags, bool(arguments)):
                return arguments, position
            else:
                cut = position >= len(text) or finder.next(self.invoke_end, position) >= len(text)
                raise Unreadable(f"expected an argument or {self.invoke_end}", cut=cut)
            position = skip_space(text, position)
        raise Unreadable("more arguments than any tool has", cut=True)

    def _ends(self, text: str, position: int, tags: Tags, begun: bool) -> bool:
        """Return whether the call ends without its closing tag; one without arguments needs what closes it all."""
        if not begun:
            return bool(self.wrapper[1]) and text.startswith(self.wrapper[1], position)
        return tags.over(text, position) or text.startswith((self.opening, self.wrapper[0] or self.opening), position)

    def _json(self, text: str, position: int) -> tuple[dict[str, Any], int]:
        """Some models write the arguments of such a call as JSON."""
        arguments, end = read_json(text, position, repair=True, closers=(self.invoke_end, self.wrapper[1]))
        closed = max(reach_on(text, end, self.invoke_end), reach_on(text, end, self.wrapper[1]))
        if not isinstance(arguments, dict) or closed == end:
            raise Unreadable(f"expected an argument or {self.invoke_end}", cut=end >= len(text))
        return arguments, closed

    def _add(self, arguments: dict[str, Any], heads: tuple[str, re.Match[str]], raw: str, style: Style) -> None:
        tool, match = heads
        raw = raw.removeprefix("\n").removesuffix("\n") if self.lines else raw
        kind = match.groupdict().get("kind")
        if kind is None:
            arguments[match["name"]] = typed(raw, style.schema(tool, match["name"]))
        else:
            arguments[match["name"]] = encodable(raw) if kind in ("true", "string") else typed(raw, _NO_TEXT)

    def _span(self, text: str, extent: tuple[int, int], call: ToolCall, style: Style) -> Span:
        first, last = wrapped(text, extent, self.wrapper, style, (self.opening, self.invoke_end))
        heading = self.before.search(text[max(0, first - 256) : first]) if self.before else None
        return Span(start=first - len(heading.group()) if heading else first, end=last, call=call)
