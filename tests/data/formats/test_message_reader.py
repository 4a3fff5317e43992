"""One reader of messages: strict for the plain layout, or for whatever frameworks log; both agree where both read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.message_reader import read_messages
from harness.data.formats.messages import dump_message
from harness.data.formats.stage_rows import dump_dataset_row
from harness.data.records import Conversation, Message, ToolCall

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
CALLS = st.builds(ToolCall, name=st.text(min_size=1), arguments=st.dictionaries(st.text(), VALUES, max_size=3))
MESSAGES = st.lists(
    st.builds(Message, role=st.sampled_from(("system", "user", "assistant")), content=st.text())
    | st.builds(lambda call: Message(role="assistant", tool_calls=(call,)), CALLS)
    | st.builds(Message, role=st.just("tool"), content=st.text(), tool_call_id=st.text(min_size=1)),
    max_size=5,
).map(tuple)


@given(MESSAGES)
def test_what_is_written_reads_back_the_same_strictly_or_not(messages: tuple[Message, ...]) -> None:
    rows = [dump_message(message) for message in messages]
    assert read_messages(rows, strict=True) == read_messages(rows, strict=False) == messages


@given(MESSAGES)
def test_what_is_pushed_reads_back_the_same_as_it_is_and_as_parquet_has_it(messages: tuple[Message, ...]) -> None:
    """Columns of the type `Json()` are texts in Parquet."""
    rows = dump_dataset_row(Conversation(id="c", messages=messages, source=""), [])["messages"]
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    assert read_messages(rows, strict=True) == read_messages(rows, strict=False) == messages
    assert read_messages(texts, strict=True) == read_messages(texts, strict=False) == messages


@pytest.mark.parametrize("role", ["user", "system", "tool"])
@pytest.mark.parametrize("content", [None, "", "Hi"])
def test_a_call_of_somebody_else_than_the_assistant_is_refused(role: str, content: str | None) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "Find", "arguments": {}}}
    with pytest.raises(ValueError, match=f"a call stands in a message of the {role}"):
        read_messages([{"role": role, "content": content, "tool_calls": [call]}], strict=False)


LOOSE: dict[str, tuple[Any, Message]] = {
    "unknown role 'human'": ({"role": "human", "content": "Hi"}, Message(role="user", content="Hi")),
    "it has no role": ({"from": "gpt", "value": "Hi"}, Message(role="assistant", content="Hi")),
    "content must be text or null, got a list": (
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        Message(role="user", content="Hi"),
    ),
    'a call needs a "name"': (
        {"role": "assistant", "tool_calls": [{"function": "Find", "args": {"a": 1}}]},
        Message(role="assistant", tool_calls=(ToolCall(name="Find", arguments={"a": 1}),)),
    ),
}


@pytest.mark.parametrize("problem", LOOSE)
def test_what_only_frameworks_log_is_refused_strictly(problem: str) -> None:
    value, message = LOOSE[problem]
    assert read_messages([value], strict=False) == (message,)
    with pytest.raises(ValueError, match=problem):
        read_messages([value], strict=True)
