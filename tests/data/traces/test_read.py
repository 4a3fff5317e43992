"""Every layout gives the same conversations, and what cannot be read says so while the rest goes on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import dump_conversation, dump_message
from harness.data.formats.published import dump_row, dump_trace
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sample import sample_conversations
from harness.data.traces.read import layout, read_traces
from harness.errors import DataError

SAMPLE = sample_conversations(4)
CALL = {"id": "c1", "type": "function", "function": {"name": "Find", "arguments": '{"city": "Ulm"}'}}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "Anything open in Ulm?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "[]"},
    {"role": "assistant", "content": "Nothing, sorry."},
]
READ = (
    Message(role="user", content="Anything open in Ulm?"),
    Message(role="assistant", tool_calls=(ToolCall(name="Find", arguments={"city": "Ulm"}, id="c1"),)),
    Message(role="tool", content="[]", tool_call_id="c1"),
    Message(role="assistant", content="Nothing, sorry."),
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as JSON lines (or one text as it is) and return the path."""

    def write(*rows: Any, name: str = "traces.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


def only(path: Path) -> Conversation:
    (row,) = read_traces(path)
    assert row.problem is None, row.problem
    return row.conversation


def _openai(one: Conversation) -> dict[str, Any]:
    return {"messages": [dump_message(message) for message in one.messages]}


LAYOUTS: dict[str, Callable[[Conversation], Any]] = {
    "published rows (question and answer)": dump_row,
    "published traces (messages in a context)": lambda one: dump_trace(one, null_content=False, pandas=True),
    "messages": _openai,
    "messages under conversation": lambda one: {"conversation": _openai(one)["messages"]},
    "lists of messages": lambda one: _openai(one)["messages"],
}


@pytest.mark.parametrize("words", LAYOUTS)
def test_each_layout_gives_the_same_messages(write: Callable[..., Path], words: str) -> None:
    path = write(*map(LAYOUTS[words], SAMPLE))
    rows = list(read_traces(path, "mine"))
    assert layout(path) == words
    assert [row.conversation.messages for row in rows] == [one.messages for one in SAMPLE]
    assert [row.conversation.id for row in rows] == [f"mine-{position:04d}" for position in range(len(SAMPLE))]
    assert rows[1].conversation.source == "traces.jsonl:2"


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_like_lines_however_it_is_printed(write: Callable[..., Path], indent: int | None) -> None:
    path = write(json.dumps([_openai(one) for one in SAMPLE], indent=indent), name="traces.json")
    assert [row.conversation.messages for row in read_traces(path)] == [one.messages for one in SAMPLE]


def test_a_document_of_one_conversation_is_one_row(write: Callable[..., Path]) -> None:
    for indent in (None, 1):
        assert only(write(json.dumps(TALK, indent=indent), name="traces.json")).messages == READ
        assert only(write(json.dumps({"messages": TALK}, indent=indent), name="traces.json")).messages == READ


def test_rows_of_our_datasets_keep_id_source_and_the_columns_of_stages(write: Callable[..., Path]) -> None:
    row = {**dump_conversation(SAMPLE[0]), "relevance": 5, "kept": False, "reason": "too long"}
    (read,) = read_traces(write(row))
    assert read.conversation == SAMPLE[0]
    assert read.columns == {"relevance": 5, "kept": False, "reason": "too long"}
    assert not read.kept


def test_parquet_is_read_row_by_row(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{**dump_conversation(one), "kept": True} for one in SAMPLE]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "traces.parquet")
    assert [row.conversation for row in read_traces(tmp_path / "traces.parquet")] == list(SAMPLE)


def test_arguments_of_other_tools_that_a_struct_of_parquet_has_as_nulls_are_none(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    calls = [
        {"name": "Find", "arguments": {"city": "Ulm"}},
        {"name": "Book", "arguments": {"people": 0, "at": {"day": 3}}},
    ]
    rows = [{"messages": [TALK[0], *({"role": "assistant", "tool_calls": [call]} for call in calls)]}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "traces.parquet")
    read = only(tmp_path / "traces.parquet").messages
    assert [call.arguments for one in read for call in one.tool_calls] == [call["arguments"] for call in calls]


USED = {"type": "tool_use", "id": "c1", "name": "Find", "input": {"city": "Ulm"}}
CHOICES = {"choices": [{"message": TALK[3]}]}
EXCHANGES: dict[str, dict[str, Any]] = {
    "messages": {"messages": TALK[:3], "response": CHOICES, "model": "m"},
    "messages with a text": {"messages": TALK[:3], "completion": TALK[3]["content"]},
    "chat": {"request": {"model": "m", "messages": TALK[:3]}, "response": CHOICES},
    "chat as text": {
        "request": json.dumps({"messages": TALK[:3]}),
        "response": json.dumps(CHOICES),
    },
    "Responses": {
        "id": "resp_1",
        "input": [
            TALK[0],
            {"type": "function_call", "call_id": "c1", "name": "Find", "arguments": '{"city": "Ulm"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "[]"},
        ],
        "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Nothing, sorry."}]}
        ],
    },
    "Anthropic": {
        "request": {
            "system": "Help.",
            "messages": [
                TALK[0],
                {
                    "role": "assistant",
                    "content": [USED],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "[]"}]},
            ],
        },
        "response": {
            "role": "assistant",
            "content": [{"type": "text", "text": "Nothing, sorry."}],
            "stop_reason": "end_turn",
        },
    },
    "TRL": {"prompt": TALK[:3], "completion": [TALK[3]]},
}


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_request_and_its_response_are_one_conversation(write: Callable[..., Path], name: str) -> None:
    assert only(write(EXCHANGES[name])).messages == READ


