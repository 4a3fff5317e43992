"""Lists of Python calls: Llama 4 and 3.2, LFM 2, OLMo 3, and tool code of Gemma 3."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.data.records import ToolCall
from harness.models.parsing.family import MAX_CALLS, Family, Span, Style
from harness.models.parsing.pythonic import read_calls
from harness.models.parsing.scanners import places
from harness.models.parsing.values import Unreadable, skip_space

_LIST = re.compile(r"\[\s{0,64}[A-Za-z_][\w.\-]{0,199}+\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Python calls between marks. With `raw`, text that was never escaped is read as it stands."""

    opening: str
    closing: str
    raw: bool = False

    def __call__(self, text: str, _style: Style) -> list[Span]:
        spans: list[Span] = []
        for start in places(text, self.opening):
            try:
                calls, end = self._calls(text, start + len(self.opening))
                spans += [Span(start=start, end=end, call=call) for call in calls]
            except Unreadable as error:
                spans.append(Span(start=start, end=start, problem=str(error)))
                if error.cut:
                    break
        return spans

    def _calls(self, text: str, start: int) -> tuple[list[ToolCall], int]:
        try:
            return read_calls(text, start, self.closing)
        except Unreadable:
            if not self.raw:
                raise
        return read_calls(text, start, self.closing, raw=True)


def _lists(text: str, style: Style) -> list[Span]:
    """A list of calls: the whole text when strict, else anywhere."""
    if style.strict:
        starts = [skip_space(text, 0)]
    else:
        starts = [match.start() for _, match in zip(range(MAX_CALLS), _LIST.finditer(text), strict=False)]
    spans: list[Span] = []
    for start in starts:
        try:
            if not text.startswith("[", start):
                raise Unreadable("the text is no list of calls")
            calls, end = read_calls(text, start + 1, "]")
            spans += [Span(start=start, end=end, call=call) for call in calls]
        except Unreadable as error:
            spans.append(Span(start=start, end=start, problem=str(error)))
            if error.cut:
                break
    return spans


FAMILIES = (
    Family(name="pythonic", scan=_lists, vllm_parser="pythonic"),
    Family(
        name="llama4",
        scan=Marked(opening="<|python_start|>[", closing="]<|python_end|>"),
        vllm_parser="llama4_pythonic",
        markers=("<|python_start|>", "<|header_start|>"),
    ),
    Family(
        name="lfm2",
        scan=Marked(opening="<|tool_call_start|>[", closing="]<|tool_call_end|>", raw=True),
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
