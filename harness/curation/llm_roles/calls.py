"""Calls in prompts and answers: the tools as the model sees them, the JSON schema of a call, and what is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.data.records import Task, ToolCall
from harness.data.tools import Toolbox
from harness.models.chat.json_answers import excerpt

SHORTEST_BOUND = 300
"""Characters; the least room for a text in an answer."""
_UNBOUNDED = ("enum", "const", "maxLength", "pattern", "format")


def definitions(task: Task, toolbox: Toolbox) -> list[Mapping[str, Any]]:
    """Return the task's tools, and one for replies where the task has none: answers are calls throughout."""
    found: list[Mapping[str, Any]] = list(task.tools)
    if toolbox.reply.plain:
        parameters = _object({toolbox.reply.argument: {"type": "string"}}, [toolbox.reply.argument])
        function = {"name": toolbox.reply.tool, "description": "Says something to the user.", "parameters": parameters}
        found.append({"type": "function", "function": function})
    return found


def call_schema(toolbox: Toolbox, longest: int, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the JSON schema of one call, of any tool or of these; texts without a bound have `longest` characters.

    The bound is for engines that write by the schema: a small model may never end a text by itself.
    """
    calls = []
    for name in names or (*toolbox.services, toolbox.reply.tool):
        parameters = toolbox.parameters(name)
        properties = {key: _bounded(parameter.schema, longest) for key, parameter in parameters.items()}
        required = [key for key, parameter in parameters.items() if parameter.required]
        if toolbox.reply.plain and name == toolbox.reply.tool:
            required = [toolbox.reply.argument]
            properties = {toolbox.reply.argument: {"type": "string", "maxLength": longest}}
        values = {"name": {"type": "string", "enum": [name]}, "parameters": _object(properties, required)}
        calls.append(_object(values, ["name", "parameters"]))
    return {"anyOf": calls}


def _object(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _bounded(schema: Any, longest: int) -> Any:
    """Return a schema whose texts have an end; one with references is left out, as they point into the whole."""
    if isinstance(schema, list):
        return [_bounded(item, longest) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {}
    found = {key: _bounded(value, longest) for key, value in schema.items() if key != "description"}
    kinds = schema.get("type")
    text = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
    return {**found, "maxLength": longest} if text and not any(key in schema for key in _UNBOUNDED) else found


def read_call(value: object, toolbox: Toolbox, what: str) -> ToolCall:
    """Return the call that a JSON value is; ValueError where it is none, or not valid by the tool's schema."""
    if not isinstance(value, dict) or value.keys() != {"name", "parameters"}:
        raise ValueError(f'{what} is {excerpt(value)}; expected an object with "name" and "parameters"')
    name, parameters = value["name"], value["parameters"]
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise ValueError(f"{what} has a name that is no text, or parameters that are no object")
    call = ToolCall(name=name, arguments=_writable(parameters))
    problems = toolbox.problems(call)
    if problems:
        raise ValueError(f"{what} is not valid: {problems[0]}")
    return call


def _writable(value: Any) -> Any:
    """Return a JSON value as files can hold it: a lone surrogate is valid JSON."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    return value
