"""Langfuse exports and Inspect logs give whole conversations, each once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import Message, ToolCall
from harness.data.traces.json_document import FileRecord
from harness.data.traces.langfuse import LangfuseReader
from harness.data.traces.read import layout, read_traces

CALL = {"id": "c1", "type": "function", "function": {"name": "Find", "arguments": '{"city": "Ulm"}'}}
ASKED: dict[str, Any] = {"role": "user", "content": "Anything open in Ulm?"}
CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FOUND: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "[]"}
SAID: dict[str, Any] = {"role": "assistant", "content": "Nothing, sorry."}
READ = (
    Message(role="user", content="Anything open in Ulm?"),
    Message(role="assistant", tool_calls=(ToolCall(name="Find", arguments={"city": "Ulm"}, id="c1"),)),
    Message(role="tool", content="[]", tool_call_id="c1"),
    Message(role="assistant", content="Nothing, sorry."),
)


def generation(trace: str, asked: Any, said: Any, **more: Any) -> dict[str, Any]:
    """Return an observation as the API gives it."""
    return {
        "id": f"o-{trace}-{len(str(asked))}",
        "traceId": trace,
        "type": "GENERATION",
        "input": asked,
        "output": said,
        **more,
    }


STEPS = [generation("t", [ASKED], CALLED), generation("t", [ASKED, CALLED, FOUND], SAID)]
SPAN = {**generation("t", {"city": "Ulm"}, "[]"), "type": "SPAN", "name": "Find"}
SNAKE = [{key.replace("traceId", "trace_id"): value for key, value in one.items()} for one in STEPS]
EXPORTS: dict[str, Any] = {
    "observations, each with all that was said before": [STEPS[1], SPAN, STEPS[0]],
    "observations of a blob storage, JSON inside as text": [
        {**one, "input": json.dumps(one["input"]), "output": json.dumps(one["output"])} for one in SNAKE
    ],
    "a page of the API": {"data": [*STEPS, SPAN], "meta": {"page": 1}},
    "a trace with its observations": {"trace": {"id": "t"}, "observations": [*STEPS, SPAN], "scores": []},
    "a trace as the old API gives it": [
        {"id": "t", "timestamp": "2026-01-01", "input": {}, "output": {}, "observations": STEPS}
    ],
    "traces with all messages": [
        {"id": "t", "timestamp": "2026-01-01", "input": {"messages": [ASKED, CALLED, FOUND]}, "output": SAID}
    ],
    "traces whose output repeats the input": [
        {"id": "t", "timestamp": "2026-01-01", "input": [ASKED], "output": {"messages": [ASKED, CALLED, FOUND, SAID]}}
    ],
    "completions as the API of the model returns them": [
        generation("t", {"model": "m", "messages": [ASKED, CALLED, FOUND]}, {"choices": [{"message": SAID}]})
    ],
}  # fmt: skip


@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_of_langfuse_gives_the_conversation_once(tmp_path: Path, name: str, lines: bool) -> None:
    export, path = EXPORTS[name], tmp_path / "traces.json"
    rows = export if isinstance(export, list) else [export]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) if lines else json.dumps(export, indent=1))
    (row,) = read_traces(path)
    assert (row.problem, row.conversation.messages, row.conversation.id) == (None, READ, "t")
    assert layout(path).startswith("observations (Langfuse")


def test_turns_of_one_session_are_one_conversation_and_others_stay_apart(tmp_path: Path) -> None:
    """A chat agent logs a trace a turn, with the history in each; two agents in one trace are two conversations."""
    history = [ASKED, SAID, {"role": "user", "content": "And Bonn?"}]
    other = [{"role": "system", "content": "You rank places."}, {"role": "user", "content": "Ulm, Bonn"}]
    rows = [
        generation("t1", [ASKED], SAID, sessionId="s"),
        generation("t2", history, SAID, sessionId="s"),
        generation("t2", other, SAID, sessionId="s"),
        generation("t3", [ASKED], SAID),
    ]
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = list(read_traces(path))
    assert [row.conversation.id for row in read] == ["t2", "t2-2", "t3"]
    assert [len(row.conversation.messages) for row in read] == [4, 3, 2]


def test_texts_alone_are_a_user_and_an_agent(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    path.write_text(json.dumps([{"id": "t", "timestamp": "now", "input": {"query": "Hi"}, "output": "Hello"}]))
    (row,) = read_traces(path)
    assert row.conversation.messages == (Message(role="user", content="Hi"), Message(role="assistant", content="Hello"))


def test_what_an_export_holds_besides_is_a_problem_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    rows = [STEPS[1], {"score": 1}, generation("u", [{"role": "robot", "content": "Hi"}], SAID)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems = [row.problem for row in read_traces(path)]
    assert problems[0] is None
    assert "line 2: got an object that is no trace" in str(problems[1])
    assert "line 3: message 0: unknown role 'robot'" in str(problems[2])


@pytest.mark.parametrize("form", ["eval", "json"])
def test_a_log_that_inspect_wrote_gives_its_samples(tmp_path: Path, form: str) -> None:
    """The archive is compressed in a way that Python itself may not know; long texts stand aside as attachments."""
    log_module = pytest.importorskip("inspect_ai.log")
    model = pytest.importorskip("inspect_ai.model")
    tool = pytest.importorskip("inspect_ai.tool")
    call = tool.ToolCall(id="c1", function="Find", arguments={"city": "Ulm"})
    messages = [
        model.ChatMessageUser(content="Anything open in Ulm?"),
        model.ChatMessageAssistant(content="", tool_calls=[call]),
        model.ChatMessageTool(content="[]", tool_call_id="c1", function="Find"),
        model.ChatMessageAssistant(
            content=[model.ContentReasoning(reasoning="Hm."), model.ContentText(text="Nothing, sorry.")]
        ),
    ]
    samples = [
        log_module.EvalSample(id=name, epoch=1, input="Anything open in Ulm?", target="", messages=messages)
        for name in "ab"
    ]
    spec = log_module.EvalSpec(
        created="2026-01-01T00:00:00+00:00",
        task="t",
        dataset=log_module.EvalDataset(),
        model="m",
        config=log_module.EvalConfig(),
    )
    path = tmp_path / f"traces.{form}"
    log_module.write_eval_log(log_module.EvalLog(eval=spec, samples=samples, status="success"), str(path), format=form)
    rows = list(read_traces(path))
    assert [row.conversation.id for row in rows] == ["a", "b"]
    assert [row.conversation.messages for row in rows] == [READ, READ]
    assert layout(path) == "samples of an Inspect log"


def test_a_trace_whose_observations_are_null_is_read_by_its_own_input(tmp_path: Path) -> None:
    nulls = [
        {"id": f"o{n}", "type": kind, "input": None, "output": None} for n, kind in enumerate(("GENERATION", "SPAN"))
    ]
    trace = {"id": "t1", "timestamp": "2026-01-01", "input": json.dumps({"messages": [ASKED, CALLED, FOUND]})}
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"trace": {**trace, "output": json.dumps(SAID)}, "observations": nulls}))
    (row,) = read_traces(path)
    assert (row.problem, row.conversation.messages) == (None, READ)


def test_what_an_export_says_beside_the_messages_becomes_columns(tmp_path: Path) -> None:
    """LangChain's handler logs the definitions of tools as messages; they are no results, and they say the tools."""
    tool = {"type": "function", "function": {"name": "Find", "parameters": {"type": "object", "properties": {}}}}
    about = {"sessionId": "s", "userId": "u", "model": "m", "startTime": "2026-11-01T10:00:00+01:00"}
    failed = {"level": "ERROR", "statusMessage": "The tool timed out."}
    row = generation("t", [ASKED, {"role": "tool", "content": tool}, CALLED, FOUND], SAID, **about, **failed)
    earlier = generation("t", [ASKED], CALLED, **{**about, "startTime": "2026-11-01T08:00:00Z"})
    named = generation("v", [ASKED], SAID, tool_definitions={"Find": json.dumps(tool["function"])})
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in (row, earlier, named)))
    first, second = read_traces(path)
    assert first.conversation.messages == READ
    assert first.columns == {
        **{"tools": [tool], "model": "m", "time": "2026-11-01T08:00:00Z", "session_id": "s", "user_id": "u"},
        "error": "The tool timed out.",
    }
    assert second.columns["tools"] == [tool]


def test_observations_that_others_continue_are_dropped_while_a_file_is_read() -> None:
    """Whatever came first, and however few are held at once."""
    written = [
        generation(f"t{number}", asked, said, sessionId=f"s{number}", startTime=f"2026-11-01T{hour}:00:00Z")
        for asked, said, hour in (([ASKED, CALLED, FOUND], SAID, 11), ([ASKED], CALLED, 10))
        for number in range(20)
    ]
    found = []
    for at_once in (1, 7, 100):
        for rows in (written, written[::-1]):
            reader = LangfuseReader(at_once)
            assert all(reader.add(FileRecord(line=line, value=one)) for line, one in enumerate(rows, start=1))
            found.append({one.id: one for one in reader.conversations(lambda _: iter(()))})
    assert all([*held] == [*found[at % 2]] for at, held in enumerate(found))
    assert all(len(held) == 20 for held in found)
    every = [one for held in found for one in held.values()]
    assert all((one.messages, one.columns["time"]) == (READ, "2026-11-01T10:00:00Z") for one in every)
