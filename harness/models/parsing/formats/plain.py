"""A bare JSON object, as the published references write a call and as Llama 3 does."""

from __future__ import annotations

import re
from itertools import islice

from harness.models.parsing.family import MAX_CALLS, Family, Keys, Span, Style, call_of
from harness.models.parsing.literals import Unreadable, skip_space
from harness.models.parsing.pythonic import PythonCalls
from harness.models.parsing.scanners import closed_json, places, require, spans_at

_KEYS = Keys(arguments=("parameters", "arguments"))
_CLOSERS = ("</", "```", "<|")
"""What closes an object that lacks its last braces, in a fence or a tag."""
_TAG = "<|python_tag|>"
_CANDIDATE = re.compile(
    r"""\{\s{0,64}["'](?:name|arguments|parameters|function|type|id|tool_name|func_name|function_name|tool|args)["']\s{0,8}:"""
)


def _object_at(text: str, start: int, keys: Keys, style: Style) -> Span:
    value, end, mended = closed_json(text, start, style, _CLOSERS)
    call = call_of(value, style, keys)
    require(not mended or not style.misplaced(call), "a brace that may belong elsewhere")
    return Span(start=start, end=end, call=call)


def _only_object(text: str, keys: Keys, style: Style) -> list[Span]:
    return spans_at([skip_space(text, 0)], lambda start: [_object_at(text, start, keys, style)])


def _objects(text: str, style: Style) -> list[Span]:
    """Find objects that look like calls anywhere, one in a fence or a list included.

    Of an object that is cut off nothing is read, not even a whole object inside it.
    """
    covered = 0

    def at(start: int) -> list[Span]:
        nonlocal covered
        if start < covered:
            return []
        span = _object_at(text, start, _KEYS, style)
        covered = span.end
        return [span] if _has_arguments(text[span.start : span.end]) else []

    return spans_at((match.start() for match in islice(_CANDIDATE.finditer(text), MAX_CALLS)), at)


def _has_arguments(body: str) -> bool:
    return any(f"{quote}{key}{quote}" in body for key in ("parameters", "arguments", "args") for quote in "\"'")


def _plain(text: str, style: Style) -> list[Span]:
    """One object, or several with nothing but white space between them."""
    if not style.strict:
        return _objects(text, style)
    spans = _only_object(text, _KEYS, style)
    while spans[-1].call and len(spans) < MAX_CALLS and text.startswith("{", skip_space(text, spans[-1].end)):
        spans += spans_at([skip_space(text, spans[-1].end)], lambda start: [_object_at(text, start, _KEYS, style)])
    return spans


def _llama(text: str, style: Style) -> list[Span]:
    """`{"name", "parameters"}` alone, after the python tag or not; a built-in tool as `name.call(key="value")`."""
    tagged = [span for start in places(text, _TAG) if (span := _tagged(text, start, style))]
    if not style.strict:
        bare = [span for span in _objects(text, style) if not any(one.start < span.start < one.end for one in tagged)]
        return sorted([*tagged, *bare], key=lambda span: span.start)
    start = skip_space(text, 0)
    if text.startswith(_TAG, start):
        return tagged
    keys = Keys(arguments=("parameters",), ignored=("type",))
    return _only_object(text, keys, style)


def _tagged(text: str, start: int, style: Style) -> Span | None:
    inner = skip_space(text, start + len(_TAG))
    try:
        if text.startswith("{", inner):
            keys = Keys(arguments=("parameters",), ignored=("type",))
            span = _object_at(text, inner, keys, style)
        else:
            span = _python_at(text, inner, style)
    except Unreadable as error:
        return Span(start=start, end=inner, problem=str(error))
    return Span(start=start, end=span.end, call=span.call)


def _python_at(text: str, start: int, style: Style) -> Span:
    calls = PythonCalls(text=text, loose=not style.strict)
    try:
        call, end = calls.call(start, method=".call")
    except Unreadable:
        if style.strict:
            raise
        call, end = calls.call(start)
    return Span(start=start, end=end, call=call)


FAMILIES = (
    Family(name="plain", scan=_plain),
    Family(
        name="llama3",
        scan=_llama,
        vllm_parser="llama3_json",
        markers=("<|start_header_id|>", '"parameters": '),
        single=True,
        also=("llama4_json",),
    ),
)
