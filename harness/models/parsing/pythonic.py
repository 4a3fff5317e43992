"""Calls written as Python: `name(key=value, ...)`."""

from __future__ import annotations

import re
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.values import Unreadable, read_literal, skip_space, sound

_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,199}+")
_KEY = re.compile(r"([A-Za-z_]\w{0,199}+)\s{0,8}=(?!=)")
_END_OF_RAW = re.compile(r"'\s{0,8}(?:,\s{0,8}[A-Za-z_]\w{0,199}\s{0,8}=|\)\s{0,8}(?:[\],]|$))")


def read_call(text: str, start: int, *, method: str = "", raw: bool = False) -> tuple[ToolCall, int]:
    """Return the call at `start` and where it ends; raises Unreadable.

    Only keyword arguments with literal values count. `method` stands between the name and the parenthesis.
    With `raw`, text in single quotes is taken as it is up to the quote that ends an argument, because some
    chat templates write it without escaping.
    """
    match = _NAME.match(text, start)
    if not match:
        raise Unreadable("no name of a tool where the call should be", cut=start >= len(text))
    name = match.group()
    if method:
        if not name.endswith(method):
            raise Unreadable(f"expected {method}( after the tool's name")
        name = name.removesuffix(method)
    position = match.end()
    if not text.startswith("(", position):
        raise Unreadable("no ( after the tool's name", cut=position >= len(text))
    arguments, end = _arguments(text, skip_space(text, position + 1), raw)
    return ToolCall(name=name, arguments=arguments), end


def _arguments(text: str, position: int, raw: bool) -> tuple[dict[str, Any], int]:
    arguments: dict[str, Any] = {}
    while not text.startswith(")", position):
        match = _KEY.match(text, position)
        if not match:
            raise Unreadable("an argument without a name", cut=position >= len(text))
        value, position = _value(text, skip_space(text, match.end()), raw)
        arguments[match.group(1)] = sound(value)
        position = skip_space(text, position)
        if text.startswith(",", position):
            position = skip_space(text, position + 1)
        elif not text.startswith(")", position):
            raise Unreadable("expected , or ) after an argument", cut=position >= len(text))
    return arguments, position + 1


def _value(text: str, position: int, raw: bool) -> tuple[Any, int]:
    if raw and text.startswith("'", position):
        match = _END_OF_RAW.search(text, position + 1)
        if not match:
            raise Unreadable("the text ends inside an argument", cut=True)
        return text[position + 1 : match.start()], match.start() + 1
    return read_literal(text, position)


def read_calls(text: str, start: int, closer: str, *, raw: bool = False) -> tuple[list[ToolCall], int]:
    """Return the calls, separated by commas or line breaks, from `start` up to `closer`, and where that ends."""
    calls: list[ToolCall] = []
    position = skip_space(text, start)
    while not text.startswith(closer, position):
        call, position = read_call(text, position, raw=raw)
        calls.append(call)
        position = skip_space(text, position)
        if text.startswith(",", position):
            position = skip_space(text, position + 1)
    return calls, position + len(closer)
