"""What `tft export` writes is read back as the same conversations, and what a format does not hold is counted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.formats.message_reader import read_messages
from harness.data.formats.reading_notes import ADVICE, MEDIA
from harness.data.formats.training_rows import AS_TEXT, CUT, GIVEN_IDS, TEXT_BESIDE, UNANSWERED, WRITERS
from harness.data.pipeline_records import Finding, TraceRow
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.data.traces.read import read_traces
from harness.data.training_files import NO_TOOLS, REPLACED, Instructions, export
from harness.errors import CheckFailed, UsageError

TOOLS = [dict(tool) for tool in sample_task().tools]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<[{"), min_size=1).filter(str.strip)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 40), 1 << 40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Turns of a user, each answered in words or by calls one after another, each with its result."""
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 3))):
        messages.append(Message(role="user", content=draw(TEXTS)))
        for number in range(draw(st.integers(0, 2))):
            arguments = draw(st.dictionaries(TEXTS, VALUES, max_size=3))
            call = ToolCall(name=draw(st.sampled_from(["find", "book"])), arguments=arguments, id=f"c{turn}-{number}")
            messages.append(Message(role="assistant", tool_calls=(call,)))
            messages.append(Message(role="tool", content=json.dumps(draw(VALUES)), tool_call_id=call.id))
        messages.append(Message(role="assistant", content=draw(TEXTS)))
    return Conversation(id=f"c{draw(st.integers(0, 999))}", messages=tuple(messages), source="drawn")


def _without_ids(messages: tuple[Message, ...]) -> list[Message]:
    return [replace(message, tool_call_id=None) for message in messages]


@given(conversations(), st.sampled_from(sorted(WRITERS)))
@settings(max_examples=150)
def test_a_row_of_every_format_is_read_back_as_the_same_conversation(one: Conversation, kind: str) -> None:
    written = json.loads(json.dumps(WRITERS[kind](one, TOOLS, notes := Counter())))
    if kind == "sts":
        found = read_messages([line["message"] for line in written[1:]], strict=False)
    else:
        key = "conversations" if kind == "sharegpt" else "messages"
        found = read_messages(written[key], strict=False)
    if kind == "sharegpt":  # which has no ids
        assert _without_ids(found) == _without_ids(one.messages)
    else:
        assert found == one.messages
    assert set(+notes) <= {AS_TEXT}


def _rows(*found: Conversation, **columns: Any) -> list[TraceRow]:
    return [TraceRow(conversation=one, columns=columns) for one in found]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("kind", ["trl", "openai", "sharegpt"])
def test_a_file_is_read_back_with_its_tools(kind: str, suffix: str, tmp_path: Path) -> None:
    call = ToolCall(name="act", arguments={"a": None, "b": 0.1234567890123, "c": {}, "d": 1 << 70}, id="1")
    messages = (
        Message(role="user", content="Do it \u2028 now."),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content="[]", tool_call_id="1"),
        Message(role="assistant", content="Done."),
    )
    every = [*sample_conversations(3), Conversation(id="odd", messages=messages, source="")]
    path = tmp_path / f"out.{suffix}"
    counts = export(_rows(*every, tools=TOOLS), kind, path)
    assert counts.written == 4
    assert counts.notes == {"trl": {AS_TEXT: 1}, "openai": {UNANSWERED: 3}}.get(kind, {})
    found = list(read_traces(path))
    assert [_without_ids(row.conversation.messages) for row in found] == [_without_ids(one.messages) for one in every]
    assert all(row.columns["tools"] == TOOLS for row in found)
    assert kind == "openai" or [row.conversation.id for row in found] == [one.id for one in every]


def test_sessions_are_a_file_each_as_the_hubs_viewer_reads_them(tmp_path: Path) -> None:
    every = [replace(one, id=f"../{one.id}/\u2603") for one in sample_conversations(3)]
    assert export(_rows(*every, tools=TOOLS), "sts", tmp_path / "out").written == 3
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == 3
    found = [row for file in files for row in read_traces(file)]
    assert [(row.conversation.id, row.conversation.messages) for row in found] == [
        (one.id, one.messages) for one in every
    ]
    assert all(row.columns["tools"] == TOOLS for row in found)
    header, *lines = map(json.loads, files[0].read_text(encoding="utf-8").splitlines())
    assert header["type"] == "session"
    assert header["id"] == every[0].id
    assert {"harness", "tools"} < header.keys()
    assert {line["type"] for line in lines} == {"message"}
    assert all("content" in line["message"] for line in lines)
    with pytest.raises(UsageError, match="new or empty folder"):
        export(_rows(*every), "sts", tmp_path / "out")


