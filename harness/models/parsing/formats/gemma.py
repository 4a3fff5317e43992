"""Gemma 4 and FunctionGemma: `call:name{key:value}` between marks, text between marks of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.family import Family, Span, Style
from harness.models.parsing.literals import MAX_DEPTH, Literals, Unreadable, skip_space
from harness.models.parsing.scanners import marked_spans, require
from harness.models.parsing.schemas import ValueSchema
from harness.models.parsing.typed import typed

_KEY = re.compile(r"(?P<name>[^\s:{}\[\],<>\"'](?:[^\n:{}\[\],<>\"']{0,198}[^\s:{}\[\],<>\"'])?)\s{0,8}:")
_NEXT_KEY = re.compile(r"\s{0,8}[A-Za-z_]\w{0,60}:(?=\s{0,8}(?:[{\[\d<\-\"]|true|false|null))")
_EQUALS = re.compile(r"(?P<name>[A-Za-z_]\w{0,60})\s{0,8}=(?=\s{0,8}(?:[{\[\d<\-\"']|true|false|null))")
"""A key that stands before its value as in Python."""
_MAX_UNOPENED = 300
"""Longest text of which the mark before it may be missing, in characters."""
_MEMBER = re.compile(r"[\[{]|,\s{0,8}[\"']?[A-Za-z_]\w{0,60}[\"']?\s{0,8}[:=]")
_BARE = re.compile(r"[^,{}\[\]<>\n]{1,200}+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Braces:
    """The values of a text in this notation."""

    text: str
    quote: str
    """Stands before and after text, which it does not escape."""
    outer: str = "}"
    """What closes the call's arguments."""
    closers: tuple[str, ...] = ()
    """Read leniently, marks that end all that is still open; empty when strict."""
    loose: bool = False
    """Read also JSON's quotes and Python's, the mark of text inside text, and what lacks a comma."""

    def pairs(self, start: int, schema: ValueSchema, depth: int = 0) -> tuple[dict[str, Any], int]:
        """Return the members of the object whose first one stands at `start`, and where it ends; raises Unreadable."""
        pairs: dict[str, Any] = {}
        closer = "}" if depth else self.outer
        position = skip_space(self.text, start)
        doubled = self.loose and self.text.startswith("{", position)
        position = skip_space(self.text, position + doubled)
        while not self._over(position, closer, pairs):
            key, position = self._key(position)
            pairs[key], position = self._value(position, schema.member(key), depth + 1)
            position = self._after_comma(position, closer)
        position += self.text.startswith(closer, position)
        return pairs, position + (doubled and self.text.startswith("}", position))

    def _value(self, start: int, schema: ValueSchema, depth: int) -> tuple[Any, int]:
        if depth > MAX_DEPTH:
            raise Unreadable("values nested too deeply")
        start = skip_space(self.text, start)
        if start >= len(self.text):
            raise Unreadable("the text ends inside a value", cut=True)
        if self.text.startswith(self.quote, start):
            return self._text(start)
        if self.text[start] == "{":
            return self.pairs(start + 1, schema, depth)
        if self.text[start] == "[":
            return self._items(start + 1, schema.item(), depth)
        if self.loose and self.text[start] in "\"'" and (plain := self._plain(start)):
            return plain
        return self._scalar(start, schema)

    def _scalar(self, start: int, schema: ValueSchema) -> tuple[Any, int]:
        """Return a number, a constant or text without any quotes; the schema says which, where there is one."""
        if self.loose and (end := self._end_of_unopened(start)):
            return typed(self.text[start:end].strip(), schema), end + len(self.quote)
        match = _BARE.match(self.text, start)
        if not match or '"' in match.group() or (not self.loose and match.group().startswith("'")):
            raise Unreadable("a value that is neither text nor a number", cut=match is None and start >= len(self.text))
        bare = match.group().strip()
        if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'`":
            raise Unreadable("quotes in a text that do not pair")
        if schema.nodes:
            return typed(bare, schema), match.end()
        try:
            value, end = Literals(text=bare).scalar(0)
        except Unreadable:
            return bare, match.end()
        return (value if end == len(bare) else bare), match.end()

    def _end_of_unopened(self, start: int) -> int | None:
        """Return where text ends that only the mark after it shows to be text, None where none does."""
        end = self.text.find(self.quote, start, start + _MAX_UNOPENED)
        body = self.text[start:end] if end > start else ":"
        opens = body.rstrip().endswith((":", "=", ",")) or _MEMBER.search(body) or set("\n\"'") & set(body)
        return end if not opens and self._may_follow(end + len(self.quote)) else None

    def _plain(self, start: int) -> tuple[str, int] | None:
        """Return text in JSON's or Python's quotes, None where the quote is part of something else."""
        try:
            value, end = Literals(text=self.text).value(start)
        except Unreadable:
            return None
        return (value, end) if self._may_follow(end) or self.text.startswith(":", skip_space(self.text, end)) else None

    def _text(self, start: int) -> tuple[str, int]:
        """Return the text between marks; when loose, a mark that nothing follows which may is a quote in the text."""
        begin = start + len(self.quote)
        first = end = self.text.find(self.quote, begin)
        while self.loose and end >= 0 and not self._may_follow(end + len(self.quote)):
            end = self.text.find(self.quote, end + len(self.quote))
        if first < 0:
            return self._unclosed(begin)
        if end < 0:
            raise Unreadable("a text that does not end where it may", cut=True)
        return self._unquoted(self.text[begin:end]), end + len(self.quote)

    def _unclosed(self, begin: int) -> tuple[str, int]:
        """Return a call's last text, whose mark is missing, up to what closes the call right after it."""
        closing = [place for mark in self.closers if (place := self.text.find(mark, begin)) >= 0]
        body = self.text[begin : min(closing, default=begin)].rstrip()
        if not body.endswith(self.outer):
            raise Unreadable("the text ends inside a value", cut=True)
        body = body.removesuffix(self.outer)
        if _MEMBER.search(body) or set("{}[]") & set(body):
            raise Unreadable("a text that does not end where it may")
        return body, begin + len(body)

    def _unquoted(self, body: str) -> str:
        """Return a text in which marks are quotes: in pairs, while a single one is doubled or that of another text."""
        if body.count(self.quote) % 2 == 0:
            return body.replace(self.quote, '"')
        stripped = body.removeprefix(self.quote) if body.startswith(self.quote) else body.removesuffix(self.quote)
        if self.quote in stripped:
            raise Unreadable("a text that does not end where it may")
        return stripped

    def _may_follow(self, position: int) -> bool:
        position = skip_space(self.text, position)
        following = (",", "}", "]", self.outer, *self.closers)
        return position >= len(self.text) or self.text.startswith(following, position) or self._begins(position)

    def _begins(self, position: int) -> bool:
        """Return whether another member begins here, so that a comma was left out."""
        return self.loose and _NEXT_KEY.match(self.text, position) is not None

    def _key(self, position: int) -> tuple[str, int]:
        if self.text.startswith(self.quote, position):
            key, position = self._key_text(position)
        elif self.loose and self.text[position : position + 1] in ("'", '"') and (plain := self._plain(position)):
            key, position = plain
        else:
            match = (self.loose and _EQUALS.match(self.text, position)) or _KEY.match(self.text, position)
            if not match:
                raise Unreadable("an argument without a name", cut=position >= len(self.text))
            return match["name"], match.end()
        position = skip_space(self.text, position)
        if not self.text.startswith((":", "=") if self.loose else ":", position):
            raise Unreadable("a key without a value", cut=position >= len(self.text))
        return key, position + 1

    def _key_text(self, start: int) -> tuple[str, int]:
        end = self.text.find(self.quote, start + len(self.quote))
        if end < 0:
            raise Unreadable("the text ends inside a key", cut=True)
        return self.text[start + len(self.quote) : end], end + len(self.quote)

    def _items(self, start: int, schema: ValueSchema, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        position = skip_space(self.text, start)
        while not self._over(position, "]", items):
            begun = position
            value, position = self._value(position, schema, depth + 1)
            body = self.text[begun + len(self.quote) : position - len(self.quote)]
            if isinstance(value, str) and self.quote * 2 in body.replace(self.quote * 3, ""):
                raise Unreadable("two marks in a list: a comma left out, or quotes in a text")
            items.append(value)
            position = self._after_comma(position, "]")
        return items, position + self.text.startswith("]", position)

    def _over(self, position: int, closer: str, found: Any) -> bool:
        if self.text.startswith(closer, position):
            return True
        if self.loose and closer == "]" and found and self.text.startswith("}", position):
            return True  # the list is not closed, and what is around it is
        return bool(found and self.closers and self.text.startswith(self.closers, position))

    def _after_comma(self, position: int, closer: str) -> int:
        position = skip_space(self.text, position)
        if self.text.startswith(",", position):
            return self._after_commas(position + 1)
        if not self._over(position, closer, True) and not (closer != "]" and self._begins(position)):
            raise Unreadable(f"expected , or {closer}", cut=position >= len(self.text))
        return position

    def _after_commas(self, position: int) -> int:
        position = skip_space(self.text, position)
        while self.loose and self.text.startswith(",", position):
            position = skip_space(self.text, position + 1)
        return position


_HEADING = re.compile(r"\s{0,8}call:(?P<name>[\w.\-]{1,200}+)\s{0,8}(?P<open>\{)")
_LOOSE = re.compile(
    r"\s{0,8}(?:(?:call)?\s{0,8}:{1,2}\s{0,8})?(?P<name>\w(?:[\w.:/\-]{0,198}[\w.\-])?+)\s{0,8}(?P<open>[{(]|(?=<))"
)

_UNMARKED = re.compile(r"(?:^|\s)(?P<call>call:(?P<name>\w(?:[\w.:/\-]{0,198}[\w.\-])?+)(?P<open>\{))")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marked:
    opening: str
    closing: str
    quote: str

    def __call__(self, text: str, style: Style) -> list[Span]:
        if not style.strict and self.opening not in text:
            return self._unmarked(text, style)
        heading = _HEADING if style.strict else _LOOSE
        return marked_spans(text, self.opening, heading, lambda start, match: self._span(text, start, match, style))

    def _unmarked(self, text: str, style: Style) -> list[Span]:
        """Return the first call of a text whose special tokens were skipped."""
        match = _UNMARKED.search(text)
        if not match or not style.may_be_tool(match["name"]):
            return []
        try:
            return [self._span(text, match.start("call"), match, style)]
        except Unreadable as error:
            return [Span(start=match.start("call"), end=match.end(), problem=str(error))]

    def _span(self, text: str, start: int, match: re.Match[str], style: Style) -> Span:
        closers = () if style.strict else (self.closing,)
        outer = ")" if match["open"] == "(" else "}"
        braces = Braces(text=text, quote=self.quote, outer=outer, closers=closers, loose=not style.strict)
        if match["open"]:
            arguments, end = braces.pairs(match.end(), style.arguments(match["name"]))
        else:
            require(text.startswith(self.closing, match.end()), "no arguments after the tool's name")
            arguments, end = {}, match.end()
        closed = text.startswith(self.closing, skip_space(text, end))
        if closed:
            end = skip_space(text, end) + len(self.closing)
        elif style.strict:
            raise Unreadable(f"no {self.closing} after the call")
        return Span(start=start, end=end, call=ToolCall(name=match["name"], arguments=arguments))


FAMILIES = (
    Family(
        name="gemma4",
        scan=_Marked(opening="<|tool_call>", closing="<tool_call|>", quote='<|"|>'),
        vllm_parser="gemma4",
        markers=("<|tool_call>", "<tool_call|>"),
    ),
    Family(
        name="functiongemma",
        scan=_Marked(opening="<start_function_call>", closing="<end_function_call>", quote="<escape>"),
        vllm_parser="functiongemma",
        markers=("<start_function_call>", "<end_function_call>"),
    ),
)
