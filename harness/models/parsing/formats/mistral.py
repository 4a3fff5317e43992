"""Mistral: `[TOOL_CALLS]` and a JSON list (up to v10 of its tokenizer), or the name and then the arguments (v11 on)."""

from __future__ import annotations

import re

from harness.models.parsing.family import Family, Keys, Span, Style
from harness.models.parsing.scanners import EnclosedJson, NamedJson

_LIST = EnclosedJson(opening="[TOOL_CALLS]", keys=Keys(ignored=("id",)), many=True)
_NAMED = NamedJson(
    opening="[TOOL_CALLS]",
    heading=re.compile(r"\s{0,8}(?P<name>[A-Za-z_][\w.\-]{0,127}+)(?:\[CALL_ID\]\w{1,64}+)?\s{0,8}(?:\[ARGS\])?"),
)


def _both(text: str, style: Style) -> list[Span]:
    named = _NAMED(text, style)
    starts = {span.start for span in named}
    return sorted([*named, *(span for span in _LIST(text, style) if span.start not in starts)], key=lambda s: s.start)


FAMILIES = (Family(name="mistral", scan=_both, vllm_parser="mistral", markers=("[TOOL_CALLS]",)),)
