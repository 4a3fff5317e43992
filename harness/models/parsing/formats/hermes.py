"""Hermes and its kin: a JSON object between tags. Qwen 2.5 and 3, Granite 4, ERNIE 4.5 and close ones."""

from __future__ import annotations

from harness.models.parsing.family import Family, Keys
from harness.models.parsing.scanners import EnclosedJson

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
        scan=EnclosedJson(opening="<longcat_tool_call>", closing="</longcat_tool_call>"),
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
