"""Mistral: `[TOOL_CALLS]` and a JSON list (up to v10 of its tokenizer), or the name and then the arguments (v11 on).

GLM-4 writes the name and then the arguments without any mark.
"""

from __future__ import annotations

import re

from harness.data.records import ToolCall
from harness.models.parsing.family import Family, Keys, Span, Style
from harness.models.parsing.literals import Unreadable
from harness.models.parsing.scanners import EnclosedJson, NamedJson, places, read_arguments

_MARK = "[TOOL_CALLS]"
_LIST = EnclosedJson(opening=_MARK, keys=Keys(ignored=("id",)), many=True)
_NAMED = NamedJson(
    opening=_MARK,
    heading=re.compile(r"\s{0,8}(?P<name>[A-Za-z_][\w.\-]{0,127}+)(?:\[CALL_ID\]\w{1,64}+)?\s{0,8}(?:\[ARGS\])?"),
)
_NAME_BEFORE = re.compile(r"(?:^|\s)(?P<name>[A-Za-z_][\w.\-]{0,127}+)(?:\[CALL_ID\]\w{1,64}+)?\s{0,8}$")
_NAME_FIRST = re.compile(r"\s*+(?P<name>[A-Za-z_][\w.\-]{0,127}+)[ \t]{0,8}\n?\s{0,8}(?P<fence>```json\s{0,8})?(?=\{)")


def _mistral(text: str, style: Style) -> list[Span]:
    named = _NAMED(text, style)
    starts = {span.start for span in named}
    spans = [*named, *(span for span in _LIST(text, style) if span.start not in starts)]
    if not style.strict:
        spans += _unmarked(text)
    return sorted(spans, key=lambda span: span.start)


def _unmarked(text: str) -> list[Span]:
    """Find calls of which the first mark was dropped, as happens where special tokens are skipped."""
    spans: list[Span] = []
    for place in places(text, "[ARGS]"):
        reach = max(0, place - 256)
        match = _NAME_BEFORE.search(text[reach:place])
        if match:
            spans.append(_call(text, reach + match.start("name"), match["name"], place + len("[ARGS]")))
    return spans


def _call(text: str, start: int, name: str, begin: int, *, repair: bool = True) -> Span:
    try:
        arguments, end = read_arguments(text, begin, repair=repair)
    except Unreadable as error:
        return Span(start=start, end=begin, problem=str(error))
    return Span(start=start, end=end, call=ToolCall(name=name, arguments=arguments))


def _name_first(text: str, style: Style) -> list[Span]:
    """GLM-4: the text is a tool's name, a line break, and its arguments; words before or after make it none."""
    match = _NAME_FIRST.match(text)
    if not match or (style.strict and (match["fence"] or not match.group().endswith("\n"))):
        return []
    span = _call(text, match.start("name"), match["name"], match.end(), repair=not style.strict)
    rest = text[span.end :].strip()
    whole = span.call is None or not rest or (match["fence"] and rest == "```")
    return [span] if whole and style.may_be_tool(match["name"]) else []


FAMILIES = (
    Family(name="mistral", scan=_mistral, vllm_parser="mistral", markers=(_MARK,)),
    Family(name="glm4", scan=_name_first, single=True),
)