def test_an_answer_beside_messages_that_end_with_one_is_not_read_twice(write: Callable[..., Path]) -> None:
    assert only(write({"messages": TALK, "output": "Nothing, sorry."})).messages == READ


def test_other_names_of_roles_parts_and_calls_are_understood(write: Callable[..., Path]) -> None:
    """Of frameworks that log what they send: developer, human, function, parts, arguments as objects."""
    plain = {"name": "Find", "arguments": {"city": "Ulm"}}
    used = {"type": "tool_use", "id": "c1", "name": "Find", "input": {"city": "Ulm"}}
    spellings: list[list[dict[str, Any]]] = [
        [
            {"role": "human", "content": [{"type": "text", "text": one} for one in ("Anything ", "open in Ulm?")]},
            {"role": "AI", "content": "", "tool_calls": [{"name": "Find", "args": {"city": "Ulm"}, "id": "c1"}]},
            {"role": "function", "tool_call_id": "c1", "content": []},
            {"role": "agent", "content": [{"type": "output_text", "text": "Nothing, sorry."}]},
        ],
        [
            {"from": "customer", "value": TALK[0]["content"]},
            {"from": "bot", "value": "", "tool_calls": [{"id": "c1", "function": plain}]},
            {"from": "observation", "value": "[]", "tool_call_id": "c1"},
            {"from": "gpt", "value": "Nothing, sorry."},
        ],
        [
            TALK[0],
            {"type": "function_call", "call_id": "c1", "name": "Find", "arguments": '{"city": "Ulm"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "[]"},
            TALK[3],
        ],
        [
            TALK[0],
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}, used]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "[]"}]},
            TALK[3],
        ],
    ]  # fmt: skip
    for messages in spellings:
        key = "conversations" if "from" in messages[0] else "messages"
        assert only(write({key: messages})).messages == READ, messages


def test_parallel_calls_become_one_after_another_only_where_all_results_are_there(write: Callable[..., Path]) -> None:
    """In the order of the calls, whatever the order of the results; each call keeps its own result."""
    calls = [{**CALL, "id": f"c{n}"} for n in range(3)]
    results = [{"role": "tool", "tool_call_id": f"c{n}", "content": f'["{n}"]'} for n in (2, 0, 1)]
    asked = {"role": "assistant", "content": "Looking.", "tool_calls": calls}
    read = only(write({"messages": [TALK[0], asked, *results, TALK[3]]})).messages
    assert [message.role for message in read] == ["user", *["assistant", "tool"] * 3, "assistant"]
    assert (
        [read[n].tool_calls[0].id for n in (1, 3, 5)] == [read[n].tool_call_id for n in (2, 4, 6)] == ["c0", "c1", "c2"]
    )
    assert [read[n].content for n in (1, 3, 5)] == ["Looking.", None, None]
    for left in (results[:2], [*results[:2], results[0]], [results[0], TALK[0], results[1]]):
        read = only(write({"messages": [TALK[0], asked, *left]})).messages
        assert len(read[1].tool_calls) == 3
        assert len(read) == 2 + len(left)


def calling(*calls: Any) -> dict[str, Any]:
    """Return a row in which the agent makes calls."""
    return {"messages": [TALK[0], {"role": "assistant", "tool_calls": list(calls)}]}


BAD: dict[str, Any] = {
    "message 0: unknown role 'robot'": {"messages": [{"role": "robot", "content": "Hi"}]},
    "message 0: it has no role": {"messages": [{"content": "Hi"}]},
    "message 0: expected an object with a role and content, got text": {"messages": ["Hi"]},
    "message 1: the arguments of the call of Find are a list": calling({"name": "Find", "arguments": "[1]"}),
    "message 1: the arguments of the call of Find are not valid JSON": calling({"name": "Find", "arguments": "{city"}),
    'message 1: a call needs a "name"': calling({"function": {}}),
    "message 0: tool_calls must be a list": {"messages": [{"role": "assistant", "tool_calls": {"name": "Find"}}]},
    "part of type 'image_url' is no text": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "half a character": '{"messages": [{"role": "user", "content": "\\ud83d"}]}\n',
    '"messages" must hold a list of messages, got a number': {"messages": 3},
    '"context" is not valid JSON': {"context": "{"},
    '"answer" must be text, got null': {"question": "[]", "answer": None},
    "got keys text; expected": {"text": "Hi"},
    "got a number; expected": "7\n",
    "not valid JSON": "{...}\n",
    'the "id" must be text or a number': {"id": [], "messages": TALK},
}  # fmt: skip


