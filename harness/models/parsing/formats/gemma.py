"""Gemma 4 and FunctionGemma: `call:name{key:value}` between marks, text between marks of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.data.records import ToolCall
from harness.models.parsing.family import Family, Span, Style
from harness.models.parsing.scanners import places
from harness.models.parsing.values import MAX_DEPTH, Unreadable, read_scalar, skip_space

_HEADING = re.compile(r"\s{0,8}call:(?P<name>[\w.\-]{1,200}+)\s{0,8}\{")
_KEY = re.compile(r"(?P<name>[^\s:{}\[\],<>]{1,200}+)\s{0,8}:")
_BARE = re.compile(r"[^,{}\[\]<>\n]{1,200}+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Braces:
    opening: str
    closing: str
    quote: str

    def __call__(self, text: str, style: Style) -> list[Span]:
        spans: list[Span] = []
        for start in places(text, self.opening):
            match = _HEADING.match(text, start + len(self.opening))
            if not match:
                continue
            try:
                arguments, end = self._pairs(text, match.end() - 1, 0)
                closed = text.startswith(self.closing, skip_space(text, end))
                if closed:
                    end = skip_space(text, end) + len(self.closing)
                elif style.strict:
                    raise Unreadable(f"no {self.closing} after the call")
                spans.append(Span(start=start, end=end, call=ToolCall(name=match["name"], arguments=arguments)))
            except Unreadable as error:
                spans.append(Span(start=start, end=match.end(), problem=str(error)))
                if error.cut:
                    break
        return spans

    def _value(self, text: str, start: int, depth: int) -> tuple[Any, int]:
        if depth > MAX_DEPTH:
            raise Unreadable("values nested too deeply")
        start = skip_space(text, start)
        if start >= len(text):
            raise Unreadable("the text ends inside a value", cut=True)
        if text.startswith(self.quote, start):
            return self._text(text, start)
        if text[start] == "{":
            return self._pairs(text, start, depth)
        if text[start] == "[":
            return self._items(text, start, depth)
        try:
            return read_scalar(text, start)
        except Unreadable:
            match = _BARE.match(text, start)
            if not match:
                raise
            return encodable(match.group().strip()), match.end()

    def _text(self, text: str, start: int) -> tuple[str, int]:
        end = text.find(self.quote, start + len(self.quote))
        if end < 0:
            raise Unreadable("the text ends inside a value", cut=True)
        return text[start + len(self.quote) : end], end + len(self.quote)

    def _pairs(self, text: str, start: int, depth: int) -> tuple[dict[str, Any], int]:
        pairs: dict[str, Any] = {}
        position = skip_space(text, start + 1)
        while not text.startswith("}", position):
            key, position = self._key(text, position)
            pairs[key], position = self._value(text, position, depth + 1)
            position = self._after_comma(text, position, "}")
        return pairs, position + 1

    def _key(self, text: str, position: int) -> tuple[str, int]:
        if text.startswith(self.quote, position):
            key, position = self._text(text, position)
            position = skip_space(text, position)
            if not text.startswith(":", position):
                raise Unreadable("a key without a value", cut=position >= len(text))
            return key, position + 1
        match = _KEY.match(text, position)
        if not match:
            raise Unreadable("an argument without a name", cut=position >= len(text))
        return match["name"], match.end()

    def _items(self, text: str, start: int, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        position = skip_space(text, start + 1)
        while not text.startswith("]", position):
            value, position = self._value(text, position, depth + 1)
            items.append(value)
            position = self._after_comma(text, position, "]")
        return items, position + 1

    def _after_comma(self, text: str, position: int, closer: str) -> int:
        position = skip_space(text, position)
        if text.startswith(",", position):
            return skip_space(text, position + 1)
        if not text.startswith(closer, position):
            raise Unreadable(f"expected , or {closer}", cut=position >= len(text))
        return position


FAMILIES = (
    Family(
        name="gemma4",
        scan=_Braces(opening="<|tool_call>", closing="<tool_call|>", quote='<|"|>'),
        vllm_parser="gemma4",
        markers=("<|tool_call>", "<tool_call|>"),
    ),
    Family(
        name="functiongemma",
        scan=_Braces(opening="<start_function_call>", closing="<end_function_call>", quote="<escape>"),
        vllm_parser="functiongemma",
        markers=("<start_function_call>", "<end_function_call>"),
    ),
)
