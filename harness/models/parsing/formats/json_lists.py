"""A JSON list of calls after a mark: Granite 3, Jamba, Hunyuan A13B, Phi-4, xLAM, Cohere Command, Apertus."""

from __future__ import annotations

import re
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.family import MAX_CALLS, Family, Keys, Span, Style, call_of
from harness.models.parsing.literals import Unreadable, read_json, skip_space
from harness.models.parsing.scanners import EnclosedJson, places, reach_on, require, spans_at

_FENCE = re.compile(r"```(?:json)?\s{0,8}")


def _bare_list(text: str, style: Style) -> list[Span]:
    """xLAM: the whole answer is a list, fenced or not."""
    start = skip_space(text, 0)
    fence = _FENCE.match(text, start)
    if not style.strict and not text.startswith("[", fence.end() if fence else start):
        return []

    def at(start: int) -> list[Span]:
        value, end = read_json(text, fence.end() if fence else start, repair=not style.strict)
        require(isinstance(value, list), "expected a list of calls")
        end = reach_on(text, end, "```" if fence else "")
        return [Span(start=start, end=end, call=call_of(item, style, Keys())) for item in value[:MAX_CALLS]]

    return spans_at([start], at)


def _apertus(text: str, style: Style) -> list[Span]:
    """A list of objects with one key each, the tool's name, and the arguments as its value."""
    opening, closing = "<|tools_prefix|>", "<|tools_suffix|>"

    def at(start: int) -> list[Span]:
        value, end = read_json(text, start + len(opening), repair=not style.strict, closers=(closing,))
        closed = reach_on(text, end, closing)
        require(not style.strict or closed > end, f"no {closing} after the call")
        items = value if isinstance(value, list) else [value]
        return [Span(start=start, end=closed, call=_single_key(item)) for item in items[:MAX_CALLS]]

    return spans_at(places(text, opening), at)


def _single_key(item: Any) -> ToolCall:
    if not isinstance(item, dict) or len(item) != 1:
        raise Unreadable("expected an object with one key, the tool's name")
    name, arguments = next(iter(item.items()))
    if not name or not isinstance(arguments, dict):
        raise Unreadable("the name is empty, or the arguments are no object")
    return ToolCall(name=name, arguments=arguments)


FAMILIES = (
    Family(
        name="granite",
        scan=EnclosedJson(opening="<|tool_call|>", many=True),
        vllm_parser="granite",
        markers=("<|tool_call|>", "<|start_of_role|>"),
    ),
    Family(name="granite31", scan=EnclosedJson(opening="<tool_call>", many=True), vllm_parser="granite"),
    Family(
        name="granite_20b",
        scan=EnclosedJson(opening="<function_call>"),
        vllm_parser="granite-20b-fc",
        markers=("<function_call>",),
    ),
    Family(
        name="jamba",
        scan=EnclosedJson(opening="<tool_calls>", closing="</tool_calls>", many=True),
        vllm_parser="jamba",
        markers=("<tool_calls>", "</tool_calls>", "arguments"),
        also=("hunyuan_a13b",),
    ),
    Family(
        name="phi4_mini",
        scan=EnclosedJson(opening="functools", many=True),
        vllm_parser="phi4_mini_json",
        markers=("functools[",),
    ),
    Family(
        name="phi4",
        scan=EnclosedJson(opening="<|tool_call|>", closing="<|/tool_call|>", many=True),
        markers=("<|tool_call|>", "<|/tool_call|>"),
    ),
    # vLLM registers parsers for it that refuse all text: there, a closed package parses it in the server.
    Family(
        name="cohere",
        scan=EnclosedJson(
            opening="<|START_ACTION|>",
            closing="<|END_ACTION|>",
            keys=Keys(name="tool_name", arguments=("parameters",), ignored=("tool_call_id",)),
            many=True,
        ),
        markers=("<|START_ACTION|>", "<|END_ACTION|>"),
    ),
    Family(name="xlam", scan=_bare_list, vllm_parser="xlam"),
    Family(name="apertus", scan=_apertus, vllm_parser="apertus", markers=("<|tools_prefix|>", "<|tools_suffix|>")),
)
