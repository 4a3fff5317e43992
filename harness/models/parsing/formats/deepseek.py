"""DeepSeek: V3 and R1 (JSON in a fence), V3.1 (bare JSON), V3.2 and V4 (DSML elements); Kimi K2 is close to V3.1."""

from __future__ import annotations

import re

from harness.models.parsing.family import Family
from harness.models.parsing.scanners import Elements, NamedJson

_WRAPPER = ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>")


def _dsml(block: str, gap: str = "") -> Elements:
    mark = f"｜DSML｜{gap}"
    return Elements(
        opening=f"<{mark}invoke",
        invoke=re.compile(rf'<{mark}invoke name="(?P<name>[^"<>]{{1,200}}+)">'),
        invoke_end=f"</{mark}invoke>",
        parameter=re.compile(
            rf'<{mark}parameter name="(?P<name>[^"<>]{{1,200}}+)"(?: string="(?P<kind>true|false)")?>'
        ),
        parameter_end=f"</{mark}parameter>",
        wrapper=(f"<{mark}{block}>", f"</{mark}{block}>"),
    )


FAMILIES = (
    Family(
        name="deepseek_v3",
        scan=NamedJson(
            opening="<｜tool▁call▁begin｜>",
            heading=re.compile(r"function<｜tool▁sep｜>(?P<name>[^\s<>`]{1,200}+)\s{0,8}```json\n?"),
            closing="```<｜tool▁call▁end｜>",
            wrapper=_WRAPPER,
        ),
        vllm_parser="deepseek_v3",
        markers=("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "```json"),
    ),
    Family(
        name="deepseek_v31",
        scan=NamedJson(
            opening="<｜tool▁call▁begin｜>",
            heading=re.compile(r"\s{0,8}(?P<name>[^\s<>`]{1,200}+)\s{0,8}<｜tool▁sep｜>"),
            closing="<｜tool▁call▁end｜>",
            wrapper=_WRAPPER,
        ),
        vllm_parser="deepseek_v31",
        markers=("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"),
    ),
    Family(
        name="deepseek_v32",
        scan=_dsml("function_calls"),
        vllm_parser="deepseek_v32",
        markers=("｜DSML｜", "function_calls"),
    ),
    Family(
        name="deepseek_v4", scan=_dsml("tool_calls"), vllm_parser="deepseek_v4", markers=("｜DSML｜", "tool_calls>")
    ),
    Family(
        name="deepseek_v41",
        scan=_dsml("calls", gap=" "),
        vllm_parser="deepseek_v41",
        markers=("｜DSML｜ calls", "｜DSML｜ invoke"),
    ),
    Family(
        name="kimi_k2",
        scan=NamedJson(
            opening="<|tool_call_begin|>",
            heading=re.compile(
                r"\s{0,8}(?:functions\.)?(?P<name>[\w.\-]{1,200}?):\d{1,6}\s{0,8}<\|tool_call_argument_begin\|>"
            ),
            closing="<|tool_call_end|>",
            wrapper=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
        ),
        vllm_parser="kimi_k2",
        markers=("<|tool_call_begin|>", "<|tool_call_argument_begin|>"),
    ),
)
