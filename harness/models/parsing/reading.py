"""Raw text to one call: strict in a family's own notation, or lenient in any of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.data.records import ToolCall
from harness.errors import UsageError
from harness.models.parsing import formats
from harness.models.parsing.family import MAX_CALLS, Family, Reading, Span, Style
from harness.models.parsing.strip_thinking import answers, first_thinking, skip_thinking

_MAX_THOUGHTS = 8

PUBLISHED = ("hermes", "plain")
"""The two notations of the published predictions."""


@cache
def families() -> dict[str, Family]:
    """Return all families by name, found by listing the folder `formats`."""
    found: dict[str, Family] = {}
    for module in sorted(pkgutil.iter_modules(formats.__path__), key=lambda module: module.name):
        for family in importlib.import_module(f"{formats.__name__}.{module.name}").FAMILIES:
            if family.name in found:
                raise ValueError(f"two families are called {family.name}")
            found[family.name] = family
    return found


def detect_family(chat_template: str) -> str | None:
    """Return the family whose marks a chat template contains, None where no family's are there.

    Of several the one with the most specific marks (their total length) wins.
    """
    fitting = [
        family
        for family in families().values()
        if family.markers and all(marker in chat_template for marker in family.markers)
    ]
    best = max(fitting, key=lambda family: sum(map(len, family.markers)), default=None)
    return best.name if best else None


def read(
    text: str,
    *,
    family: str | None = None,
    strict: bool = False,
    tools: Iterable[Mapping[str, Any]] = (),
) -> Reading:
    """Read the tool call of a model's raw text; never raises for any text.

    Strict: the text, without leading thinking and end tokens, is exactly one call in the family's own
    notation (without a family: in one of the two published notations), white space around it aside.

    Lenient: the first call in any family's notation, anywhere in the text but in thinking; of two that begin at
    the same place the longer one, then that of `family`. Repaired are: trailing, doubled and missing commas, single
    quotes and Python's constants in JSON, line breaks inside strings, arguments written as a JSON string, other usual
    keys for name and arguments, opening tags and braces that are doubled, and closing ones that are missing after a
    complete value. A text that stops in the middle of a value is not repaired, and of two possible readings none is
    taken.

    `tools` (JSON-schema definitions) give the types of arguments in notations that write them as bare text;
    without them such arguments stay text. They also tell a tool's name where nothing but the name marks a call.
    Raises UsageError for an unknown family.
    """
    known = families()
    if family is not None and family not in known:
        raise UsageError(f"no family {family!r} of tool-call notations; there are {', '.join(sorted(known))}")
    if strict:
        chosen = [known[family]] if family else [known[name] for name in PUBLISHED]
        return _read_strict(text, chosen, tools)
    order = sorted(known.values(), key=lambda one: one.name != family)
    return read_lenient(text, order, tools)


def _read_strict(text: str, chosen: Iterable[Family], tools: Iterable[Mapping[str, Any]]) -> Reading:
    style = Style(strict=True, tools=tuple(tools))
    reasons: list[str] = []
    count = 0
    several: tuple[ToolCall, ...] = ()
    for body, after in answers(encodable(text)):
        for family in chosen:
            spans = family.scan(body, style)
            count = max(count, sum(span.call is not None for span in spans))
            calls = _nothing_else(body, spans, after)
            if len(calls) == 1:
                return Reading(call=calls[0], reason=None, calls=1, every=calls)
            several = several or calls
            reasons.append(_problem(spans))
    return Reading(call=None, reason=_reason(text, reasons), calls=count, every=several)


def _nothing_else(body: str, spans: list[Span], after: int) -> tuple[ToolCall, ...]:
    """Return the calls of a body that is nothing but calls; none of any other one."""
    position = 0
    for span in spans:  # calls of one list share its place
        if span.end <= after or body[position : span.start].strip():
            return ()
        position = max(position, span.end)
    calls = tuple(span.call for span in spans if span.call)
    return calls if len(calls) == len(spans) < MAX_CALLS and not body[position:].strip() else ()


def _problem(spans: list[Span]) -> str:
    """Return why spans that were read strictly are not exactly one call and nothing else."""
    if not spans:
        return "no tool call in the expected format"
    if len(spans) > 1:
        return f"{len(spans)} tool calls where one was expected"
    return "text around the tool call" if spans[0].call else spans[0].problem or "the call cannot be read"


def read_lenient(text: str, order: Iterable[Family], tools: Iterable[Mapping[str, Any]] = ()) -> Reading:
    """Read the first call in any of the families' notations; see `read`. Among equals the first family wins."""
    style = Style(strict=False, tools=tuple(tools))
    order = list(order)
    reasons: list[str] = []
    for body, after in answers(encodable(text)):
        found = _outside_thinking(body, after, order, style, reasons)
        calls = [replace(one.call, name=style.tool_name(one.call.name)) for one in found if one.call]
        if calls:
            whole = len(calls) == len(found) < MAX_CALLS
            return Reading(call=calls[0], reason=None, calls=len(calls), every=tuple(calls) if whole else ())
    return Reading(call=None, reason=_reason(text, reasons), calls=0)


def _outside_thinking(body: str, after: int, order: list[Family], style: Style, reasons: list[str]) -> list[Span]:
    """Return the first family's calls, those in thinking left out; problems are added to `reasons`.

    What opens thinking inside a call is text of that call. After the first call there are also spans that should hold
    one, and do not.
    """
    for _ in range(_MAX_THOUGHTS):
        found, problems = _first(body, after, order, style)
        reasons += problems
        if found:
            goes_on = skip_thinking(body, found[0].start)
            if goes_on <= found[0].start:
                return list(_goes_on(body, found))
        else:
            goes_on = first_thinking(body) if problems else 0
        if not goes_on or goes_on >= len(body):
            break
        body, after = body[goes_on:], max(0, after - goes_on)
    return []


def _goes_on(body: str, found: list[Span]) -> Iterator[Span]:
    """Yield spans of which the first is no thinking, but for those in thinking after it."""
    end = 0
    for span in found:
        if span.start < end or not end or skip_thinking(body[end:], span.start - end) <= span.start - end:
            yield span
            end = max(end, span.end)


def _first(body: str, after: int, order: list[Family], style: Style) -> tuple[list[Span], list[str]]:
    """Return the spans of the family whose first call comes first and is the longest, from it on; and all problems."""
    best: list[Span] = []
    problems: list[str] = []
    for family in order:
        spans = family.scan(body, style)
        found = [span for span in spans if span.call is not None and span.end > after]
        problems += [span.problem for span in spans if span.problem]
        if found and (not best or (found[0].start, -found[0].end) < (best[0].start, -best[0].end)):
            best = [span for span in spans if span in found or (span.problem and span.start >= found[0].end)]
    return best, problems


def _reason(text: str, reasons: list[str]) -> str:
    if not text.strip():
        return "the text is empty"
    if reasons:
        return reasons[0]
    if next(answers(text), None) is None:
        return "the text ends inside its thinking"
    return "no tool call in the text"
