"""The published layouts: what is written reads back, and what cannot be read is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.calls import parse_answer
from harness.data.formats.messages import dump_conversation, expand_pairs
from harness.data.formats.published import (
    dump_row,
    dump_trace,
    read_test_conversations,
)
from harness.data.formats.row_layouts import parse_row
from harness.data.formats.task import dump_task, read_task
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.traces.read import read_traces
from harness.errors import DataError
from harness.models.parsing import canonical


def _conversations(ends: st.SearchStrategy[Message]) -> st.SearchStrategy[Conversation]:
    bodies = st.lists(st.one_of(_calls(), _users()), max_size=4)
    return st.builds(
        lambda body, end: Conversation(id="row-0000", messages=(*body, end), source="x.jsonl:1"), bodies, ends
    )


def _calls() -> st.SearchStrategy[Message]:
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
        max_leaves=4,
    )
    calls = st.builds(
        lambda name, arguments: ToolCall(name=name, arguments=arguments, id="call_0"),
        st.text(min_size=1),
        st.dictionaries(st.text(), values, max_size=3),
    )
    turns = st.lists(calls, min_size=1, max_size=3)
    return turns.map(lambda several: Message(role="assistant", tool_calls=tuple(several)))


def _users() -> st.SearchStrategy[Message]:
    plain = st.text().filter(lambda text: not parse_answer(text))
    return plain.map(lambda text: Message(role="user", content=text))


@given(conversation=_conversations(_calls() | _users()), null_content=st.booleans(), pandas=st.booleans())
def test_both_layouts_give_back_the_conversation_they_were_written_from(
    conversation: Conversation, null_content: bool, pandas: bool
) -> None:
    trace = dump_trace(conversation, null_content=null_content, pandas=pandas)
    for line in (trace, dump_row(conversation), json.dumps(dump_conversation(conversation)) + "\n"):
        assert line.isascii()
        assert line.count("\n") == 1
        assert parse_row(json.loads(line), id="row-0000", source="x.jsonl:1") == conversation


def test_the_published_test_set_reads_as_34_conversations_and_359_pairs(sources: Path) -> None:
    path = sources / "tft-benchmark/test.jsonl"
    conversations = read_test_conversations(path)
    assert (conversations[0].id, conversations[-1].source) == ("test-0000", "test.jsonl:34")
    assert len(expand_pairs(conversations)) == 359
    assert "".join(map(dump_row, conversations)) == path.read_text()


def test_the_published_predictions_read_as_conversations_with_a_call_at_their_end(sources: Path) -> None:
    rows = list(read_traces(sources / "tft-benchmark/predictions/base.jsonl"))
    assert len(rows) == 78
    assert all(row.problem is None and row.conversation.messages[-1].tool_calls for row in rows)


def test_a_call_is_read_plain_or_in_tags() -> None:
    call = ToolCall(name="f", arguments={"a": "1"})
    assert parse_answer('{"name": "f", "parameters": {"a": "1"}}') == (call,)
    assert parse_answer('<tool_call>\n{"name": "f", "arguments": {"a": "1"}}\n</tool_call>') == (call,)
    for text in ("Hello", '[{"name": "f"}]', '{"name": "f"}', "<tool_call>{</tool_call>", "[" * 100_000, ""):
        assert parse_answer(text) == ()


def test_several_calls_are_read_from_a_list_or_elements_with_anything_in_their_texts() -> None:
    calls = [
        ToolCall(name="f", arguments={"a": text}) for text in ("1", "</tool_call>", '<tool_call>{"name": "g"}', "1")
    ]
    plain = [{"name": one.name, "parameters": one.arguments} for one in calls]
    assert parse_answer(json.dumps(plain)) == parse_answer(f" {canonical(*calls)}\n") == tuple(calls)
    for text in (
        json.dumps([*plain, {"name": "f"}]),
        json.dumps([*plain, 3]),
        f"{canonical(*calls)}<tool_call>{{</tool_call>",
        f"{canonical(*calls)} and {canonical(*calls)}",
        "<tool_call>" + "</tool_call>" * 100_000,
    ):
        assert parse_answer(text) == ()


GOOD_ROW = {"question": '[{"role": "user", "content": "hi"}]', "answer": '{"name": "f", "parameters": {}}'}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected a JSON object"),
        ("{}", 'got keys (none); expected "question" and "answer", "messages" or "context"'),
        (json.dumps({**GOOD_ROW, "question": "["}), '"question" is not valid JSON'),
        (json.dumps({**GOOD_ROW, "question": "{}"}), '"question" must hold a list of messages'),
        (
            json.dumps({**GOOD_ROW, "question": "[3]"}),
            "message 0: expected an object with a role and content, got a number",
        ),
        (json.dumps({**GOOD_ROW, "question": '[{"role": "robot"}]'}), "message 0: unknown role"),
        (
            json.dumps({**GOOD_ROW, "question": '[{"role": "user", "tool_calls": [3]}]'}),
            "message 0: a call must be an object with name and arguments, got a number",
        ),
        (json.dumps({**GOOD_ROW, "question": "[" * 100_000}), "nested too deeply"),
        (json.dumps({**GOOD_ROW, "answer": None}), '"answer" must be text'),
        (json.dumps({**GOOD_ROW, "answer": "Sure."}), 'the "answer" is not a tool call'),
        (json.dumps({"context": "3"}), '"context" must hold an object'),
        (json.dumps({"context": "{}"}), '"messages" must hold a list'),
        (json.dumps({"messages": [{"role": "user", "content": "hi"}]}), "has no assistant call"),
        (json.dumps({"messages": [], "id": 3}), '"id" and "source" must be text'),
    ],
)
def test_a_malformed_line_is_named_by_file_line_and_problem(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(GOOD_ROW)}\n{line}\n")
    with pytest.raises(DataError) as error:
        read_test_conversations(path)
    assert f"{path}, line 2: " in str(error.value)
    assert problem in str(error.value)


def test_an_empty_test_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n")
    with pytest.raises(DataError, match="has no rows"):
        read_test_conversations(tmp_path / "rows.jsonl")


def test_a_row_layout_cannot_hold_an_empty_conversation_or_a_last_plain_reply() -> None:
    reply = Message(role="assistant", content="Bye")
    for messages in ((), (reply,)):
        with pytest.raises(DataError, match="conversation c"):
            dump_row(Conversation(id="c", messages=messages, source=""))


def test_the_published_task_is_read(sources: Path) -> None:
    task = read_task(sources / "tft-benchmark/job_description.json")
    names = [tool["function"]["name"] for tool in task.tools]
    assert names == ["respond_to_user", "ReserveRestaurant", "FindRestaurants"]
    assert task.rubric
    assert task.system_template is None


def test_a_task_needs_its_description_and_tools_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "job_description.json"
    good = {"task_description": "Help.", "tools": [{"name": "f", "parameters": {}}], "future_key": 1}
    path.write_text(json.dumps(good))
    assert read_task(path).tools == ({"type": "function", "function": {"name": "f", "parameters": {}}},)
    bad = [
        {},
        [],
        {**good, "tools": []},
        {**good, "tools": [{}]},
        {**good, "task_description": 3},
        {**good, "tools": 3},
    ]
    for document in bad:
        path.write_text(json.dumps(document))
        with pytest.raises(DataError, match=r"job_description\.json"):
            read_task(path)
    with pytest.raises(DataError, match="cannot read"):
        read_task(tmp_path / "none.json")


def test_a_task_that_is_written_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "job_description.json"
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    for rubric, template in ((None, None), ("Be kind.", None), (None, "You are: {task_description}"), ("R", "T")):
        task = Task(description="Help.", tools=(tool,), rubric=rubric, system_template=template)
        path.write_text(json.dumps(dump_task(task)))
        assert read_task(path) == task
        assert None not in dump_task(task).values()
