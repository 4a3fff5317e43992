"""Files with one message per line give one conversation per session, and per branch of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.traces.read import layout, read_traces
from harness.errors import DataError

TIME = "2026-11-01T09:00:00Z"


def read(tmp_path: Path, *lines: Any) -> list[Any]:
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return list(read_traces(path))


def claude(n: int, parent: int | None, content: Any, **more: Any) -> dict[str, Any]:
    """Return a line of Claude Code: of the user where its content is text or a result."""
    role = "user" if isinstance(content, str) or content[0]["type"] == "tool_result" else "assistant"
    message = {"role": role, "content": content, **more.pop("message", {})}
    links = {"uuid": f"u{n}", "parentUuid": None if parent is None else f"u{parent}"}
    return {"type": role, "sessionId": "s1", "timestamp": TIME, **links, "message": message, **more}


def said(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


def texts(row: Any) -> list[str]:
    return [message.content or message.tool_calls[0].name for message in row.conversation.messages]


def test_a_prompt_that_was_written_anew_begins_another_branch(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
        claude(1, None, "Hello"),
        claude(2, 1, said("Hi.")),
        claude(3, 2, "Ulm?"),
        claude(4, 3, said("No.")),
        claude(5, 2, "Bonn?"),
        claude(6, 5, said("Yes.")),
    )
    assert [texts(row) for row in rows] == [["Hello", "Hi.", "Bonn?", "Yes."], ["Hello", "Hi.", "Ulm?", "No."]]
    assert [row.conversation.id for row in rows] == ["s1", "s1-2"]
    assert rows[0].columns["session_id"] == "s1"
    assert rows[0].columns["time"] == TIME


def test_blocks_of_one_answer_on_several_lines_are_one_turn_and_agents_of_an_agent_stay_apart(tmp_path: Path) -> None:
    calls = [[{"type": "tool_use", "id": n, "name": n.upper(), "input": {}}] for n in "ab"]
    results = [[{"type": "tool_result", "tool_use_id": n, "content": n}] for n in "ab"]
    one = {"message": {"id": "msg_1", "model": "m"}}
    rows = read(
        tmp_path,
        claude(1, None, "Both"),
        claude(2, 1, said("Well."), **one),
        claude(3, 2, calls[0], **one),
        claude(9, None, "Look", isSidechain=True),
        claude(4, 3, results[0]),
        claude(5, 3, calls[1], message={"id": "msg_2"}),
        claude(6, 5, results[1]),
        claude(10, 9, said("Seen."), isSidechain=True),
        claude(7, 6, said("Done.")),
    )
    main, side = rows
    assert texts(main) == ["Both", "Well.", "a", "B", "b", "Done."]
    assert main.conversation.messages[1].tool_calls[0].name == "A"
    assert main.columns["model"] == "m"
    assert texts(side) == ["Look", "Seen."]


def test_a_rollout_of_codex_has_its_own_tools_and_its_instructions(tmp_path: Path) -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it"}]},
        {"type": "reasoning", "summary": []},
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"},
        {"type": "local_shell_call", "call_id": "c2", "action": {"command": ["ls"]}},
        {"type": "function_call_output", "call_id": "c2", "output": "a"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Fixed."}]},
    ]
    meta = {"id": "s1", "cwd": "/", "instructions": "You code."}
    lines = [{"type": "response_item", "timestamp": TIME, "payload": item} for item in items]
    (row,) = read(tmp_path, {"type": "session_meta", "timestamp": TIME, "payload": meta}, *lines)
    calls = [call for message in row.conversation.messages for call in message.tool_calls]
    assert [(call.name, call.arguments) for call in calls] == [
        ("apply_patch", {"input": "*** Begin"}),
        ("local_shell", {"action": {"command": ["ls"]}}),
    ]
    assert row.columns["system"] == "You code."
    assert row.columns["time"] == TIME


def test_a_table_of_messages_may_be_in_any_order_and_hold_many_conversations(tmp_path: Path) -> None:
    def line(conversation: str, minute: int, role: str, content: str) -> dict[str, Any]:
        time = f"2026-11-01T09:{minute:02}:00Z"
        return {"id": minute, "conversation_id": conversation, "created_at": time, "role": role, "content": content}

    rows = read(
        tmp_path,
        line("a", 3, "assistant", "Hi."),
        line("b", 1, "user", "Well?"),
        line("a", 2, "user", "Hello"),
        line("b", 4, "assistant", "Well."),
    )
    assert [(row.conversation.id, texts(row)) for row in rows] == [("a", ["Hello", "Hi."]), ("b", ["Well?", "Well."])]


def test_sessions_follow_one_another_in_a_file_and_one_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    def message(**more: Any) -> dict[str, Any]:
        return {"type": "message", "message": more}

    begun = [{"type": "session", "harness": "h", "id": f"s{n}"} for n in range(3)]
    turn = [message(role="user", content="Hi"), message(role="assistant", content="Hello.", model="m")]
    odd = message(role="user", said="Hi")
    rows = read(tmp_path, begun[0], *turn, begun[1], odd, begun[2], *turn, {"what": 1})
    assert [row.conversation.id for row in rows if row.problem is None] == ["s0", "s2"]
    assert "keys role, said" in str(rows[1].problem)
    assert "line 9: got an object that is no line of a session" in str(rows[3].problem)
    assert layout(tmp_path / "traces.jsonl") == "sessions, one message per line"


def test_a_session_without_messages_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lines of the types session \(1\), compaction \(1\)"):
        read(tmp_path, {"type": "session", "harness": "h", "id": "s"}, {"type": "compaction"})


SHARED: dict[str, list[Any]] = {
    "Claude Code": [claude(1, None, "Hello"), claude(2, 1, said("Hi."))],
    "a table without ids of its messages": [
        {"session_id": "s1", "role": "user", "content": "Hello"},
        {"session_id": "s1", "role": "assistant", "content": "Hi."},
    ],
    "session traces": [
        {"type": "session", "harness": "x", "id": "s1"},
        {"type": "message", "message": {"role": "user", "content": "Hello"}},
        {"type": "message", "message": {"role": "assistant", "content": "Hi."}},
    ],
}


@pytest.mark.parametrize("name", SHARED)
def test_a_session_that_two_files_have_is_read_once_and_goes_on_where_one_has_more(tmp_path: Path, name: str) -> None:
    more = [{"type": "message", "sessionId": "s1", "message": {"role": "user", "content": text}} for text in ("A", "A")]
    for file, lines in {"a": SHARED[name], "b": [*SHARED[name], *more]}.items():
        (tmp_path / f"{file}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (row,) = read_traces(tmp_path)
    assert texts(row) == ["Hello", "Hi.", "A", "A"]
    assert [one.check for one in row.findings] == ["exported-twice"]
