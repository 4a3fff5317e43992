"""The tools of a task: what traces define is taken, and what they only call is inferred and said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.curation.job_init.tool_definitions import FoundTool, ToolTally, why_unusable
from harness.curation.job_init.value_shapes import ValueShape
from harness.data.formats.task import dump_task, read_task
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.tools import Toolbox

Json = dict[str, Any]


def defined(name: str, **properties: Any) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}


def row(*calls: ToolCall, tools: list[Any] | None = None, time: str | None = None) -> TraceRow:
    messages = tuple(Message(role="assistant", tool_calls=(call,)) for call in calls)
    columns = {key: value for key, value in (("tools", tools), ("time", time)) if value}
    return TraceRow(conversation=Conversation(id="a", messages=messages, source="a:1"), columns=columns)


def found(*rows: TraceRow) -> dict[str, FoundTool]:
    tally = ToolTally()
    for one in rows:
        tally.add_definitions(one)
        tally.add_calls(one.conversation)
    return {one.name: one for one in tally.tools()}


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def test_definitions_are_united_and_taken_as_they_are() -> None:
    find, book = defined("Find", city={"type": "string"}), defined("Book", place={"$ref": "#/$defs/P"})
    book["function"]["parameters"]["$defs"] = {"P": {"type": "string"}}
    tools = found(row(call("Find", city="Ulm"), tools=[find]), row(tools=[book, find]))
    assert {name: one.definition for name, one in tools.items()} == {"Find": find, "Book": book}
    assert not any(one.inferred for one in tools.values())
    assert (tools["Find"].calls, tools["Find"].defined) == (1, 2)


def test_of_several_definitions_the_latest_counts_and_without_times_the_most_frequent() -> None:
    old, new = defined("Find", city={"type": "string"}), defined("Find", town={"type": "string"})
    late = found(row(tools=[new], time="2026-03-01T00:00:00Z"), *[row(tools=[old], time="2026-01-01T00:00:00Z")] * 3)
    often = found(row(tools=[new]), *[row(tools=[old])] * 3)
    assert (late["Find"].definition, often["Find"].definition) == (new, old)
    assert late["Find"].versions == often["Find"].versions == 2
    assert "latest" in late["Find"].chosen
    assert "3 of 4" in often["Find"].chosen


def test_tools_that_are_only_called_are_inferred_with_types_required_and_values_and_how_often() -> None:
    calls = [
        call("Find", city="Ulm", stars=at % 5, kind=["café", "bar"][at % 2], **({"open": True} if at < 9 else {}))
        for at in range(40)
    ]
    tool = found(row(*calls), row(tools=[defined("Book")]))["Find"]
    assert tool.inferred
    assert tool.calls == 40
    parameters = tool.definition["function"]["parameters"]
    assert parameters["required"] == ["city", "stars", "kind"]
    assert {key: one["type"] for key, one in parameters["properties"].items()} == {
        "city": "string",
        "stars": "integer",
        "kind": "string",
        "open": "boolean",
    }
    assert parameters["properties"]["kind"]["enum"] == ["bar", "café"]
    assert "enum" not in parameters["properties"]["city"]
    assert tool.arguments["kind"]["values"] == {"bar": 20, "café": 20}
    assert tool.arguments["open"] == {"seen": 9, "types": {"boolean": 9}, "values": {}}
    assert "40 calls" in tool.definition["function"]["description"]
    assert "9 of 40" in parameters["properties"]["open"]["description"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"type": "strin"}, "no JSON schema"),
        (["city"], "no JSON schema"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}}, "refer to '#/$defs/none'"),
        ({"type": "object", "properties": {"a": {"$ref": "https://host.invalid/a.json"}}}, "which is not in them"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "refer to themselves"),
        (
            {"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"anyOf": [{"$ref": "#/$defs/b"}]}}},
            "refer to themselves",
        ),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "no JSON schema"),
    ],
)
def test_a_definition_that_calls_cannot_be_checked_against_is_not_taken_and_said(parameters: Any, words: str) -> None:
    tool = {"type": "function", "function": {"name": "Find", "parameters": parameters}}
    called, idle = found(row(call("Find", city="Ulm"), tools=[tool]))["Find"], found(row(tools=[tool]))["Find"]
    for one in (called, idle):
        assert one.inferred
        assert not why_unusable(one.definition)
        assert words in one.unusable
    assert called.definition["function"]["parameters"]["required"] == ["city"]


def test_a_definition_that_goes_on_in_a_part_of_its_value_is_taken() -> None:
    node = {"type": "object", "properties": {"city": {"type": "string"}, "then": {"anyOf": [{"$ref": "#"}]}}}
    tool = {"type": "function", "function": {"name": "Find", "parameters": node}}
    assert not found(row(call("Find", city="Ulm"), tools=[tool]))["Find"].inferred


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=6), values, max_size=4), min_size=1, max_size=30), st.text(min_size=1))
def test_every_call_fits_the_tool_that_was_inferred_from_it(arguments: list[Json], name: str) -> None:
    calls = [ToolCall(name=name, arguments=one) for one in arguments]
    definition = found(row(*calls))[name].definition
    toolbox = Toolbox([definition])
    parameters = definition["function"]["parameters"]
    Draft202012Validator.check_schema(parameters)
    assert all(Draft202012Validator({"additionalProperties": False, **parameters}).is_valid(one) for one in arguments)
    assert name in toolbox.names


@pytest.mark.parametrize("name", ["functions.search", "tell me!", "x" * 200, "\u202eevil", "日本"])
def test_names_that_are_no_function_names_are_kept_as_they_are_called(tmp_path: Path, name: str) -> None:
    (tool,) = found(row(call(name, a=1))).values()
    path = tmp_path / "job_description.json"
    path.write_text(json.dumps(dump_task(Task(description="d", tools=(tool.definition,)))), encoding="utf-8")
    assert read_task(path).tools[0]["function"]["name"] == name


def test_shapes_do_not_grow_with_the_number_of_values() -> None:
    shape = ValueShape()
    for number in range(5_000):
        shape.add({f"key{number}": f"value{number}", "deep": [[[[[[{"more": number}]]]]]]})
    assert len(shape.members) == 200
    assert shape.unfollowed
    assert shape.members_schema()["additionalProperties"] is True
