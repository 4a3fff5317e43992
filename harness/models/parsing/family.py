"""What a family of notations is, what reading a text gives, and calls as JSON objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.data.records import ToolCall
from harness.models.parsing.literals import Unreadable, read_json
from harness.models.parsing.schemas import ValueSchema, arguments_schema

MAX_CALLS = 32
"""Places of a text at which a family looks for a call; more are not looked at, so that work stays bounded."""


_NAMESPACE = re.compile(r"^.*[.:/]", re.DOTALL)
_IDENTIFIER = re.compile(r"_|[a-z0-9][A-Z]|\w\.\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The call that was read from a text, or the reason why there is none."""

    call: ToolCall | None
    reason: str | None
    """None exactly where there is a call."""
    calls: int
    """How many calls the text holds, in the notation that was read."""
    every: tuple[ToolCall, ...] = ()
    """All calls of the text, in order, also where `call` is None because one was expected; empty where one of them
    cannot be read, so that what the turn does is unknown.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How to read: exactly as the format says, or with repairs; and the types that tools declare."""

    strict: bool
    tools: tuple[Mapping[str, Any], ...] = ()

    def declares(self, name: str) -> bool:
        """Return whether one of the tools has that name."""
        return name in self._names()

    def _names(self) -> list[str]:
        functions = (one.get("function", one) for one in self.tools)
        return [one["name"] for one in functions if isinstance(one, Mapping) and isinstance(one.get("name"), str)]

    def misplaced(self, call: ToolCall) -> bool:
        """Return whether an argument of the tool stands inside another one, which does not have it."""
        schema = self.arguments(call.name)
        inner = ((schema.member(key), value) for key, value in call.arguments.items() if isinstance(value, dict))
        return any(schema.member(name).nodes and not own.member(name).nodes for own, value in inner for name in value)

    def tool_name(self, written: str) -> str:
        """Return the name without a namespace before it, where only the rest is the name of a tool."""
        last = _NAMESPACE.sub("", written)
        return last if self.declares(last) and not self.declares(written) else written

    def apart(self, written: str) -> tuple[str, str] | None:
        """Return a tool's name and that of an argument which were written as one word, None unless only so."""
        found = [(name, written[len(name) :]) for name in self._names() if written.startswith(name)]
        fitting = [(name, rest) for name, rest in found if rest and self.schema(name, rest).nodes]
        return fitting[0] if len(fitting) == 1 and not self.declares(written) else None

    def may_be_tool(self, name: str) -> bool:
        """Return whether a name without any mark around it is that of a tool: a known one, or no ordinary word."""
        return self.declares(self.tool_name(name)) if self.tools else bool(_IDENTIFIER.search(name)) and name != "print"

    def schema(self, tool: str, argument: str) -> ValueSchema:
        """Return what the tools declare for one argument."""
        return self.arguments(tool).member(argument)

    def arguments(self, tool: str) -> ValueSchema:
        """Return what the tools declare for all arguments of one of them."""
        return arguments_schema(self.tools, self.tool_name(tool))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A place of a text where a call stands or should stand, with all the markup that belongs to it."""

    start: int
    end: int
    call: ToolCall | None = None
    problem: str | None = None


Scan = Callable[[str, Style], list[Span]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One notation of tool calls."""

    name: str
    scan: Scan
    """Finds all calls of a text in this notation, in order; never raises."""
    vllm_parser: str | None = None
    """The name of vLLM's parser for it."""
    markers: tuple[str, ...] = ()
    """What a chat template of this family contains, all of it; empty where a template cannot tell."""
    single: bool = False
    """Whether an answer holds one call at most."""
    also: tuple[str, ...] = field(default=())
    """Other vLLM parsers of the same notation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys under which a JSON object holds a call's name and arguments, in the format's own words."""

    name: str = "name"
    arguments: tuple[str, ...] = ("arguments",)
    ignored: tuple[str, ...] = ()
    """Keys that may stand beside them."""


_NAMES = ("name", "tool_name", "func_name", "function_name", "tool", "function")
_BESIDE = {*_NAMES, *("id", "type", "index", "tool_call_id"), *("arguments", "parameters", "args")}
"""Keys of a call without arguments, which may be null."""
_ARGUMENTS = ("arguments", "parameters", "args")


def call_of(value: Any, style: Style, keys: Keys) -> ToolCall:
    """Return the call in a decoded JSON object; raises Unreadable.

    Strict: exactly the format's keys, and arguments that are an object. Lenient: any of the usual keys, a
    `{"function": {...}}` around them, arguments as a JSON string, null or left out. A tool's definition
    (arguments that are a JSON schema) is never a call.
    """
    if not isinstance(value, dict):
        raise Unreadable("the call is no JSON object")
    if style.strict:
        return _exact_call(value, keys)
    if isinstance(value.get("function"), dict):
        value = value["function"]
    name = _first(value, (keys.name, *_NAMES))
    arguments = _first(value, (*keys.arguments, *_ARGUMENTS))
    if isinstance(arguments, str):
        arguments = _arguments_in(arguments)
    if arguments is None and not value.keys() <= _BESIDE:
        raise Unreadable("the JSON object has keys of its own beside the name and no arguments")
    arguments = {} if arguments is None else arguments
    if not isinstance(name, str) or not name.strip() or not isinstance(arguments, dict):
        raise Unreadable("the JSON object has no name, or its arguments are no object")
    if "properties" in arguments and arguments.get("type") == "object":
        raise Unreadable("the JSON object defines a tool, it does not call one")
    return ToolCall(name=name.strip(), arguments=arguments)


def _exact_call(value: dict[str, Any], keys: Keys) -> ToolCall:
    present = [key for key in keys.arguments if key in value]
    expected = {keys.name, *present, *(key for key in keys.ignored if key in value)}
    if len(present) != 1 or set(value) != expected:
        raise Unreadable(f"expected the keys {keys.name} and {' or '.join(keys.arguments)}")
    name, arguments = value[keys.name], value[present[0]]
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        raise Unreadable("the name is no text, or the arguments are no object")
    return ToolCall(name=name, arguments=arguments)


def _first(value: dict[str, Any], keys: Iterable[str]) -> Any:
    return next((value[key] for key in keys if key in value), None)


def _arguments_in(text: str) -> Any:
    if not text.strip():
        return {}
    value, end = read_json(text, 0, repair=True)
    if text[end:].strip():
        raise Unreadable("arguments written as text hold more than one JSON object")
    return value


def canonical(*calls: ToolCall) -> str:
    """Return each call as a `<tool_call>` element with `{"name", "arguments"}` in it, keys in their order."""
    bodies = (json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False) for call in calls)
    return "\n".join(f"<tool_call>\n{body}\n</tool_call>" for body in bodies)
