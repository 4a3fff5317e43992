"""Gemma 4 and FunctionGemma: `call:name{key:value}` between marks, text between marks of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.data.records import ToolCall
from harness.models.parsing.braces import Braces
from harness.models.parsing.family import Family, Span, Style
from harness.models.parsing.literals import Unreadable, skip_space
from harness.models.parsing.scanners import marked_spans, require

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
