"""PLaMo 3, K2 Horizon and Hunyuan 4: the name and each argument between marks of the family's own."""

from __future__ import annotations

import re
from functools import cache

from harness.models.parsing.family import Family, Span, Style
from harness.models.parsing.key_values import KeyValues
from harness.models.parsing.scanners import EnclosedJson, NamedJson

_MAX_SUFFIXES = 3
_SUFFIX = re.compile(r"<tool_calls?(?P<suffix>(?::[^\s<>]{1,40}+)?)>")
_IFM_JSON = EnclosedJson(opening="<ifm|tool_call>", closing="</ifm|tool_call>")
_IFM = KeyValues(
    opening="<ifm|tool_call>",
    closing="</ifm|tool_call>",
    key=("<ifm|arg_key>", "</ifm|arg_key>"),
    kind=("<ifm|arg_type>", "</ifm|arg_type>"),
    value=("<ifm|arg_value>", "</ifm|arg_value>"),
    wrapper=("<ifm|tool_calls>", "</ifm|tool_calls>"),
)


def _plamo(name: str) -> tuple[str, str]:
    return f"<|plamo:begin_{name}:plamo|>", f"<|plamo:end_{name}:plamo|>"


def _heading(gap: str) -> re.Pattern[str]:
    closing = re.escape(_plamo("tool_name")[1])
    arguments = re.escape(_plamo("tool_arguments")[0])
    constrain = re.escape("<|plamo:constrain|>") + "json" + re.escape("<|plamo:msg|>")
    constrain = constrain if not gap else f"(?:{constrain})?"
    name = r"(?P<name>[^\s<>|]{1,200}+)"
    return re.compile(gap.join(("", name, closing, arguments, constrain)))


def _ifm(text: str, style: Style) -> list[Span]:
    found = _IFM(text, style)
    json_spans = _IFM_JSON(text, style) if not any(span.call for span in found) else []
    return [*found, *(span for span in json_spans if span.call)] or json_spans


@cache
def _suffixed(suffix: str) -> KeyValues:
    def pair(name: str) -> tuple[str, str]:
        return f"<{name}{suffix}>", f"</{name}{suffix}>"

    opening, closing = pair("tool_call")
    return KeyValues(
        opening=opening, closing=closing, key=pair("arg_key"), value=pair("arg_value"), wrapper=pair("tool_calls")
    )


def _hunyuan(text: str, style: Style) -> list[Span]:
    """The marks end in a suffix that each model has of its own, or in none."""
    suffixes: list[str] = []
    for match in _SUFFIX.finditer(text):
        if match["suffix"] not in suffixes:
            suffixes.append(match["suffix"])
        if len(suffixes) == _MAX_SUFFIXES:
            break
    spans = [span for suffix in suffixes for span in _suffixed(suffix)(text, style)]
    return sorted(spans, key=lambda span: span.start)


FAMILIES = (
    Family(
        name="plamo3",
        scan=NamedJson(
            opening=_plamo("tool_name")[0],
            heading=_heading(""),
            closing=_plamo("tool_arguments")[1] + _plamo("tool_request")[1],
            wrapper=(_plamo("tool_requests")[0] + _plamo("tool_request")[0], _plamo("tool_requests")[1]),
            loose=_heading(r"\s{0,8}"),
        ),
        vllm_parser="plamo3",
        markers=("<|plamo:begin_tool_name:plamo|>",),
    ),
    Family(name="k2_horizon", scan=_ifm, vllm_parser="k2_horizon", markers=("<ifm|tool_call>",)),
    Family(name="hunyuan_v4", scan=_hunyuan, vllm_parser="hy_v4"),
)
