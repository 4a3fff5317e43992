"""One conversation as many frameworks log it is the same conversation; what is not known is refused, never empty."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.message_reader import read_messages
from harness.data.records import Message, ToolCall

ASKED, LOOK, FOUND, NONE = "A table in Albany", "Let me look.", '[{"name": "Bo"}]', "None free."
ARGUMENTS = {"city": "Albany"}
WRITTEN = json.dumps(ARGUMENTS)
CALL = {"id": "k1", "type": "function", "function": {"name": "FindTable", "arguments": WRITTEN}}


def talk(*, call: str | None = "k1", said: str | None = LOOK, result: str | None = "k1") -> tuple[Message, ...]:
    """Return the conversation: a request, a call with or without words, its result, a reply."""
    calls = (ToolCall(name="FindTable", arguments=ARGUMENTS, id=call),)
    return (
        Message(role="user", content=ASKED),
        Message(role="assistant", content=said, tool_calls=calls),
        Message(role="tool", content=FOUND, tool_call_id=result),
        Message(role="assistant", content=NONE),
    )


def langchain(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    path = ["langchain", "schema", "messages", f"{kind}Message"]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": {"content": content, **more}}


LAYOUTS: dict[str, tuple[list[dict[str, Any]], tuple[Message, ...]]] = {
    "OpenTelemetry": (
        [
            {"role": "user", "parts": [{"type": "text", "content": ASKED}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Hm."},
                    {"type": "text", "content": LOOK},
                    {"type": "tool_call", "id": "k1", "name": "FindTable", "arguments": ARGUMENTS},
                ],
                "finish_reason": "tool_calls",
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "k1", "response": FOUND}]},
            {"role": "assistant", "parts": [{"type": "text", "content": NONE}], "finish_reason": "stop"},
        ],
        talk(),
    ),
    "AI SDK, user interface": (
        [
            {"id": "1", "role": "user", "parts": [{"type": "text", "text": ASKED}]},
            {
                "id": "2",
                "role": "assistant",
                "parts": [
                    {"type": "step-start"},
                    {"type": "text", "text": LOOK},
                    {
                        **{"type": "tool-FindTable", "toolCallId": "k1", "state": "output-available"},
                        **{"input": ARGUMENTS, "output": json.loads(FOUND)},
                    },
                    {"type": "step-start"},
                    {"type": "text", "text": NONE, "state": "done"},
                ],
            },
        ],
        talk(),
    ),
    "AI SDK 4, invocations": (
        [
            {"role": "user", "content": ASKED},
            {
                "role": "assistant",
                "content": LOOK,
                "toolInvocations": [
                    {
                        **{"state": "result", "toolCallId": "k1", "toolName": "FindTable"},
                        **{"args": ARGUMENTS, "result": json.loads(FOUND)},
                    }
                ],
            },
            {"role": "assistant", "content": NONE},
        ],
        talk(),
    ),
    "AI SDK, model": (
        [
            {"role": "user", "content": [{"type": "text", "text": ASKED}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": LOOK},
                    {"type": "tool-call", "toolCallId": "k1", "toolName": "FindTable", "input": ARGUMENTS},
                ],
            },
            {
                "role": "tool",
                "content": [
                    {
                        **{"type": "tool-result", "toolCallId": "k1", "toolName": "FindTable"},
                        "output": {"type": "json", "value": json.loads(FOUND)},
                    }
                ],
            },
            {"role": "assistant", "content": NONE},
        ],
        talk(),
    ),
    "Gemini": (
        [
            {"role": "user", "parts": [{"text": ASKED}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Hm.", "thought": True},
                    {"text": LOOK},
                    {"functionCall": {"name": "FindTable", "args": ARGUMENTS}, "thoughtSignature": "x"},
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"name": "FindTable", "response": json.loads(FOUND)}}]},
            {"role": "model", "parts": [{"text": NONE}]},
        ],
        talk(call=None, result=None),
    ),
    "pydantic-ai": (
        [
            {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": ASKED, "timestamp": "2026"}]},
            {
                "kind": "response",
                "parts": [
                    {"part_kind": "thinking", "content": "Hm."},
                    {"part_kind": "text", "content": LOOK},
                    {"part_kind": "tool-call", "tool_name": "FindTable", "args": WRITTEN, "tool_call_id": "k1"},
                ],
            },
            {
                "kind": "request",
                "parts": [
                    {
                        **{"part_kind": "tool-return", "tool_name": "FindTable", "tool_call_id": "k1"},
                        "content": json.loads(FOUND),
                    }
                ],
            },
            {"kind": "response", "parts": [{"part_kind": "text", "content": NONE}]},
        ],
        talk(),
    ),
    "LangChain, data": (
        [
            {"type": "human", "data": {"content": ASKED, "type": "human", "additional_kwargs": {}}},
            {
                "type": "ai",
                "data": {
                    "content": [
                        {"type": "text", "text": LOOK},
                        {"type": "tool_use", "id": "k1", "name": "FindTable", "input": ARGUMENTS},
                    ],
                    "tool_calls": [{"name": "FindTable", "args": ARGUMENTS, "id": "k1", "type": "tool_call"}],
                    "invalid_tool_calls": [],
                },
            },
            {"type": "tool", "data": {"content": FOUND, "type": "tool", "tool_call_id": "k1"}},
            {"type": "ai", "data": {"content": NONE, "type": "ai"}},
        ],
        talk(),
    ),
    "LangChain, constructors": (
        [
            langchain("Human", ASKED),
            langchain("AI", LOOK, tool_calls=[{"name": "FindTable", "args": ARGUMENTS, "id": "k1"}], type="ai"),
            langchain("Tool", FOUND, tool_call_id="k1", type="tool"),
            langchain("AI", NONE, response_metadata={"model": "m"}),
        ],
        talk(),
    ),
    "LangChain, additional_kwargs": (
        [
            {"type": "human", "content": ASKED},
            {
                "type": "ai",
                "content": "",
                "additional_kwargs": {"function_call": {"name": "FindTable", "arguments": WRITTEN}},
            },
            {"type": "function", "name": "FindTable", "content": FOUND},
            {"type": "ai", "content": NONE},
        ],
        talk(call=None, said=None, result=None),
    ),
    "Responses": (
        [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": ASKED}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": LOOK}]},
            {"type": "function_call", "id": "fc_1", "call_id": "k1", "name": "FindTable", "arguments": WRITTEN},
            {"type": "function_call_output", "call_id": "k1", "output": FOUND},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": NONE}]},
        ],
        talk(),
    ),
    "Anthropic": (
        [
            {"role": "user", "content": ASKED},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": LOOK},
                    {"type": "tool_use", "id": "k1", "name": "FindTable", "input": ARGUMENTS},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "k1", "content": [{"type": "text", "text": FOUND}]}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": NONE}]},
        ],
        talk(),
    ),
    "Hermes": (
        [
            {"from": "human", "value": ASKED},
            {
                "from": "gpt",
                "value": f'{LOOK}\n<tool_call>\n{{"name": "FindTable", "arguments": {WRITTEN}}}\n</tool_call>',
            },
            {"from": "tool", "value": f"<tool_response>\n{FOUND}\n</tool_response>"},
            {"from": "gpt", "value": NONE},
        ],
        talk(call=None, result=None),
    ),
    "camel case": (
        [
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": LOOK, "toolCalls": [CALL]},
            {"role": "tool", "toolCallId": "k1", "content": FOUND},
            {"role": "assistant", "content": NONE},
        ],
        talk(),
    ),
    "calls in both ways": (
        [
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": LOOK, "tool_calls": [CALL], "function_call": CALL["function"]},
            {"role": "tool", "tool_call_id": "k1", "content": FOUND},
            {"role": "assistant", "content": None, "refusal": NONE},
        ],
        talk(),
    ),
    "LlamaIndex": (
        [
            {"role": "user", "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": ASKED}]},
            {
                "role": "assistant",
                "blocks": [{"block_type": "text", "text": LOOK}],
                "additional_kwargs": {"tool_calls": [CALL]},
            },
            {
                "role": "tool",
                "additional_kwargs": {},
                "tool_call_id": "k1",
                "blocks": [{"block_type": "text", "text": FOUND}],
            },
            {"role": "assistant", "blocks": [{"block_type": "text", "text": NONE}]},
        ],
        talk(),
    ),
    "words under text": (
        [
            {"role": "user", "text": ASKED},
            {"role": "assistant", "text": LOOK, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "k1", "output": FOUND},
            {"role": "assistant", "text": NONE},
        ],
        talk(),
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_framework_logs_the_same_conversation(name: str) -> None:
    messages, expected = LAYOUTS[name]
    assert read_messages(messages, strict=False) == expected


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "user", "body": "Hi"}, "keys body, role"),
        ({"role": "assistant", "content": "", "steps": [{"say": "Hi"}]}, "what steps holds is not known"),
        ({"role": "assistant", "content": "I look.", "toolUses": [{"name": "Find"}]}, "toolUses"),
        ({"role": "assistant", "content": "I look.", "invalid_tool_calls": [{"name": "Find"}]}, "invalid_tool_calls"),
        ({"role": "user", "parts": [{"inlineData": {"data": "x"}}]}, "keys inlineData"),
        ({"role": "user", "parts": [{"type": "file", "url": "x"}]}, "type 'file' is no text"),
        ({"role": "user", "content": [{"type": "thinking", "thinking": "Hm."}]}, "holds no text"),
        ({"role": "assistant"}, "keys role"),
        ({"role": "tool", "tool_call_id": "k1"}, "keys role, tool_call_id"),
    ],
)
def test_a_message_that_says_nothing_known_is_refused_with_its_keys(message: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="message 0: ") as refused:
        read_messages([message], strict=False)
    assert words in str(refused.value)


def test_definitions_of_tools_among_messages_are_no_results() -> None:
    tool = {"type": "function", "function": {"name": "FindTable", "parameters": {"type": "object"}}}
    messages = [
        *LAYOUTS["camel case"][0],
        {"role": "tool", "content": tool},
        {"role": "tool", "content": json.dumps(tool)},
    ]
    assert read_messages(messages, strict=False) == talk()


def test_calls_of_one_turn_that_are_items_of_their_own_are_one_turn() -> None:
    calls = [
        {"type": "function_call", "id": f"fc_{n}", "call_id": f"k{n}", "name": "Find", "arguments": "{}"}
        for n in (1, 2)
    ]
    results = [{"type": "function_call_output", "call_id": f"k{n}", "output": str(n)} for n in (2, 1)]
    read = read_messages([{"role": "user", "content": ASKED}, *calls, *results], strict=False)
    assert [(message.role, message.tool_call_id or message.tool_calls[0].id) for message in read[1:]] == [
        ("assistant", "k1"),
        ("tool", "k1"),
        ("assistant", "k2"),
        ("tool", "k2"),
    ]


KEYS = st.sampled_from(
    ["role", "type", "content", "parts", "text", "value", "from", "kind", "data", "message", "tool_calls", "toolCalls"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["user", "assistant", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS | st.text(max_size=3), JSON, max_size=5))
def test_any_json_gives_an_empty_user_message_only_where_its_text_was_empty(message: dict[str, Any]) -> None:
    try:
        read = read_messages([message], strict=False)
    except ValueError:
        return
    if any(one.role == "user" and not one.content and not one.tool_calls for one in read):
        written = json.dumps(message)
        assert any(empty in written for empty in ('""', "null", "[]", "{}"))
