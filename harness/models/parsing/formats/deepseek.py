"""DeepSeek: V3 and R1 (JSON in a fence), V3.1 (bare JSON), V3.2 and V4 (DSML elements); Kimi K2 is close to V3.1."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from harness.models.parsing.elements import Elements
from harness.models.parsing.family import Family, Scan, Span, Style
from harness.models.parsing.literals import Unreadable
from harness.models.parsing.scanners import NamedJson

_SPELLINGS = [(bar, gap) for bar in "｜|" for gap in ("▁", "_", " ", "\\_")]
"""How models write the bars and the gaps of these marks, as trained first."""


def _v3(bar: str, gap: str) -> NamedJson:
    """A fence with JSON after the name; also without the fence when read leniently."""
    sep = re.escape(f"<{bar}tool{gap}sep{bar}>")
    name = r"(?P<name>[^\s<>`]{1,200}+)\s{0,8}"
    return NamedJson(
        opening=f"<{bar}tool{gap}call{gap}begin{bar}>",
        heading=re.compile(rf"function{sep}{name}```json\n?"),
        closing=f"```<{bar}tool{gap}call{gap}end{bar}>",
        wrapper=(f"<{bar}tool{gap}calls{gap}begin{bar}>", f"<{bar}tool{gap}calls{gap}end{bar}>"),
        loose=re.compile(rf"\s{{0,8}}function\s{{0,8}}{sep}\s{{0,8}}{name}(?:```(?:json)?\s{{0,8}})?(?=\{{)"),
    )


def _v31(bar: str, gap: str) -> NamedJson:
    return NamedJson(
        opening=f"<{bar}tool{gap}call{gap}begin{bar}>",
        heading=re.compile(rf"\s{{0,8}}(?P<name>[^\s<>`]{{1,200}}+)\s{{0,8}}{re.escape(f'<{bar}tool{gap}sep{bar}>')}"),
        closing=f"<{bar}tool{gap}call{gap}end{bar}>",
        wrapper=(f"<{bar}tool{gap}calls{gap}begin{bar}>", f"<{bar}tool{gap}calls{gap}end{bar}>"),
    )


def _spelled(build: Callable[[str, str], NamedJson]) -> Scan:
    """Read the marks as they were trained; leniently also in the other spellings."""
    exact, *others = [build(bar, gap) for bar, gap in _SPELLINGS]

    def scan(text: str, style: Style) -> list[Span]:
        spans = exact(text, style)
        if style.strict or spans or exact.opening in text:
            return spans
        return sorted((span for other in others for span in other(text, style)), key=lambda span: span.start)

    return scan


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


_PREFIX = re.compile(r"(?:functions[.:/_]?)+(?=\w)")
_INDEX = re.compile(r"(?::+\d{1,6})+$")
_OPAQUE = re.compile(r"(?:call|chatcmpl|toolu|tooluse|fc|tool_call)[_\-]|[0-9a-f]{8}-|[0-9a-fA-F]{9,}$|\d+$|$")


def _kimi_name(written: str, arguments: dict[str, Any], style: Style) -> tuple[str, dict[str, Any]]:
    """Return the tool's name and arguments from the id of a call: `functions.NAME:0`, or what is left of that.

    Other services' ids name no tool; then the name stands among the arguments, or the call is not read.
    """
    indexed = _INDEX.sub("", written)
    plain = _PREFIX.sub("", indexed, count=1) if indexed.startswith("functions") else indexed
    bare = re.sub(r"[_\-]?\d{1,6}$", "", plain)
    known = next((name for name in (indexed, plain, plain.rpartition(".")[2], bare) if style.declares(name)), None)
    if known:
        return known, arguments
    if indexed == plain and _OPAQUE.match(plain):
        name, rest = arguments.get("name"), {key: value for key, value in arguments.items() if key != "name"}
        if not isinstance(name, str) or not name or (style.tools and not style.declares(name)):
            raise Unreadable("an id that names no tool")
        inner = rest.get("arguments")
        return name, inner if set(rest) == {"arguments"} and isinstance(inner, dict) else rest
    if indexed == written and bare != plain:
        if indexed == plain:
            raise Unreadable("an id whose digits may belong to the tool's name")
        return bare, arguments
    return plain, arguments


_KIMI = NamedJson(
    opening="<|tool_call_begin|>",
    heading=re.compile(
        r"\s{0,8}(?:functions\.)?(?P<name>(?!functions\.)[\w.\-]{1,200}?):\d{1,6}\s{0,8}<\|tool_call_argument_begin\|>"
    ),
    closing="<|tool_call_end|>",
    wrapper=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    loose=re.compile(r"\s{0,8}(?P<name>[^\s<>|{}\"]{1,200}+)\s{0,8}<\|tool_call_argument_begin\|>"),
    name=_kimi_name,
)
_KIMI_UNMARKED = NamedJson(
    opening="functions.",
    heading=re.compile(r"(?P<name>[\w.\-]{1,200}?):\d{1,6}\s{0,8}(?:<\|tool_call_argument_begin\|>)?\s{0,8}(?=\{)"),
)


def _kimi(text: str, style: Style) -> list[Span]:
    """Calls between marks, or where special tokens were skipped what is left of them: the id and the arguments."""
    spans = _KIMI(text, style)
    return spans if style.strict or any(span.call for span in spans) else [*spans, *_KIMI_UNMARKED(text, style)]


FAMILIES = (
    Family(
        name="deepseek_v3",
        scan=_spelled(_v3),
        vllm_parser="deepseek_v3",
        markers=("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "```json"),
    ),
    Family(
        name="deepseek_v31",
        scan=_spelled(_v31),
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
        scan=_kimi,
        vllm_parser="kimi_k2",
        markers=("<|tool_call_begin|>", "<|tool_call_argument_begin|>"),
    ),
)