def test_what_a_format_does_not_hold_is_counted() -> None:
    user, reply = Message(role="user", content="a"), Message(role="assistant", content="b")
    calls = (ToolCall(name="f", arguments={}), ToolCall(name="g", arguments={"x": 1}))
    said = Message(role="assistant", content="Let me see.", tool_calls=calls)
    system = Message(role="system", content="s")

    def written(kind: str, *messages: Message) -> tuple[Any, dict[str, int]]:
        notes: Counter[str] = Counter()
        row = WRITERS[kind](Conversation(id="c", messages=messages, source=""), [], notes)
        return row, {note: number for note, number in notes.items() if number}

    row, notes = written("sharegpt", system, user, said, user)
    assert notes == {TEXT_BESIDE: 1, CUT: 1}
    assert (row["system"], [turn["from"] for turn in row["conversations"]]) == ("s", ["human", "function_call"])
    assert written("sharegpt", user, reply)[0].keys() == row.keys()  # LLaMA-Factory asks each row for every column
    assert [call["name"] for call in json.loads(row["conversations"][1]["value"])] == ["f", "g"]
    for odd in ((user, user, reply), (reply,), (user, reply, system, user, reply), (user,)):
        with pytest.raises(ValueError, match=r"roles do not alternate|no turn of the assistant"):
            written("sharegpt", *odd)
    with pytest.raises(ValueError, match="no turn of the assistant"):
        written("openai", user)
    row, notes = written("openai", user, said, user, reply)
    assert notes == {GIVEN_IDS: 2, UNANSWERED: 1}
    results = [Message(role="tool", content="1"), Message(role="tool", content="2")]
    row, notes = written("openai", user, said, *results, reply)
    assert notes == {GIVEN_IDS: 2}
    assert [one["tool_call_id"] for one in row["messages"][2:4]] == [
        call["id"] for call in row["messages"][1]["tool_calls"]
    ]


def test_a_task_speaks_in_place_of_the_rows(tmp_path: Path) -> None:
    one = sample_conversations(1)[0]
    own = replace(one, messages=(Message(role="system", content="own"), *one.messages))
    rows = [*_rows(one, own), *_rows(one, kept=False), TraceRow(conversation=one, problem="line 4: broken")]
    counts = export(rows, "trl", tmp_path / "out.jsonl", Instructions(system="the task's", tools=TOOLS))
    assert counts.as_dict() == {
        "written": 2,
        "left_out": {"rejected by an earlier stage": 1, "rows that cannot be read": 1},
        "notes": {REPLACED: 1},
        "first_problem": "line 4: broken",
    }
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["messages"][0] == {"role": "system", "content": "the task's"}
        assert [message["role"] for message in row["messages"]].count("system") == 1
        assert row["tools"] == TOOLS
    noted = [TraceRow(conversation=one, findings=tuple([Finding(check=MEDIA, severity="note", problem="a")] * 2))]
    assert export(noted, "trl", tmp_path / "noted.jsonl").notes == {NO_TOOLS: 1, ADVICE[MEDIA][0]: 1}
    said = export(_rows(one, system="said elsewhere"), "trl", tmp_path / "said.jsonl")
    assert said.notes == {NO_TOOLS: 1}
    assert "said elsewhere" in (tmp_path / "said.jsonl").read_text()


def test_nothing_is_written_where_nothing_can_be(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="rejected by an earlier stage: 1"):
        export(_rows(sample_conversations(1)[0], kept=False), "trl", tmp_path / "out.jsonl")
    for place, kind in (("out.csv", "trl"), ("out", "openai"), ("out.jsonl", "sts")):
        with pytest.raises(UsageError, match="out"):
            export([], kind, tmp_path / place)
    assert not list(tmp_path.iterdir())


def test_a_job_folder_is_written_with_its_task_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from harness.benchmark.sample_job import write_job
    from harness.cli.__main__ import tft

    job = tmp_path / "job"
    write_job(job, traces=4, test=2)
    with (job / "traces.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"strange": 1}\n')
    words = ["export", str(job), "--format", "sharegpt", "--out", str(tmp_path / "out.jsonl")]
    done = CliRunner().invoke(tft, words)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out.jsonl'}  4 conversations\n"
    assert "left out, rows that cannot be read: 1" in done.stderr
    assert "got keys strange" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all("restaurant" in row["system"] for row in rows)
    assert [tool["name"] for tool in json.loads(rows[0]["tools"])] == [tool["function"]["name"] for tool in TOOLS]
    assert CliRunner().invoke(tft, [*words[:-1], str(tmp_path / "out.txt")]).exit_code != 0
    traces = (job / "traces.jsonl").read_bytes()
    assert isinstance(CliRunner().invoke(tft, [*words[:-1], str(job / "traces.jsonl")]).exception, UsageError)
    assert (job / "traces.jsonl").read_bytes() == traces
