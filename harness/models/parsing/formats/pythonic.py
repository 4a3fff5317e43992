"""Lists of Python calls: Llama 4 and 3.2, LFM 2, OLMo 3, and tool code of Gemma 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.data.records import ToolCall
from harness.models.parsing.family import MAX_CALLS, Family, Span, Style
from harness.models.parsing.literals import Unreadable, skip_space
from harness.models.parsing.pythonic import read_calls
from harness.models.parsing.scanners import places, reach_on, require, spans_at

_LIST = re.compile(r"\[\s{0,64}[A-Za-z_][\w.\-]{0,199}+\(")
_FENCE = re.compile(r"```(?:python|py|tool_code|tool_call)?[ \t]{0,8}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Python calls between marks, in a list or not. With `raw`, text that was never escaped is read as it stands."""

    opening: str
    closing: str
    listed: bool = False
    raw: bool = False

    def __call__(self, text: str, style: Style) -> list[Span]:
        def at(start: int) -> list[Span]:
            calls, end = self._calls(text, start + len(self.opening), style)
            return [Span(start=start, end=end, call=call) for call in calls]

        return spans_at(places(text, self.opening), at)

    def _calls(self, text: str, start: int, style: Style) -> tuple[list[ToolCall], int]:
        if style.strict:
            require(not self.listed or text.startswith("[", start), "no list of calls after the mark")
            closing = "]" * self.listed + self.closing
            return read_calls(text, start + self.listed, (closing,), loose=False, raw=self.raw)
        begun = reach_on(text, start, "[")
        closers = ("]", self.closing) if begun > start else (self.closing, "")
        calls, end = read_calls(text, begun, closers, loose=True, raw=self.raw)
        if not calls:
            raise Unreadable("no call between the marks", cut=end >= len(text))
        return calls, reach_on(text, end, self.closing)


def _lists(text: str, style: Style) -> list[Span]:
    """A list of calls: the whole text when strict, else anywhere, and calls that are all there is but in no list."""
    if style.strict:
        starts = [skip_space(text, 0)]
    else:
        starts = [match.start() for _, match in zip(range(MAX_CALLS), _LIST.finditer(text), strict=False)]

    def at(start: int) -> list[Span]:
        require(text.startswith("[", start), "the text is no list of calls")
        calls, end = read_calls(text, start + 1, ("]",), loose=not style.strict)
        return [Span(start=start, end=end, call=call) for call in calls]

    spans = spans_at(starts, at)
    return spans if style.strict else sorted([*spans, *_bare(text, style)], key=lambda span: span.start)


def _bare(text: str, style: Style) -> Iterator[Span]:
    """Yield calls without a list: all of the text, or all of a fence with code."""
    starts = [(0, "")]
    starts += [(match.end(), "```") for _, match in zip(range(MAX_CALLS), _FENCE.finditer(text), strict=False)]
    for start, closer in starts:
        try:
            calls, end = read_calls(text, start, (closer,), loose=True)
        except Unreadable:
            continue  # prose, or other code
        if all(style.may_be_tool(call.name) for call in calls):
            yield from (Span(start=start, end=end, call=call) for call in calls)


FAMILIES = (
    Family(name="pythonic", scan=_lists, vllm_parser="pythonic"),
    Family(
        name="llama4",
        scan=Marked(opening="<|python_start|>", closing="<|python_end|>", listed=True),
        vllm_parser="llama4_pythonic",
        markers=("<|python_start|>", "<|header_start|>"),
    ),
    Family(
        name="lfm2",
        scan=Marked(opening="<|tool_call_start|>", closing="<|tool_call_end|>", listed=True, raw=True),
        vllm_parser="lfm2",
        markers=("<|tool_call_start|>", "<|tool_call_end|>"),
    ),
    Family(
        name="olmo3",
        scan=Marked(opening="<function_calls>", closing="</function_calls>"),
        vllm_parser="olmo3",
        markers=("<function_calls>", "</function_calls>"),
    ),
    Family(name="tool_code", scan=Marked(opening="```tool_code", closing="```"), markers=("tool_code",)),
)
