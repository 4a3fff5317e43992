"""Messages in spellings that no writer of a layout makes; what is not known is refused, and nothing becomes empty."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.message_reader import read_messages
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.formats.row_layouts import layout_of
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
    "LangChain, streamed from Anthropic": (
        [
            {"type": "human", "content": ASKED},
            {
                "type": "ai",
                "content": [
                    {"type": "text", "text": LOOK, "index": 0},
                    {"type": "tool_use", "id": "k1", "name": "FindTable", "input": {}, "partial_json": WRITTEN},
                ],
                "tool_calls": [{"name": "FindTable", "args": ARGUMENTS, "id": "k1"}],
            },
            {"type": "tool", "content": FOUND, "tool_call_id": "k1"},
            {"type": "ai", "content": NONE},
        ],
        talk(),
    ),
    "roles that are calls": (
        [
            {"role": "user", "content": ASKED},
            {"role": "function_call", "content": json.dumps({"name": "FindTable", "arguments": ARGUMENTS})},
            {"role": "tool_response", "content": FOUND},
            {"role": "assistant", "content": NONE},
        ],
        talk(call=None, said=None, result=None),
    ),
    "Hermes, as Python writes objects": (
        [
            {"from": "human", "value": ASKED},
            {
                "from": "gpt",
                "value": f"{LOOK}\n<tool_call>\n{{'arguments': {ARGUMENTS}, 'name': 'FindTable'}}\n</tool_call>",
            },
            {"from": "tool", "value": f"<tool_response>\n{FOUND}\n</tool_response>"},
            {"from": "gpt", "value": NONE},
        ],
        talk(call=None, result=None),
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
        ({"role": "user", "parts": [{"inlineData": {"data": "x"}}]}, "with 'inlineData' is no text"),
        ({"role": "user", "parts": [{"type": "file", "url": "x"}]}, "type 'file' is no text"),
        ({"role": "user", "content": [{"type": "thinking", "thinking": "Hm."}]}, "holds no text"),
        ({"role": "assistant"}, "keys role"),
        ({"role": "user", "tool_calls": []}, "keys role, tool_calls"),
        ({"role": "assistant", "content": "", "answer": "Hi"}, "what answer holds"),
        ({"role": "assistant", "content": "I look.", "action": {"tool": "Find"}}, "what action holds"),
        ({"role": "assistant", "content": "I look.", "made": [{"name": "Find", "args": {}}]}, "what made holds"),
        ({"role": "assistant", "tool_calls": [{"name": "Find", "kwargs": {"city": "Rom"}}]}, "arguments under kwargs"),
        ({"role": "assistant", "tool_calls": [{"name": "Find", "what": {"city": "Rom"}}]}, "arguments under what"),
        (
            {"role": "assistant", "content": "<tool_call>\n<function=Find>\n</tool_call>"},
            "<tool_call> that is not read",
        ),
        ({"role": "assistant", "answer": "I look.", "tool_calls": [CALL]}, "what answer holds"),
        ({"role": "assistant", "content": "I look.", "made": CALL}, "what made holds"),
        ({"role": "assistant", "parts": {"text": "Hi"}}, "its parts must be a list"),
        ({"role": "assistant", "message": "I look.", "observation": {"said": "Hi"}}, "observation must be a list"),
        ({"role": "user", "content": "Hi", "parts": [{"type": "text", "text": "Ho"}]}, "not what its parts say"),
        ({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "k1", "said": "x"}]}, "keys said, "),
        ({"_role": "user", "_content": "Hi"}, "no role, and the keys _content, _role"),
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


def test_results_without_ids_stand_behind_the_calls_of_their_tools() -> None:
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("Menu", "Hours")]
    results = [{"role": "tool", "tool_name": name, "content": name} for name in ("Hours", "Menu")]
    asked = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "", "tool_calls": calls}]
    read = read_messages([*asked, *results], strict=False)
    assert [message.content or message.tool_calls[0].name for message in read[1:]] == ["Menu", "Menu", "Hours", "Hours"]
    assert {type(message) for message in read} == {Message}
    strange = [{**one, "tool_name": "Other"} for one in results]
    assert read_messages([*asked, *strange], strict=False)[1].tool_calls == tuple(
        ToolCall(name=name, arguments={}) for name in ("Menu", "Hours")
    )


def part(state: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool-FindTable", "toolCallId": "k1", "state": state, "input": ARGUMENTS, **more}


@pytest.mark.parametrize(
    ("part", "result"),
    [
        (part("output-error", errorText="No."), "No."),
        (part("output-denied", approval={"id": "a", "approved": False, "reason": "Too dear."}), "Too dear."),
        (part("output-available"), ""),
        (part("approval-requested", approval={"id": "a"}), None),
    ],
)
def test_a_call_of_the_ai_sdk_and_the_words_of_the_next_step_stay_in_order(
    part: dict[str, Any], result: str | None
) -> None:
    parts = [{"type": "text", "text": LOOK}, part, {"type": "step-start"}, {"type": "text", "text": NONE}]
    called, *results, reply = read_messages([{"role": "assistant", "parts": parts}], strict=False)
    assert (called.content, called.tool_calls, reply.content) == (LOOK, talk()[1].tool_calls, NONE)
    assert [one.content for one in results] == ([] if result is None else [result])


def test_a_call_whose_arguments_were_cut_is_refused() -> None:
    for cut in (
        part("input-streaming"),
        part("partial-call"),
        {**part("output-error", rawInput='{"ci'), "input": None},
    ):
        with pytest.raises(ValueError, match="FindTable"):
            read_messages([{"role": "assistant", "parts": [cut]}], strict=False)


def test_what_a_person_approved_is_neither_a_call_nor_a_result() -> None:
    messages = [
        {"role": "user", "content": ASKED},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": LOOK},
                {"type": "tool-call", "toolCallId": "k1", "toolName": "FindTable", "input": ARGUMENTS},
                {"type": "tool-approval-request", "approvalId": "a", "toolCallId": "k1"},
            ],
        },
        {"role": "tool", "content": [{"type": "tool-approval-response", "approvalId": "a", "approved": True}]},
        {
            "role": "tool",
            "content": [{"type": "tool-result", "toolCallId": "k1", "output": {"type": "text", "value": FOUND}}],
        },
        {"role": "assistant", "content": NONE},
    ]
    assert read_messages(messages, strict=False) == talk()


def test_calls_in_several_places_are_each_read_once() -> None:
    other = {**CALL, "id": "k2"}
    message = {"role": "assistant", "tool_calls": [CALL], "toolCalls": [CALL, other]}
    assert [call.id for call in read_messages([message], strict=False)[0].tool_calls] == ["k1", "k2"]


def test_a_content_that_is_the_text_of_its_parts_is_read_as_parts() -> None:
    said = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": LOOK}]
    call = {"type": "tool_use", "id": "k1", "name": "FindTable", "input": ARGUMENTS}
    for written in (json.dumps([*said, call]), repr([*said, call])):
        read = read_messages([{"role": "assistant", "content": written}], strict=False)
        assert read == (talk()[1],)
    (found,) = read_messages([{"role": "user", "content": FOUND}], strict=False)
    assert found.content == FOUND


def test_a_tool_that_returned_null_returned_nothing() -> None:
    null = {"part_kind": "tool-return", "tool_name": "F", "tool_call_id": "k1", "content": None, "outcome": "success"}
    read = read_messages([{"kind": "request", "parts": [null]}], strict=False)
    assert read == (Message(role="tool", content="", tool_call_id="k1"),)


@pytest.mark.parametrize("request_", [7, None, True])
def test_a_request_that_is_none_is_refused(request_: Any) -> None:
    row = {"request": {"messages": request_}, "response": NONE}
    layout = layout_of(row)
    assert layout is not None
    with pytest.raises(ValueError, match="the keys messages is no message of the user"):
        layout.read(row, False, ReadingNotes())


def test_an_error_is_what_a_tool_returned_where_it_returned_nothing_else() -> None:
    failed = {"role": "tool", "tool_call_id": "k1", "content": "", "error": {"type": "timeout", "message": "Late."}}
    assert read_messages([failed], strict=False)[0].content == "Late."


def test_a_retry_of_a_reply_is_no_result_of_a_tool() -> None:
    retry = {"kind": "request", "parts": [{"part_kind": "retry-prompt", "content": "Call a tool.", "tool_name": None}]}
    assert read_messages([retry], strict=False) == (Message(role="user", content="Call a tool."),)


PLAIN = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": st.text()}),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.none() | st.text(min_size=1)},
        optional={
            "refusal": st.none(),
            "tool_calls": st.lists(
                st.fixed_dictionaries(
                    {
                        "id": st.text(min_size=1),
                        "type": st.just("function"),
                        "function": st.fixed_dictionaries(
                            {
                                "name": st.text(min_size=1),
                                "arguments": st.dictionaries(st.text(), st.integers() | st.text()).map(json.dumps),
                            }
                        ),
                    }
                ),
                max_size=1,
            ),
        },
    ),
    st.fixed_dictionaries(
        {"role": st.just("tool"), "content": st.text(), "tool_call_id": st.text(min_size=1)},
        optional={"name": st.text(min_size=1)},
    ),
)


@given(st.lists(PLAIN, max_size=4))
def test_plain_messages_are_read_as_the_strict_reading_does(messages: list[dict[str, Any]]) -> None:
    assert repr(read_messages(messages, strict=False)) == repr(read_messages(messages, strict=True))


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
