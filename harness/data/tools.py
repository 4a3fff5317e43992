"""The tools of a task as the pipeline sees them: which one speaks to the user, what the others take, what is valid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.data.records import Message, ToolCall
from harness.errors import DataError

PLAIN_REPLY = "respond_to_user"
PLAIN_ARGUMENT = "message"
_SPEAKS = re.compile(r"respond|reply|answer|say|speak|tell|send|message|chat|assistant", re.IGNORECASE)
_TO_USER = re.compile(r"user|customer|caller|client|message|reply|response|text", re.IGNORECASE)
_TEXT = re.compile(r"message|text|reply|response|response_text|content|answer|utterance|body", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument that a tool takes."""

    name: str
    description: str
    required: bool
    choices: tuple[str, ...] = ()
    """The values of an enumeration; empty where any value goes."""
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTool:
    """How the agent speaks to the user."""

    tool: str
    argument: str
    plain: bool
    """The task has no tool for it: a reply is a message with text, and `tool` is only what it is called here."""


class Toolbox:
    """The tools of one task. Raises DataError for definitions that are no function definitions."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        found = [function for function in map(function_of, tools) if function]
        if len(found) < len(tools):
            raise DataError("a tool of the task has no name; expected JSON-schema function definitions")
        self._functions = {function["name"]: function for function in found}
        self.reply = self._find_reply()

    def __contains__(self, name: object) -> bool:
        return name in self._functions or (self.reply.plain and name == self.reply.tool)

    @property
    def names(self) -> tuple[str, ...]:
        """Every tool, in the order of the task."""
        return tuple(self._functions)

    @property
    def services(self) -> tuple[str, ...]:
        """The tools that do something, all but the one that speaks to the user, in the order of the task."""
        return tuple(name for name in self._functions if name != self.reply.tool)

    def description(self, name: str) -> str:
        """Return what the task says of a tool."""
        return str(self._functions[name].get("description") or "")

    def parameters(self, name: str) -> dict[str, Parameter]:
        """Return what a tool takes, by name, in the order of its schema."""
        return self._parameters.get(name, {})

    @cached_property
    def _parameters(self) -> dict[str, dict[str, Parameter]]:
        return {name: _parameters(function) for name, function in self._functions.items()}

    def problems(self, call: ToolCall) -> list[str]:
        """Return what is wrong with a call by the JSON schema of its tool, a sentence each; empty where it is valid.

        A parameter that the schema does not name is wrong unless `additionalProperties` allows it explicitly. By a
        schema that is none itself no call is valid; what it refers to outside itself is never fetched.
        """
        if self.reply.plain and call.name == self.reply.tool:
            return [] if isinstance(call.arguments.get(self.reply.argument), str) else ["a reply needs a text"]
        validator = self._validators.get(call.name)
        if validator is None:
            return [f"there is no tool {call.name}; there are {', '.join(self.names)}"]
        try:
            return [f"{call.name}{_place(error)}: {error.message}" for error in validator.iter_errors(call.arguments)]
        except Exception as error:  # jsonschema checks no schema, and a bad one raises nearly anything
            return [f"the schema of {call.name} cannot be used ({error!s:.200}); mend it in the task's tools"]

    @cached_property
    def _validators(self) -> dict[str, Any]:
        from jsonschema import Draft202012Validator
        from referencing import Registry

        here: Registry[Any] = Registry()  # the default one fetches what a `$ref` names
        return {
            name: Draft202012Validator(
                {"additionalProperties": False, **_mapping(function.get("parameters"))}, registry=here
            )
            for name, function in self._functions.items()
        }

    def call_of(self, message: Message) -> ToolCall | None:
        """Return what an assistant message does, a text without calls being a reply; None for several or nothing."""
        if len(message.tool_calls) == 1:
            return message.tool_calls[0]
        if not message.tool_calls and message.content and message.content.strip():
            return ToolCall(name=self.reply.tool, arguments={self.reply.argument: message.content})
        return None

    def message_of(self, call: ToolCall, *, like: Message | None = None) -> Message:
        """Return the assistant message of a call, plain text where replies are; `like` gives what else it has."""
        if call.name == self.reply.tool and self.reply.plain:
            return Message(role="assistant", content=str(call.arguments.get(self.reply.argument, "")))
        content = like.content if like is not None and like.tool_calls else None
        return Message(role="assistant", content=content, tool_calls=(call,))

    def reply_text(self, call: ToolCall) -> str | None:
        """Return the text that a call says to the user, also under a name that the task does not know; else None.

        An unknown tool speaks to the user where a text is all it takes, under a name that is usual for one.
        """
        if call.name == self.reply.tool:
            text = call.arguments.get(self.reply.argument)
            return text if isinstance(text, str) else None
        if call.name in self._functions or len(call.arguments) != 1:
            return None
        key, value = next(iter(call.arguments.items()))
        return value if isinstance(value, str) and (_TEXT.fullmatch(key) or _SPEAKS.search(call.name)) else None

    def _find_reply(self) -> ReplyTool:
        """Return the tool whose only required argument is a text for the user; without one, replies are plain."""
        best: tuple[int, str, str] | None = None
        for name, function in self._functions.items():
            properties = _properties(function)
            texts = [key for key, value in properties.items() if _TEXT.fullmatch(key) and "enum" not in value]
            if len(properties) != 1 or not texts or not _SPEAKS.search(name):
                continue
            score = len(_SPEAKS.findall(name)) + 2 * len(_TO_USER.findall(name)) + len(_TO_USER.findall(texts[0]))
            if best is None or score > best[0]:
                best = (score, name, texts[0])
        if best is None:
            return ReplyTool(tool=PLAIN_REPLY, argument=PLAIN_ARGUMENT, plain=True)
        return ReplyTool(tool=best[1], argument=best[2], plain=False)


def function_of(tool: Any) -> Mapping[str, Any] | None:
    """Return the function of a tool definition, bare or under `function`; None for anything else."""
    function = tool.get("function", tool) if isinstance(tool, Mapping) else None
    return function if isinstance(function, Mapping) and isinstance(function.get("name"), str) else None


def _parameters(function: Mapping[str, Any]) -> dict[str, Parameter]:
    required = _mapping(function.get("parameters")).get("required")
    return {
        name: Parameter(
            name=name,
            description=str(value.get("description") or ""),
            required=isinstance(required, list) and name in required,
            choices=tuple(map(str, value["enum"])) if isinstance(value.get("enum"), list) else (),
            schema=value,
        )
        for name, value in _properties(function).items()
    }


def _properties(function: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the schema of each parameter, empty for `true`, which JSON Schema allows, and for what is no schema."""
    properties = _mapping(_mapping(function.get("parameters")).get("properties"))
    return {name: _mapping(value) for name, value in properties.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _place(error: Any) -> str:
    path = ".".join(str(part) for part in error.absolute_path)
    return f", {path}" if path else ""
