"""MiniMax M3: elements named after the arguments, nested for objects and lists, a mark before every tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.family import Family, Span, Style
from harness.models.parsing.literals import MAX_DEPTH, Unreadable, skip_space
from harness.models.parsing.scanners import marked_spans, reach_back, reach_on, require
from harness.models.parsing.schemas import ValueSchema
from harness.models.parsing.tags import MAX_STEPS
from harness.models.parsing.typed import typed

_MARK = "]<]minimax[>["
_NAME = re.compile(r""" name=["']?(?P<name>[^"'<>\s]{1,200}+)["']?>""")
_TAG = re.compile(re.escape(_MARK) + r"<(?P<name>[^<>/\s][^<>\s]{0,199}+)>")
_WRAPPER = (f"{_MARK}<tool_call>", f"{_MARK}</tool_call>")
_END = f"{_MARK}</invoke>"

_Children = list[tuple[str, Any]]


def _scan(text: str, style: Style) -> list[Span]:
    return marked_spans(text, f"{_MARK}<invoke", _NAME, lambda start, match: _span(text, start, match, style))


def _span(text: str, start: int, match: re.Match[str], style: Style) -> Span:
    children, end = _Elements(text=text).children(match.end(), 0)
    closed = reach_on(text, end, _END)
    first, last = reach_back(text, start, _WRAPPER[0]), reach_on(text, closed, _WRAPPER[1])
    if style.strict:
        require(closed > end, f"no {_END} after the call")
        require(first < start and last > closed, f"no {_WRAPPER[0]} around the call")
    elif closed == end:
        # What closes all calls ends this one too, and so does the text once an argument is whole.
        ended = last > closed or text.startswith(_MARK, skip_space(text, end))
        whole = ended or bool(children and not text[end:].strip())
        require(whole, f"expected an argument or {_END}")
    arguments = _object(children, style.arguments(match["name"]))
    return Span(start=first, end=last, call=ToolCall(name=match["name"], arguments=arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Elements:
    text: str

    def children(self, position: int, depth: int) -> tuple[_Children, int]:
        """Return the elements that follow one another from `position` on, and where they end."""
        if depth > MAX_DEPTH:
            raise Unreadable("values nested too deeply")
        found: _Children = []
        while match := _TAG.match(self.text, skip_space(self.text, position)):
            if match["name"].startswith("invoke"):
                break
            value, position = self._value(match, depth)
            found.append((match["name"], value))
            if len(found) > MAX_STEPS:
                raise Unreadable("more arguments than any tool has", cut=True)
        return found, position

    def _value(self, match: re.Match[str], depth: int) -> tuple[Any, int]:
        """Return an element's text, or its children, and where it ends."""
        closing = f"{_MARK}</{match['name']}>"
        inner = self.text.find(_MARK, match.end())
        if inner < 0:
            raise Unreadable("the text ends inside an argument", cut=True)
        text = self.text[match.end() : inner]
        if self.text.startswith(closing, inner):
            return text, inner + len(closing)
        if _TAG.match(self.text, inner):
            if text.strip():
                raise Unreadable("text beside elements in an argument")
            children, end = self.children(inner, depth + 1)
            end = skip_space(self.text, end)
            if self.text.startswith(closing, end):
                return children, end + len(closing)
            raise Unreadable(f"no {closing}", cut=end >= len(self.text))
        raise Unreadable(f"no {closing}")


def _object(children: _Children, schema: ValueSchema) -> dict[str, Any]:
    """Return the elements as members; those of one name become a list."""
    found: dict[str, list[Any]] = {}
    for name, value in children:
        found.setdefault(name, []).append(_typed(value, schema.member(name)))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _typed(value: Any, schema: ValueSchema) -> Any:
    kinds = schema.kinds() if schema.nodes else frozenset()
    if isinstance(value, str):
        if not value.strip() and kinds & {"array", "object"} and "string" not in kinds:
            return [] if "array" in kinds else {}
        return typed(value, schema)
    if "array" in kinds and ("object" not in kinds or all(name == "item" for name, _ in value)):
        return [_typed(child, schema.item()) for _, child in value]
    return _object(value, schema)


FAMILIES = (Family(name="minimax_m3", scan=_scan, vllm_parser="minimax_m3", markers=("]<]minimax[>[",)),)
