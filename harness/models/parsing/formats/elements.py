"""Calls as elements, one per argument: Qwen3-Coder, Qwen 3.5, Nemotron 3, Step 3.5, Seed-OSS, MiniMax, and others."""

from __future__ import annotations

import re

from harness.models.parsing.elements import Elements
from harness.models.parsing.family import Family

_LOOSE = (
    re.compile(r"""<function=\s{0,3}["']?(?P<name>[^\s<>="'{]{1,200}+)["']?\s{0,3}(?:>|(?=\{))"""),
    re.compile(
        r"""<parameter(?:=|\s{1,3}name=)\s{0,3}["']?(?P<name>[^\s<>"'](?:[^<>"'\n]{0,198}[^\s<>"'])?)["']?\s{0,3}>"""
    ),
)


_RECIPIENT = re.compile(r"(?:<\|start\|>)?(?:assistant)?\s?to=[\w.\-]{1,200}<\|message\|>\s{0,4}$")


def _function(wrapper: tuple[str, str], *, lines: bool = False) -> Elements:
    """Elements that carry their name after an equals sign."""
    return Elements(
        opening="<function=",
        invoke=re.compile(r"<function=(?P<name>[^\s<>=\"']{1,200}+)>"),
        invoke_end="</function>",
        parameter=re.compile(r"<parameter=(?P<name>[^\s<>\"'](?:[^<>\"'\n]{0,198}[^\s<>\"'])?)>"),
        parameter_end="</parameter>",
        loose=_LOOSE,
        wrapper=wrapper,
        lines=lines,
    )


def _named(
    tag: str, invoke: str, parameter: str, wrapper: tuple[str, str], before: re.Pattern[str] | None = None
) -> Elements:
    """Elements that carry their name in an attribute `name`; `tag` stands before both element names."""
    return Elements(
        before=before,
        opening=f"<{tag}{invoke}",
        invoke=re.compile(rf"""<{tag}{invoke} name=["']?(?P<name>[^"'<>\s]{{1,200}}+)["']?>"""),
        invoke_end=f"</{tag}{invoke}>",
        parameter=re.compile(rf"""<{tag}{parameter} name=["']?(?P<name>[^"'<>\n]{{1,200}}+)["']?>"""),
        parameter_end=f"</{tag}{parameter}>",
        wrapper=wrapper,
    )


FAMILIES = (
    Family(
        name="qwen3_coder",
        scan=_function(("<tool_call>", "</tool_call>"), lines=True),
        vllm_parser="qwen3_coder",
        markers=("<tool_call>", "</tool_call>", "<function=", "<parameter="),
        also=("qwen3_xml", "step3p5"),
    ),
    # MiMo writes the same elements, but line breaks inside an argument are part of it.
    Family(
        name="mimo",
        scan=_function(("<tool_call>", "</tool_call>")),
        vllm_parser="mimo",
    ),
    Family(
        name="seed_oss",
        scan=_function(("<seed:tool_call>", "</seed:tool_call>"), lines=True),
        vllm_parser="seed_oss",
        markers=("<seed:tool_call>", "<function=", "<parameter="),
    ),
    Family(
        name="minimax_m2",
        scan=_named("", "invoke", "parameter", ("<minimax:tool_call>", "</minimax:tool_call>")),
        vllm_parser="minimax_m2",
        markers=("minimax:tool_call", "<invoke name="),
    ),
    Family(
        name="dots",
        scan=_named("", "invoke", "parameter", ("<dots_function_call>", "</dots_function_call>")),
        vllm_parser="dots",
        markers=("<dots_function_call>",),
    ),
    Family(
        name="muse_glimmer",
        scan=_named("atem:", "invoke", "parameter", ("<atem:function_calls>", "</atem:function_calls>"), _RECIPIENT),
        vllm_parser="muse_glimmer",
        markers=("<atem:function_calls>", "<atem:invoke"),
    ),
    Family(
        name="minicpm5",
        scan=_named("", "function", "param", ("", "")),
        vllm_parser="minicpm5",
        markers=("<function name=", "<param name="),
    ),
)
