"""Definitions of tools as APIs and frameworks write them, to OpenAI's form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.data.formats.json_texts import json_value

_LISTED = ("functionDeclarations", "function_declarations", "tools", "toolDefinitions", "tool_definitions", "functions")
"""Keys of an object that holds definitions: Gemini's, Bedrock's `toolConfig`, a request."""
_WRAPPERS = ("function", "toolSpec", "tool_spec", "custom", "tool", "json_schema")
_SCHEMAS = (
    *("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema"),
    *("parameters_schema", "args_schema", "tool_call_schema", "schema"),
)
_PROPERTIES = ("parameter_definitions", "parameterDefinitions", "args", "arguments")
"""Keys of an object of parameters that is no schema: Cohere's, LangChain's."""
_TYPES = {
    **dict.fromkeys(("str", "text", "string"), "string"),
    **dict.fromkeys(("int", "long", "integer"), "integer"),
    **dict.fromkeys(("float", "double", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("list", "tuple", "set", "array"), "array"),
    **dict.fromkeys(("dict", "map", "object"), "object"),
}
_MOST = 1000
"""Definitions of one row that are looked at."""


def openai_tools(value: Any) -> list[dict[str, Any]]:
    """Return definitions of tools in OpenAI's form, `{"type": "function", "function": {...}}`, each name once.

    Read are those of OpenAI (chat and Responses), Anthropic, Gemini, Bedrock, Cohere, MCP, LangChain and xLAM, as a
    list, as an object by name, or as the JSON of either. What defines no function, such as a search that the model's
    server runs, is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for function in _functions(json_value(value), 0):
        if len(found) < _MOST:
            found.setdefault(function["name"], {"type": "function", "function": function})
    return list(found.values())


def _functions(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        if value and all(isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) for one in value):
            value = [dict(value)]  # a map of Parquet
        for one in value:
            yield from _functions(json_value(one), depth)
        return
    if not isinstance(value, Mapping) or depth > len(_WRAPPERS):
        return
    name = value.get("name")
    schema = _schema(value) if name else None
    held = () if schema is not None else (json_value(value[key]) for key in (*_WRAPPERS, *_LISTED) if key in value)
    inner = next((one for one in held if isinstance(one, _NESTED)), None)
    if isinstance(name, str) and name and inner is None:
        if (
            schema is not None
            or value.get("type", "function") in ("function", "custom", "tool")
            or "description" in value
        ):
            yield _function(value, schema)
    elif inner is not None:
        yield from _functions(inner, depth + 1)
    elif value and all(isinstance(json_value(one), Mapping) for one in value.values()):
        for name, written in value.items():  # Langfuse has them by name
            one = json_value(written)
            yield from _functions(one if {"name", *_WRAPPERS} & one.keys() else {"name": name, **one}, depth + 1)


_NESTED = (list, Mapping)


def _function(value: Mapping[str, Any], schema: Mapping[str, Any] | None) -> dict[str, Any]:
    about = {key: value[key] for key in ("description", "strict") if value.get(key) is not None}
    return {"name": value["name"], **about, **({} if schema is None else {"parameters": dict(schema)})}


def _schema(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the JSON schema of a function's parameters; None where it has none."""
    for key in _SCHEMAS:
        schema = json_value(value.get(key))
        if isinstance(schema, Mapping):
            inner = json_value(schema.get("json", schema.get("jsonSchema")))  # Bedrock, the AI SDK
            return _plain(inner if isinstance(inner, Mapping) else schema)
    found = next((held for key in _PROPERTIES if isinstance(held := json_value(value.get(key)), Mapping)), None)
    return None if found is None else _plain(found)


def _plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema as JSON Schema has it: Gemini's with types in small letters, bare parameters as properties."""
    kind = schema.get("type")
    if isinstance(kind, str) and kind.isupper():
        return _lowered(schema)
    if isinstance(kind, str | list) or {"properties", "$ref", "anyOf", "oneOf", "allOf", "$defs"} & schema.keys():
        return schema
    if not schema:
        return {"type": "object", "properties": {}}
    if not all(isinstance(one, Mapping) for one in schema.values()):
        return schema
    required = [name for name, one in schema.items() if _is_required(one)]
    properties = {name: _property(one) for name, one in schema.items()}
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _is_required(value: Mapping[str, Any]) -> bool:
    stated = value.get("required")
    return stated if isinstance(stated, bool) else "optional" not in str(value.get("type")) and "default" not in value


def _property(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter whose type is named as Python does: `str, optional`, `List[int]`."""
    named = str(value.get("type", "")).split(",")[0].split("[")[0].strip().lower()
    out = {key: one for key, one in value.items() if key not in ("type", "required")}
    return {"type": _TYPES[named], **out} if named in _TYPES else out


def _lowered(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _lowered_member(key, one) for key, one in schema.items()}


def _lowered_member(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _lowered(value)
    if isinstance(value, list):
        return [_lowered(one) if isinstance(one, Mapping) else one for one in value]
    return value.lower() if key == "type" and isinstance(value, str) else value
