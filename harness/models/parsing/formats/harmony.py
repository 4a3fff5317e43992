"""gpt-oss (harmony): a message on the commentary channel, addressed to `functions.<name>`, with JSON arguments."""

from __future__ import annotations

import re

from harness.data.records import ToolCall
from harness.models.parsing.family import Family, Span, Style
from harness.models.parsing.literals import Unreadable
from harness.models.parsing.scanners import places, read_arguments, spans_at

_BEFORE = re.compile(r"(?:<\|start\|>)?(?:assistant)?\s{0,4}(?:<\|channel\|>)?(?:commentary|analysis)?\s{0,4}$")
_HEADING = re.compile(
    r"to=functions\.(?P<name>[\w.\-]{1,200}+)\s{0,4}(?:<\|channel\|>(?:commentary|analysis)\s{0,4})?"
    r"(?:<\|constrain\|>)?(?:json)?\s{0,4}<\|message\|>"
)
_LOOSE = re.compile(r"to=functions[.:/](?P<name>[\w.\-]{1,200}+)[^{]{0,100}?(?=\{)")
_WITHOUT_NAMESPACE = re.compile(
    r"to=(?P<name>[\w.\-]{1,200}+)\s{0,4}(?:<\|channel\|>\s{0,4}(?:commentary|analysis)\s{0,4})?"
    r"(?:<\|constrain\|>)?\s{0,4}(?:json|code)?\s{0,4}<\|message\|>\s{0,8}(?=\{)"
)
_REACH = 64


def _scan(text: str, style: Style) -> list[Span]:
    def at(place: int) -> list[Span]:
        match = _heading(text, place, style)
        if not match:
            raise Unreadable("no JSON arguments after the tool's name")
        before = _BEFORE.search(text[max(0, place - _REACH) : place])
        start = place - len(before.group()) if before else place
        arguments, end = read_arguments(text, match.end(), repair=not style.strict, closers=("<|",))
        end += len("<|call|>") if text.startswith("<|call|>", end) else 0
        return [Span(start=start, end=end, call=ToolCall(name=match["name"], arguments=arguments))]

    return spans_at(places(text, "to=functions." if style.strict else "to="), at)


def _heading(text: str, place: int, style: Style) -> re.Match[str] | None:
    if style.strict:
        return _HEADING.match(text, place)
    loose = _LOOSE.match(text, place)
    if loose and ("<|message|>" in loose.group() or "<|message|>" not in text):
        return loose  # without the mark only where all marks were skipped: else it is spoken of
    return _WITHOUT_NAMESPACE.match(text, place)


# vLLM registers a parser `openai` for it that refuses all text: there, harmony is parsed from token ids.
FAMILIES = (Family(name="harmony", scan=_scan, single=True, markers=("<|channel|>", "commentary", "<|message|>")),)
