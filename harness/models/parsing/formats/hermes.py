"""Hermes and its kin: a JSON object between tags. Qwen 2.5 and 3, Granite 4, ERNIE 4.5, LongCat and close ones."""

from __future__ import annotations

from harness.models.parsing.family import Family, Keys, Span, Style
from harness.models.parsing.key_values import KeyValues
from harness.models.parsing.scanners import EnclosedJson

_LONGCAT = ("<longcat_tool_call>", "</longcat_tool_call>")
_LONGCAT_JSON = EnclosedJson(opening=_LONGCAT[0], closing=_LONGCAT[1])
_LONGCAT_PAIRS = KeyValues(
    opening=_LONGCAT[0],
    closing=_LONGCAT[1],
    key=("<longcat_arg_key>", "</longcat_arg_key>"),
    value=("<longcat_arg_value>", "</longcat_arg_value>"),
)


def _longcat(text: str, style: Style) -> list[Span]:
    """Later models of the family write pairs of elements where the first wrote JSON."""
    pairs = _LONGCAT_PAIRS(text, style)
    return pairs if any(span.call for span in pairs) else _LONGCAT_JSON(text, style) or pairs


FAMILIES = (
    Family(
        name="hermes",
        scan=EnclosedJson(opening="<tool_call>", closing="</tool_call>"),
        vllm_parser="hermes",
        markers=("<tool_call>", "</tool_call>", "arguments"),
        also=("qwen3_json", "granite4", "ernie45"),
    ),
    Family(
        name="longcat",
        scan=_longcat,
        vllm_parser="longcat",
        markers=("<longcat_tool_call>",),
    ),
    Family(
        name="internlm",
        scan=EnclosedJson(
            opening="<|action_start|><|plugin|>",
            closing="<|action_end|>",
            keys=Keys(arguments=("parameters", "arguments")),
        ),
        vllm_parser="internlm",
        markers=("<|action_start|>", "<|plugin|>"),
    ),
    Family(
        name="gigachat3",
        scan=EnclosedJson(opening="function call<|role_sep|>"),
        vllm_parser="gigachat3",
        markers=("function call<|role_sep|>",),
    ),
    Family(
        name="inkling",
        scan=EnclosedJson(opening="<|content_invoke_tool_json|>", keys=Keys(arguments=("args",))),
        vllm_parser="inkling",
        markers=("<|content_invoke_tool_json|>",),
    ),
    Family(
        name="minimax_m1",
        scan=EnclosedJson(opening="<tool_calls>", closing="</tool_calls>"),
        markers=("<tool_calls>", "</tool_calls>", "<beginning_of_sentence>"),
    ),
)
