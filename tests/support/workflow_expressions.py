"""The expressions of workflows, as far as ours use them: values, operators, contexts and a few functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\d+(?:\.\d+)?)|([A-Za-z_][\w-]*)|(&&|\|\||==|!=|[!().,\[\]]))")
TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
CONSTANTS = {"true": True, "false": False, "null": None}

Functions = Mapping[str, Callable[..., Any]]


def as_text(value: Any) -> str:
    """Return a value as it stands in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


PURE: Functions = {
    "format": lambda text, *values: re.sub(r"\{(\d+)\}", lambda found: as_text(values[int(found[1])]), text),
    "contains": lambda where, what: (
        what in where if isinstance(where, list) else what.lower() in as_text(where).lower()
    ),
    "startsWith": lambda text, start: as_text(text).lower().startswith(start.lower()),
    "fromJSON": json.loads,
}


class Expression:
    """One expression, evaluated while it is read. Anything that our workflows do not use is an error."""

    def __init__(self, text: str, contexts: Mapping[str, Any], functions: Functions) -> None:
        self.contexts, self.functions = contexts, {**PURE, **functions}
        self.called: set[str] = set()
        self.tokens: list[str] = []
        position = 0
        while text[position:].strip():
            found = TOKEN.match(text, position)
            assert found, f"cannot read {text[position:]!r} in {text!r}"
            self.tokens.append(found[0].strip())
            position = found.end()

    def evaluate(self) -> Any:
        value = self._either()
        assert not self.tokens, f"left over: {self.tokens}"
        return value

    def _take(self, *wanted: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else None

    def _either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._take("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Any:
        value = self._single()
        while operator := self._take("==", "!="):
            # Of GitHub's loose equality ours need only that a missing value is an empty text, and case no matter.
            equal = as_text(value).lower() == as_text(self._single()).lower()
            value = equal == (operator == "==")
        return value

    def _single(self) -> Any:
        if self._take("!"):
            return not self._single()
        if self._take("("):
            value = self._either()
            assert self._take(")")
            return value
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token[0].isdigit():
            return float(token) if "." in token else int(token)
        if token in CONSTANTS:
            return CONSTANTS[token]
        return self._call(token) if self._take("(") else self._property(token)

    def _call(self, name: str) -> Any:
        self.called.add(name)
        values = []
        while not self._take(")"):
            values.append(self._either())
            self._take(",")
        return self.functions[name](*values)

    def _property(self, context: str) -> Any:
        value = self.contexts[context]
        while self._take("."):
            name = self.tokens.pop(0)
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


def fill(value: Any, contexts: Mapping[str, Any], functions: Functions) -> str:
    """Return a text with its `${{ }}` filled in."""
    return TEMPLATE.sub(lambda found: as_text(Expression(found[1], contexts, functions).evaluate()), as_text(value))
