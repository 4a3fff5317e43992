"""A conversation that is written in any layout, and read back, is the same conversation."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data.records import Message, ToolCall
from harness.data.traces.read import read_traces
from support.trace_layouts import LAYOUTS, SYSTEM, lines

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="<>[]{}", exclude_categories=["Cc"]), min_size=1)
WORDS = TEXTS.map(str.strip).filter(bool)
NAMES = st.sampled_from(["FindTable", "book_2", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
RESULTS = WORDS | st.dictionaries(NAMES, VALUES, min_size=1, max_size=2).map(json.dumps)


@st.composite
def talks(draw: st.DrawFn) -> tuple[Message, ...]:
    """Return a conversation: requests, each with calls and their results before the reply."""
    ids = count(1)
    out: list[Message] = []
    for _ in range(draw(st.integers(1, 2))):
        out.append(Message(role="user", content=draw(WORDS)))
        for _ in range(draw(st.integers(0, 2))):
            id = f"k{next(ids)}"
            call = ToolCall(name=draw(NAMES), arguments=draw(st.dictionaries(NAMES, VALUES, max_size=2)), id=id)
            out.append(Message(role="assistant", content=draw(st.none() | WORDS), tool_calls=(call,)))
            out.append(Message(role="tool", content=draw(RESULTS), tool_call_id=id))
        out.append(Message(role="assistant", content=draw(WORDS)))
    return tuple(out)


@pytest.mark.parametrize("name", LAYOUTS)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(talk=talks())
def test_a_conversation_is_the_same_in_every_layout(name: str, talk: tuple[Message, ...], tmp_path: Path) -> None:
    layout, path = LAYOUTS[name], tmp_path / "traces.jsonl"
    path.write_text(lines(layout.write(talk)))
    (row,) = read_traces(path)
    assert row.problem is None
    assert row.conversation.messages == layout.as_read(talk)


def read(tmp_path: Path, *rows: Any) -> list[Any]:
    path = tmp_path / "traces.jsonl"
    path.write_text(lines(rows))
    return list(read_traces(path))


CALL = ToolCall(name="f", arguments={"city": "Ulm"}, id="k1")
TALK = (
    Message(role="user", content="A table"),
    Message(role="assistant", tool_calls=(CALL,)),
    Message(role="tool", content="[]", tool_call_id="k1"),
    Message(role="assistant", content="None."),
)


@pytest.mark.parametrize(
    "name",
    ["Responses", "Anthropic", "Anthropic, request and response", "Vertex AI request-response log", "ToolACE"],
)
def test_instructions_that_are_no_message_are_a_column(name: str, tmp_path: Path) -> None:
    (row,) = read(tmp_path, *LAYOUTS[name].write(TALK))
    assert row.columns["system"] == SYSTEM


@pytest.mark.parametrize(
    ("row", "notes"),
    [
        ({"output": {"role": "assistant", "content": "Another."}}, ["other-answer"]),
        ({"output": "None."}, []),
        ({"response": {"choices": [{"message": {"role": "assistant", "content": "None."}}]}}, []),
    ],
)
def test_an_answer_beside_messages_that_end_with_one_is_compared(
    row: dict[str, Any], notes: list[str], tmp_path: Path
) -> None:
    (said,) = read(tmp_path, {**LAYOUTS["OpenAI"].write(TALK)[0], **row})
    assert (said.conversation.messages, [one.check for one in said.findings]) == (TALK, notes)


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
SEEN: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "And this?"}, PICTURE]}


@pytest.mark.parametrize(
    "message",
    [
        SEEN,
        {"role": "user", "content": "And this?", "images": ["AA"]},
        {"role": "user", "parts": [{"inlineData": {"mimeType": "audio/wav", "data": "AA"}}]},
        {"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": "AA"}}]},
        {"role": "tool", "tool_call_id": "k9", "content": [{"type": "image", "source": {"data": "AA"}}]},
        {"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": "AA"}}}]},
    ],
)
def test_a_conversation_ends_before_a_picture_and_says_so(message: dict[str, Any], tmp_path: Path) -> None:
    (row,) = LAYOUTS["OpenAI"].write(TALK)
    (said,) = read(tmp_path, {"messages": [*row["messages"], message, {"role": "assistant", "content": "Nice."}]})
    assert said.conversation.messages == TALK
    (note,) = said.findings
    assert note.check == "media-left-out"
    assert "message 4" in note.problem
    assert "1 more" in note.problem


def test_a_conversation_that_begins_with_a_picture_cannot_be_read(tmp_path: Path) -> None:
    (good,) = LAYOUTS["OpenAI"].write(TALK)
    rows = read(tmp_path, good, {"messages": [SEEN, {"role": "assistant", "content": "Nice."}]})
    assert "only text can be learned from" in str(rows[1].problem)


def test_several_answers_and_several_calls_are_noted(tmp_path: Path) -> None:
    two = [{"type": "function", "id": n, "function": {"name": "f", "arguments": "{}"}} for n in "ab"]
    results = [{"role": "tool", "tool_call_id": n, "content": n} for n in "ba"]
    asked = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None, "tool_calls": two}, *results]
    choices = [{"message": {"role": "assistant", "content": text}} for text in ("One.", "Two.")]
    (row,) = read(tmp_path, {"request": {"messages": asked}, "response": {"choices": choices}})
    assert [one.check for one in row.findings] == ["alternatives-left-out", "several-calls-made"]
    contents = [message.content for message in row.conversation.messages if message.content]
    assert contents == ["Hi", "a", "b", "One."]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"input": "Hi", "output": 'data: {"choices": []}'}, "stream of pieces"),
        ({"input": "Hi", "output": {"choices": [{"delta": {"content": "x"}}]}}, "stream of pieces"),
        ({"request": {"messages": [], "history": []}, "response": "x"}, "nothing that was asked"),
        ({"input": {"messages": [SEEN], "calls": [{"name": "f", "args": {}}]}, "output": "x"}, "messages and calls"),
        ({"input": {"said": [1]}, "output": "x"}, "keys said"),
        ({"prompt": "Hi", "chosen": "x", "rejected": "y"}, "keys chosen, prompt, rejected"),
        ({"messages": [{"role": "assistant", "content": "<function=f>{}</function>"}]}, "<function= that is not read"),
        ({"messages": [{"role": "assistant", "content": "[TOOL_CALLS]f{}"}]}, "[TOOL_CALLS] that is not read"),
    ],
)
def test_what_is_not_read_is_refused_with_what_is_there(row: dict[str, Any], words: str, tmp_path: Path) -> None:
    (good,) = LAYOUTS["OpenAI"].write(TALK)
    assert words in str(read(tmp_path, good, row)[1].problem)


def test_questions_and_calls_of_xlam_are_a_turn(tmp_path: Path) -> None:
    answers = json.dumps([{"name": "f", "arguments": {"city": "Ulm"}}])
    tools = json.dumps([{"name": "f", "description": "d", "parameters": {"city": {"type": "str"}}}])
    (row,) = read(tmp_path, {"id": 0, "query": "A table", "answers": answers, "tools": tools})
    assert row.conversation.messages == TALK[:2]
    assert row.columns["tools"][0]["function"]["parameters"]["required"] == ["city"]


def test_responses_that_name_the_one_before_are_one_conversation(tmp_path: Path) -> None:
    def response(n: int, before: str | None, asked: Any, answered: Any) -> dict[str, Any]:
        return {"id": f"r{n}", "previous_response_id": before, "model": "m", "input": asked, "output": answered}

    def reply(text: str) -> list[Any]:
        return [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}]

    call = {"type": "function_call", "call_id": "k1", "name": "f", "arguments": '{"city": "Ulm"}'}
    result = {"type": "function_call_output", "call_id": "k1", "output": "[]"}
    rows = read(
        tmp_path,
        response(1, None, "A table", [call]),
        response(2, "r1", [result], reply("None.")),
        response(3, "r2", "Why?", reply("Full.")),
        response(4, "r2", "Well.", reply("Bye.")),
        response(9, "r8", "More", reply("No.")),
    )
    assert [row.conversation.id for row in rows] == ["r3", "r4", "r9"]
    assert rows[0].conversation.messages[:4] == TALK
    assert [row.conversation.messages[-1].content for row in rows[:2]] == ["Full.", "Bye."]
    assert "continues the response r8, which is not in the file" in str(rows[2].problem)