@pytest.mark.parametrize("words", BAD)
def test_a_row_that_cannot_be_read_says_why_and_the_rest_goes_on(write: Callable[..., Path], words: str) -> None:
    rows = list(read_traces(write({"messages": TALK}, BAD[words], {"messages": TALK})))
    assert [row.problem is None for row in rows] == [True, False, True]
    assert "traces.jsonl, line 2: " in str(rows[1].problem)
    assert words in str(rows[1].problem)
    assert not rows[1].conversation.messages


def test_a_file_without_a_readable_row_is_an_error(write: Callable[..., Path], tmp_path: Path) -> None:
    robot = {"messages": [{"role": "robot"}]}
    cases = {
        "is empty; expected JSON": write("\n"),
        r"has no rows; expected": write("[]", name="empty.json"),
        r"line 1: message 0: unknown role 'robot'.*\(and 1 more rows": write(*[robot] * 2, name="b"),
        r"line 2: not valid JSON \(.*cut off": write('[\n{"messages": [', name="cut.json"),
        "cannot read": tmp_path / "nothing.jsonl",
    }  # fmt: skip
    for words, path in cases.items():
        with pytest.raises(DataError, match=words):
            list(read_traces(path))


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    whole = tmp_path / "whole.eval"
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "samples/1_epoch_1.json", json.dumps({"id": 1, "epoch": 1, "input": "Hi", "messages": TALK * 50})
        )
    assert len(only(whole).messages) == 200
    data = bytearray(whole.read_bytes())
    data[60:80] = b"x" * 20
    for name, content in {"cut.eval": data[: len(data) // 2], "bits.eval": data}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="is damaged"):
            list(read_traces(tmp_path / name))


def test_two_rows_with_one_id_are_an_error_that_names_both(write: Callable[..., Path]) -> None:
    path = write({"id": "a", "messages": TALK}, {"id": "b", "messages": TALK}, {"id": "a", "messages": TALK})
    with pytest.raises(DataError, match=r"lines 1 and 3: both rows have the id 'a'; give each its own"):
        list(read_traces(path))


def test_separators_controls_and_huge_messages_are_text(write: Callable[..., Path]) -> None:
    text = "a\u2028b\u2029c\u0085d\x00e\x1b[31m" + "x" * 5_000_000
    for name in ("traces.jsonl", "traces.json"):
        rows = [{"messages": [{"role": "user", "content": text}, TALK[3]]}, {"messages": TALK}]
        listed = json.dumps(rows, ensure_ascii=False)
        path = (
            write(listed, name=name)
            if name.endswith("json")
            else write(*(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        )
        first, second = read_traces(path)
        assert first.conversation.messages[0].content == text
        assert second.conversation.messages == READ


def test_a_byte_order_mark_is_no_text(write: Callable[..., Path]) -> None:
    assert only(write("\ufeff" + json.dumps({"messages": TALK}) + "\n")).messages == READ
    assert only(write("\ufeff" + json.dumps([{"messages": TALK}]), name="traces.json")).messages == READ


def test_the_published_files_are_read_as_by_the_strict_reader(sources: Path) -> None:
    from harness.data.formats.published import read_test_conversations

    path = sources / "tft-benchmark" / "test.jsonl"
    assert [row.conversation for row in read_traces(path, "test")] == read_test_conversations(path)


ODD: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "",
    "[",
    "attachment://a",
    [],
    [[]],
    [None],
    {},
    {"a": 1},
    {"type": ["x"]},
    10**20,
]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"id": 1, "epoch": 1, "input": "Hi", "messages": TALK, "attachments": {"a": "b"}}, "attachments"),
        ({"id": "t", "name": "n", "input": TALK, "output": {"content": "x"}, "timestamp": "2026"}, "output"),
        ({"id": "o", "traceId": "t", "type": "GENERATION", "input": TALK, "output": "x", "tool_calls": [1]}, "output"),
        ({"messages": TALK}, "messages"),
    ],
)
def test_a_row_with_any_value_in_a_place_is_read_or_refused(write: Callable[..., Path], row: Any, key: str) -> None:
    rows = list(
        read_traces(write({"messages": TALK}, *({**row, key: odd, "id": f"r{n}"} for n, odd in enumerate(ODD))))
    )
    assert rows


def test_a_text_that_stands_aside_once_is_not_put_in_without_end(write: Callable[..., Path]) -> None:
    said = {"role": "user", "content": "attachment://a"}
    sample = {"id": 1, "epoch": 1, "input": "", "attachments": {"a": "x" * 1_000_000}, "messages": [said] * 100}
    few, many = read_traces(write({**sample, "messages": [said] * 50}, {**sample, "id": 2}))
    assert few.problem is None
    assert "its attachments unfold to more than 64 MiB" in str(many.problem)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_of_methods_that_unfold_at_once_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.eval", "w", method) as archive:
        archive.writestr("samples/1.json", "{}")
    with pytest.raises(DataError, match="packed by a method that no Inspect log uses"):
        list(read_traces(tmp_path / "a.eval"))
