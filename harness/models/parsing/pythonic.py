"""Calls written as Python: `name(key=value, ...)`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.literals import Literals, Unreadable, skip_space, sound, unescape

_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,199}+")
_FIRST = r"(?:[^\W\d]|[$@])"
_KEY = re.compile(rf"({_FIRST}(?:[\w$@.\- ]{{0,198}}[\w$@.\-])?)\s{{0,8}}=(?!=)")
"""Names of arguments as schemas have them; Python's own are fewer."""
_ENDS_OF_RAW = {
    quote: re.compile(
        rf"{quote}\s{{0,8}}(?:,\s{{0,8}}{_FIRST}[\w$@.\-]{{0,199}}\s{{0,8}}=|\)\s{{0,8}}(?:[\],;]|<|`|$))"
    )
    for quote in "'\""
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonCalls:
    """The Python calls of a text. Only keyword arguments with literal values count."""

    text: str
    loose: bool = False
    """Read also what Python has and JSON has not, `print(...)` around a call, and a list that is not closed."""
    raw: bool = False
    """Text in quotes goes up to the quote that ends an argument: some templates and models escape no quotes."""
    escaped: bool = False
    """With `raw`: other escapes count."""

    def call(self, start: int, *, method: str = "") -> tuple[ToolCall, int]:
        """Return the call at `start` and where it ends; raises Unreadable.

        `method` stands between the name and the parenthesis.
        """
        if self.loose and self.text.startswith("print(", start):
            call, end = self.call(skip_space(self.text, start + len("print(")), method=method)
            end = skip_space(self.text, end)
            if not self.text.startswith(")", end):
                raise Unreadable("expected ) after a printed call", cut=end >= len(self.text))
            return call, end + 1
        match = _NAME.match(self.text, start)
        if not match:
            raise Unreadable("no name of a tool where the call should be", cut=start >= len(self.text))
        name = match.group()
        if method:
            if not name.endswith(method):
                raise Unreadable(f"expected {method}( after the tool's name")
            name = name.removesuffix(method)
        position = match.end()
        if not self.text.startswith("(", position):
            raise Unreadable("no ( after the tool's name", cut=position >= len(self.text))
        arguments, end = self._arguments(skip_space(self.text, position + 1))
        return ToolCall(name=name, arguments=arguments), end

    def calls(self, start: int, closers: tuple[str, ...]) -> tuple[list[ToolCall], int]:
        """Return the calls, separated by commas or line breaks, up to one of `closers`, and where that ends.

        An empty closer is the end of the text.
        """
        calls: list[ToolCall] = []
        position = skip_space(self.text, start)
        while True:
            if self.loose and calls and position >= len(self.text):
                return calls, position  # what encloses the calls was left out
            for closer in closers:
                if self.text.startswith(closer, position) if closer else position >= len(self.text):
                    return calls, position + len(closer)
            call, position = self.call(position)
            calls.append(call)
            position = skip_space(self.text, position)
            if self.text.startswith(",", position) or (self.loose and self.text.startswith(";", position)):
                position = skip_space(self.text, position + 1)

    def _arguments(self, position: int) -> tuple[dict[str, Any], int]:
        arguments: dict[str, Any] = {}
        while not self.text.startswith(")", position):
            match = _KEY.match(self.text, position)
            if not match:
                raise Unreadable("an argument without a name", cut=position >= len(self.text))
            if match.group(1) in arguments:
                raise Unreadable("an argument twice, which Python refuses")
            value, position = self._value(skip_space(self.text, match.end()))
            arguments[match.group(1)] = sound(value)
            position = skip_space(self.text, position)
            if self.text.startswith(",", position):
                position = skip_space(self.text, position + 1)
            elif self.loose and self.text.startswith("]", position):
                return arguments, position  # the list is closed, and the call is not
            elif not self.text.startswith(")", position):
                raise Unreadable("expected , or ) after an argument", cut=position >= len(self.text))
        return arguments, position + 1

    def _value(self, position: int) -> tuple[Any, int]:
        quote = self.text[position : position + 1]
        if self.raw and quote in _ENDS_OF_RAW:
            match = _ENDS_OF_RAW[quote].search(self.text, position + 1)
            if not match:
                raise Unreadable("the text ends inside an argument", cut=True)
            body = self.text[position + 1 : match.start()]
            return unescape(body) if self.escaped else body, match.start() + 1
        return Literals(text=self.text, python=self.loose).value(position)


def read_calls(
    text: str, start: int, closers: tuple[str, ...], *, loose: bool, raw: bool = False
) -> tuple[list[ToolCall], int]:
    """Return the calls from `start` up to one of `closers`; see `PythonCalls`.

    Text with unescaped quotes is tried second: exactly as it stands where a notation is `raw`, else with the
    escapes that Python has.
    """
    try:
        return PythonCalls(text=text, loose=loose).calls(start, closers)
    except Unreadable:
        if not (raw or loose):
            raise
        return PythonCalls(text=text, loose=loose, raw=True, escaped=not raw).calls(start, closers)
