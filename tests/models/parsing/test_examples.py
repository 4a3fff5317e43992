"""The recorded examples of every family, and what the public functions promise about any text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import ToolCall
from harness.errors import UsageError
from harness.models.parsing import canonical, detect_family, families, read
from harness.models.parsing.reading import read_lenient

EXAMPLES = Path(__file__).parent / "examples"


def examples() -> list[Any]:
    return [
        pytest.param(path.stem, row, id=f"{path.stem}: {row['note']}")
        for path in sorted(EXAMPLES.glob("*.jsonl"))
        for _, row in read_jsonl(path)
    ]


def expected(row: dict[str, Any]) -> ToolCall | None:
    return ToolCall(**row["call"]) if row["call"] else None


@pytest.mark.parametrize(("family", "row"), examples())
def test_an_example_is_read_as_recorded(family: str, row: dict[str, Any]) -> None:
    """Strict reads it only where the example says so; lenient, in this family or in any, reads the same call."""
    call = expected(row)
    strict = read(row["text"], family=family, strict=True)
    assert strict.call == (call if row["strict"] else None), strict.reason
    assert read(row["text"], family=family).call == call
    assert read(row["text"]).call == call


@pytest.mark.parametrize(("family", "row"), examples())
def test_a_reading_has_either_a_call_or_a_reason(family: str, row: dict[str, Any]) -> None:
    for reading in (read(row["text"]), read(row["text"], strict=True), read_lenient(row["text"], [families()[family]])):
        assert (reading.call is None) == bool(reading.reason)


def test_every_family_has_examples_of_calls_and_of_none() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.jsonl")} == set(families())
    for path in EXAMPLES.glob("*.jsonl"):
        rows = [row for _, row in read_jsonl(path)]
        assert any(row["strict"] for row in rows), path
        assert any(row["call"] is None for row in rows), path


def test_strict_without_a_family_reads_the_two_published_notations_only() -> None:
    call = ToolCall(name="f", arguments={"x": "1"})
    assert read('{"name": "f", "parameters": {"x": "1"}}', strict=True).call == call
    assert read(canonical(call), strict=True).call == call
    assert read('[TOOL_CALLS][{"name": "f", "arguments": {"x": "1"}}]', strict=True).call is None
    assert read("[f(x='1')]", strict=True).call is None


def test_several_calls_are_counted_and_refused_when_strict() -> None:
    text = canonical(ToolCall(name="f", arguments={})) + "\n" + canonical(ToolCall(name="g", arguments={}))
    strict, lenient = read(text, strict=True), read(text)
    assert (strict.call, strict.calls) == (None, 2)
    assert "2 tool calls" in str(strict.reason)
    assert (lenient.call, lenient.calls) == (ToolCall(name="f", arguments={}), 2)


def test_canonical_writes_what_the_published_predictions_hold(sources: Path) -> None:
    """All predictions with a call are byte for byte the canonical form of their own reading."""
    for name in ("base", "tuned"):
        for _, row in read_jsonl(sources / "tft-benchmark" / "predictions" / f"{name}.jsonl"):
            call = read(row["prediction"], strict=True).call
            assert (canonical(call) if call else "") == row["prediction"]


def test_bare_text_takes_the_type_that_the_tools_declare() -> None:
    text = "<tool_call>f\n<arg_key>n</arg_key>\n<arg_value>2</arg_value>\n</tool_call>"
    for schema, value in (({}, 2), ({"type": "string"}, "2"), ({"type": "integer"}, 2), ({"type": "array"}, 2)):
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"n": schema}}}}]
        assert read(text, tools=tools).call == ToolCall(name="f", arguments={"n": value})
        assert read(text, tools=[tools[0]["function"]]).call == ToolCall(name="f", arguments={"n": value})  # type: ignore[list-item]


def test_an_unknown_family_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'qwen9'.*hermes"):
        read("x", family="qwen9")


def test_a_template_without_marks_has_no_family() -> None:
    assert detect_family("{% for m in messages %}{{ m.content }}{% endfor %}") is None


def test_a_family_found_in_a_template_is_the_one_whose_marks_it_has() -> None:
    """The marks of each family, put together as a template, are recognised as that family."""
    for family in families().values():
        if family.markers:
            assert detect_family("\n".join(family.markers)) == family.name


def test_half_an_emoji_can_be_written_to_a_file() -> None:
    reading = read('{"name": "f", "parameters": {"x": "\\ud83d", "y": "\\ud83d\\ude00"}}')
    assert reading.call is not None
    assert json.loads(json.dumps(reading.call.arguments, ensure_ascii=False).encode())["y"] == "😀"


def test_the_tools_tell_a_name_from_its_namespace_and_from_other_words() -> None:
    tools = [{"name": "search", "parameters": {"properties": {}}}]
    call = ToolCall(name="search", arguments={"x": 1})
    hermes = '<tool_call>{"name": "functions.search", "arguments": {"x": 1}}</tool_call>'
    gemma = "<|tool_call>call:mcp:web:search{x:1}<tool_call|>"
    listed = ("[api.search(x=1)]", hermes, gemma)
    for text in (
        *listed,
        "search(x=1)",
        "default_api.search(x=1)",
        'search\n{"x": 1}',
        "```tool_code\napi.search(x=1)\n```",
    ):
        assert read(text, tools=tools).call == call
    assert read('Result\n{"x": 1}', tools=tools).call is None
    assert read("result(x=1)", tools=tools).call is None


TYPED = [
    {"name": "search", "parameters": {"properties": {"words": {"type": "string"}, "limit": {"type": "integer"}}}},
    {"name": "searches", "parameters": {"properties": {}}},
]


def test_the_tools_tell_a_name_from_the_key_that_ran_into_it() -> None:
    call = ToolCall(name="search", arguments={"words": "tea"})
    for head in ("searchwords", "search<tool_call>words"):
        assert read(f"<tool_call>{head}</arg_key><arg_value>tea</arg_value></tool_call>", tools=TYPED).call == call
    for head in ("searchother", "findwords", "searches"):
        assert read(f"<tool_call>{head}</arg_key><arg_value>tea</arg_value></tool_call>", tools=TYPED).call is None


def test_an_opening_tag_in_a_text_is_no_argument_unless_the_tool_has_one_of_that_name() -> None:
    """Where the closing tag is missing, a declared name or a line of its own shows that another argument begins."""
    start, end = "<tool_call>\n<function=search>\n<parameter=words>", "\n</parameter>\n</function>\n</tool_call>"
    both = ToolCall(name="search", arguments={"words": "tea", "limit": 2})
    assert read(f"{start}tea<parameter=limit>2{end}", tools=TYPED).call == both
    assert read(f"{start}\nuse <parameter=x> here{end}", tools=TYPED).call is None
    for text in (f"{start}\ntea\n<parameter=note>\nx{end}", f"{start}tea</parameter><parameter=note>x{end}"):
        assert read(text, tools=TYPED).call == ToolCall(name="search", arguments={"words": "tea", "note": "x"})


def test_quotes_around_a_value_that_is_no_text_are_no_part_of_it() -> None:
    """As vLLM reads them: the declared type is missed, and the value holds no quotes."""
    text = '<tool_call>search<arg_key>limit</arg_key><arg_value>"2"</arg_value></tool_call>'
    assert read(text, tools=TYPED).call == ToolCall(name="search", arguments={"limit": "2"})


def test_a_brace_is_not_added_where_it_may_belong_elsewhere() -> None:
    """Which of two objects was left open decides where an argument belongs; with the schema it can be seen."""
    tools = [{"name": "f", "parameters": {"properties": {"opts": {"properties": {"a": {}}}, "city": {}}}}]
    text = '<tool_call>{"name": "f", "arguments": {"opts": {"a": 1, "%s": 2}}</tool_call>'
    assert read(text % "city", tools=tools).call is None
    assert read(text % "b", tools=tools).call == ToolCall(name="f", arguments={"opts": {"a": 1, "b": 2}})
    assert read((text % "city").replace("}}<", "}}}<"), tools=tools).call is not None
