"""Arguments get the types that a tool's schema declares, however the schema says it."""

from __future__ import annotations

import keyword
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data.records import ToolCall
from harness.models.parsing import detect_family, read
from support.notations import NO_TOOLS, generated, templates

WITH_TOOLS = [name for name in templates() if name not in NO_TOOLS]

Typed = tuple[dict[str, Any], st.SearchStrategy[Any]]
"""A schema, and the values that follow it."""

TEXT = st.text(max_size=12)
WORDS = st.from_regex(r"[A-Z][a-z]{1,6}(, [a-z\"'{}\[\]]{1,5})?", fullmatch=True).filter(
    lambda text: text.lower() not in ("null", "none", "true", "false", "nan", "inf", "infinity")
)
"""Text that no schema could take for another type."""
WHOLE = st.integers(-(10**12), 10**12)
REAL = st.floats(-1e9, 1e9, allow_nan=False).filter(lambda number: not number.is_integer())
KEYS = st.from_regex(r"[a-z]{2,6}", fullmatch=True).filter(lambda name: not keyword.iskeyword(name))
NAMES_OF_ARGUMENTS = KEYS | st.sampled_from(
    ["from", "class-name", "geo.lat", "$filter", "@id", "camelCase", "two words", "größe", "n1", "name", "arguments"]
)
JSON = st.recursive(
    WORDS | WHOLE | REAL | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)
ONE: list[Typed] = [
    ({"type": "integer"}, WHOLE),
    ({"type": "number"}, WHOLE | REAL),
    ({"type": "boolean"}, st.booleans()),
    ({"type": "null"}, st.none()),
    ({"type": "array", "items": {"type": "string"}}, st.lists(TEXT, max_size=3)),
    ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, st.tuples(WHOLE, TEXT).map(list)),
    ({"type": "object", "additionalProperties": {"type": "number"}}, st.dictionaries(KEYS, REAL, max_size=3)),
    ({"$ref": "#/$defs/Filters"}, st.fixed_dictionaries({"price": WHOLE, "tags": st.lists(WORDS, max_size=2)})),
    ({"$ref": "#/definitions/Tree"}, st.just({"children": [{"children": []}]}) | st.none()),
    ({"allOf": [{"$ref": "#/$defs/Filters"}], "description": "x"}, st.just({"price": 1})),
    ({"enum": [1, 2, 3]}, st.sampled_from([1, 2, 3])),
    ({"const": 7}, st.just(7)),
    ({"const": {"a": None}}, st.just({"a": None})),
    ({"type": "integer", "nullable": True}, WHOLE | st.none()),
    ({"properties": {"a": {"type": "integer"}}}, st.fixed_dictionaries({"a": WHOLE})),
    ({"items": {"type": "integer"}}, st.lists(WHOLE, max_size=2)),
    ({"$ref": "#/$defs/Loop"}, st.none() | WORDS),
]
"""Schemas whose text says of what type it is."""
TEXTS: list[Typed] = [
    ({"type": "string"}, TEXT | st.sampled_from(["5", "null", "true", "[1]", '{"a": 1}', "1e5", '"x"'])),
    ({"enum": ["1", "2", "null"]}, st.sampled_from(["1", "2", "null"])),
    ({"const": "true"}, st.just("true")),
    ({"$ref": "#/$defs/Size"}, st.sampled_from(["small", "10"])),
]
MIXED: list[Typed] = [
    ({}, JSON),
    ({"description": "anything"}, JSON),
    ({"type": ["string", "null"]}, WORDS | st.none()),
    ({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}, WORDS | st.none()),
    ({"oneOf": [{"type": "string"}, {"$ref": "#/$defs/Filters"}]}, WORDS | st.just({"price": 3})),
    ({"anyOf": [{"type": "array", "items": {}}, {"type": "string"}]}, WORDS | st.lists(JSON, max_size=2)),
    ({"enum": ["auto", 1, 2.5, None, True]}, st.sampled_from(["auto", 1, 2.5, None, True])),
    ({"anyOf": [{"const": "1"}, {"const": 2}]}, st.sampled_from(["1", 2])),
    (
        {"type": ["integer", "boolean", "null", "array"]},
        WHOLE | st.booleans() | st.none() | st.lists(WHOLE, max_size=2),
    ),
]
DEFINITIONS = {
    "$defs": {
        "Filters": {
            "type": "object",
            "properties": {"price": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
        },
        "Size": {"enum": ["small", "10"]},
        "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}, {"type": "null"}, {"type": "string"}]},
    },
    "definitions": {
        "Tree": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "properties": {"children": {"type": "array", "items": {"$ref": "#/definitions/Tree"}}},
                },
            ]
        }
    },
}


@st.composite
def calls(draw: st.DrawFn) -> tuple[ToolCall, list[dict[str, Any]]]:
    """Return a call and the tool that declares its arguments."""
    chosen = draw(st.dictionaries(NAMES_OF_ARGUMENTS, st.sampled_from([*ONE, *TEXTS, *MIXED]), min_size=1, max_size=5))
    arguments = {name: draw(values) for name, (_, values) in chosen.items()}
    properties = {name: schema for name, (schema, _) in chosen.items()}
    parameters = {"type": "object", **DEFINITIONS, "properties": properties, "required": sorted(properties)}
    function = {"name": "find", "description": "Finds.", "parameters": parameters}
    return ToolCall(name="find", arguments=arguments), [{"type": "function", "function": function}]


@pytest.mark.parametrize("name", WITH_TOOLS)
@given(calls())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_call_of_any_schema_is_read_back_equal(name: str, drawn: tuple[ToolCall, list[dict[str, Any]]]) -> None:
    call, tools = drawn
    text = generated(name, [call], [])[0]
    family = detect_family(templates()[name])
    assert equal(read(text, tools=tools).call, call), text
    assert equal(read(text, family=family, tools=tools).call, call), text
    assert equal(read(text, family=family, tools=tools, strict=True).call, call), text


def equal(read_back: ToolCall | None, call: ToolCall) -> bool:
    """Return whether both are the same call; true is not 1, while 2.0 is 2."""
    return read_back is not None and read_back.name == call.name and _same(read_back.arguments, call.arguments)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
