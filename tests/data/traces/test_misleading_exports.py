"""Exports that look like something else: read as what they are, or refused with what is there, never read wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.pipeline_records import TraceRow
from harness.data.records import Message, ToolCall
from harness.data.traces.read import read_traces
from harness.errors import DataError

CALL = {"id": "k1", "type": "function", "function": {"name": "Find", "arguments": '{"city": "Ulm"}'}}
ASKED: dict[str, Any] = {"role": "user", "content": "Anything open in Ulm?"}
CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FOUND: dict[str, Any] = {"role": "tool", "tool_call_id": "k1", "content": "[]"}
SAID: dict[str, Any] = {"role": "assistant", "content": "Nothing, sorry."}
REACT = 'Thought: I look.\nAction: Find\nAction Input: {"city": "Ulm"}'
Read = Callable[..., list[TraceRow]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of(*rows: Any) -> list[TraceRow]:
        file = tmp_path / "export.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return list(read_traces(file))

    return of


def conversation(id: str | None = "k1") -> tuple[Message, ...]:
    return (
        Message(role="user", content="Anything open in Ulm?"),
        Message(role="assistant", tool_calls=(ToolCall(name="Find", arguments={"city": "Ulm"}, id=id),)),
        Message(role="tool", content="[]", tool_call_id=id),
        Message(role="assistant", content="Nothing, sorry."),
    )


MESSAGES: dict[str, list[dict[str, Any]]] = {
    "calls as a column of text": [ASKED, {**CALLED, "tool_calls": json.dumps([CALL])}, FOUND, SAID],
    "smolagents, calls in a text": [
        ASKED,
        {"role": "tool-call", "content": [{"type": "text", "text": f"Calling tools:\n{[CALL]}"}]},
        {**FOUND, "role": "tool-response"},
        SAID,
    ],
    "AutoGen 0.2, results in a list": [
        ASKED,
        CALLED,
        {"role": "tool", "content": "[]", "tool_responses": [{"tool_call_id": "k1", "role": "tool", "content": "[]"}]},
        SAID,
    ],
    "AutoGen, messages without a source": [
        {"type": "UserMessage", "source": "user", "content": ASKED["content"]},
        {
            "type": "AssistantMessage",
            "source": "a",
            "content": [{"id": "k1", "name": "Find", "arguments": '{"city": "Ulm"}'}],
        },
        {"type": "FunctionExecutionResultMessage", "content": [{"content": "[]", "call_id": "k1", "is_error": False}]},
        {"type": "AssistantMessage", "source": "a", "content": SAID["content"]},
    ],
    "reasoning in the text": [ASKED, CALLED, FOUND, {**SAID, "content": "<think>\nHm.\n</think>\n\nNothing, sorry."}],
    "reasoning that the template began": [
        ASKED,
        CALLED,
        FOUND,
        {**SAID, "content": "Hm.\n</think>\n\nNothing, sorry."},
    ],
    "newest first": [{**one, "created_at": 9 - at} for at, one in enumerate([SAID, FOUND, CALLED, ASKED])],
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_in_the_ways_of_tools_are_the_conversation(read: Read, name: str) -> None:
    (row,) = read({"messages": MESSAGES[name]})
    assert row.conversation.messages == conversation(), row.problem
    assert [one.check for one in row.findings] == (["newest-first"] if name == "newest first" else [])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a call of ReAct": ({"messages": [ASKED, {"role": "assistant", "content": REACT}]}, "Action: Find"),
    "a message of LangChain as text": (
        {"messages": [ASKED, {**SAID, "content": "content='No' additional_kwargs={} response_metadata={}"}]},
        "additional_kwargs={",
    ),
    "reasoning that is cut": ({"messages": [ASKED, {**SAID, "content": "<think>Hm"}]}, "reasoning does not end"),
    "a body in another file": (
        {"timestamp": "2026-11-01", "input": {"inputBodyS3Path": "s3://b/x.json.gz"}, "output": SAID},
        "another file, 's3://b/x.json.gz'",
    ),
    "messages whose JSON is cut off": (
        {"traceId": "t", "type": "GENERATION", "input": json.dumps({"messages": [ASKED, CALLED]})[:90], "output": SAID},
        "cut off",
    ),
    "an object of Python as text": (
        {"messages": [ASKED], "response": "ModelResponse(id='1', choices=[Choices(message=Message(content='No'))])"},
        "an object of Python",
    ),
    "a data frame by its columns": (
        {key: {"0": "a", "1": "b"} for key in ("trace_id", "name", "inputs", "outputs")},
        'orient="records"',
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_message_is_refused_by_name(read: Read, name: str) -> None:
    row, words = REFUSED[name]
    with pytest.raises(DataError) as told:
        read(row)
    assert words in str(told.value)


def test_a_call_of_react_in_the_parts_of_a_span_is_refused(read: Read) -> None:
    said = [{"role": "assistant", "parts": [{"type": "text", "content": REACT}]}]
    asked = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": asked, "gen_ai.output.messages": said}
    with pytest.raises(DataError, match="Action: Find"):
        read({"name": "chat", "trace_id": "t", "span_id": "a", "attributes": attributes})


def test_attributes_of_an_event_that_are_no_words_are_left_out(read: Read) -> None:
    def event(name: str, **held: Any) -> dict[str, Any]:
        return {"name": name, "attributes": {"gen_ai.system": "openai", **held}}

    events = [
        event("gen_ai.user.message", content=ASKED["content"]),
        event("gen_ai.assistant.message", tool_calls=json.dumps([CALL])),
        event("gen_ai.tool.message", content="[]", id="k1"),
        event("gen_ai.choice", message=json.dumps(SAID)),
    ]
    attributes = {"gen_ai.operation.name": "chat"}
    (row,) = read({"name": "chat", "trace_id": "t", "span_id": "a", "attributes": attributes, "events": events})
    assert row.conversation.messages == conversation(), row.problem


def answered(id: str, before: str | None, said: list[Any], output: list[Any]) -> dict[str, Any]:
    """Return a request to the Responses API that continues the response before, with its response."""
    return {
        "request": {"previous_response_id": before, "input": said},
        "response": {"id": id, "object": "response", "previous_response_id": before, "output": output},
    }


def test_requests_that_continue_a_response_are_one_conversation_with_its_calls_apart(read: Read) -> None:
    calls = [{"type": "function_call", "call_id": f"k{at}", "name": "Find", "arguments": "{}"} for at in (1, 2)]
    results = [{"type": "function_call_output", "call_id": f"k{at}", "output": "[]"} for at in (1, 2)]
    first, second = answered("r1", None, [ASKED], calls), answered("r2", "r1", results, [SAID])
    (row,) = read(first, second)
    assert [one.role for one in row.conversation.messages] == ["user", *["assistant", "tool"] * 2, "assistant"]
    assert [one.check for one in row.findings] == ["several-calls-made"]
    rows = read({"messages": [ASKED, SAID]}, second)  # a file of another layout: never a conversation by itself
    assert [row.problem is None for row in rows] == [True, False]


def test_a_trace_of_the_agents_sdk_is_no_row_that_cannot_be_read(read: Read) -> None:
    data = {"type": "generation", "input": [ASKED, CALLED, FOUND], "output": [SAID], "model": "m"}
    agent = {"object": "trace.span", "id": "a", "trace_id": "t", "span_data": {"type": "agent", "name": "x"}}
    span = {"object": "trace.span", "id": "b", "trace_id": "t", "parent_id": "a", "span_data": data}
    (row,) = read({"object": "trace", "id": "t", "workflow_name": "w"}, agent, span)
    assert row.conversation.messages == conversation(), row.problem


def test_definitions_of_tools_are_found_where_exports_have_them(read: Read) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    wanted = [{"type": "function", "function": {"name": "Find", "description": "d", "parameters": schema}}]
    pairs = [["Find", json.dumps({"description": "d", "parameters": schema})]]  # a map of Parquet
    flat = json.dumps([{"type": "function", "name": "Find", "description": "d", "parameters": schema}])
    generation = {"traceId": "t", "type": "GENERATION", "input": [ASKED], "output": SAID}
    for more in ({"tool_definitions": pairs}, {"metadata": {"attributes": {"gen_ai.tool.definitions": flat}}}):
        assert read({**generation, **more})[0].columns["tools"] == wanted
    batch = {"params": {"messages": [ASKED], "tools": wanted}, "result": {"message": SAID}}
    assert read(batch)[0].columns["tools"] == wanted


@pytest.mark.parametrize("limit", range(40, 600, 20))
def test_a_size_limit_makes_no_shorter_conversation_of_observations(read: Read, limit: int) -> None:
    turns = [ASKED, CALLED, FOUND, SAID, {**ASKED, "content": "And in Bonn?"}, SAID]
    rows: list[dict[str, Any]] = [
        {
            "id": f"o{at}",
            "type": "GENERATION",
            "trace_id": "t",
            "input": json.dumps(turns[:at])[:limit],
            "output": json.dumps(turns[at]),
        }
        for at in (1, 3, 5)
    ]
    other = {**rows[0], "id": "o9", "trace_id": "u", "input": json.dumps([ASKED])}
    found = [row for row in read(other, *rows)[1:] if row.problem is None]
    whole = len(json.dumps(turns[:5])) <= limit
    assert [len(row.conversation.messages) for row in found] == ([6] if whole else [])
