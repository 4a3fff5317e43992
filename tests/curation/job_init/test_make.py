"""A job folder made from an export: every row is accounted for, and nothing of the test set is in the traces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.curation.checks.decontamination import Decontamination
from harness.curation.job_folder import JobFolder
from harness.curation.job_init.make import InitRequest, make_job, refuse_files
from harness.curation.job_init.record import JobRecord, notes
from harness.curation.job_init.review import read_review
from harness.data.formats.messages import dump_conversation, dump_message
from harness.data.formats.published import read_test_conversations
from harness.data.formats.task import read_task
from harness.data.records import Task
from harness.data.scenarios import get
from harness.data.scenarios._base import CleanTraces
from harness.data.traces.read import read_traces
from harness.data.traces.trace_input import read_input
from harness.errors import DataError, UsageError
from support import library_dialogues, parallel_calls
from support.trace_exports import LAYOUTS, as_exported, write_export

Row = dict[str, Any]


def rows(count: int, columns: Callable[[int], Row] = lambda _: {}) -> list[Row]:
    return [{**dump_conversation(one), **columns(at)} for at, one in enumerate(library_dialogues.clean(count))]


def made(folder: Path, export: list[Row], **options: Any) -> JobRecord:
    path = folder / "export.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in export), encoding="utf-8")
    return make_job(InitRequest(source=read_input(str(path), None), out=folder / "job", **options))


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_row_is_a_trace_or_a_test_conversation_or_set_aside_with_a_reason(tmp_path: Path) -> None:
    clean = rows(40)
    failed = {**clean[0], "id": "failed", "error": "rate limit"}
    silent = {"id": "silent", "messages": [{"role": "user", "content": "Hello?"}]}
    again = {**clean[1], "id": "again"}
    begun = {**clean[2], "id": "begun", "messages": clean[2]["messages"][:4]}
    cut = {**clean[3], "id": "cut"}
    cut["messages"] = [*cut["messages"][:-1], {"role": "assistant", "content": "Here is what I found... [truncated]"}]
    record = made(tmp_path, [begun, failed, *clean, silent, again, cut, {"id": "odd", "turns": 3}])
    job = tmp_path / "job"
    kept, test, aside = (lines(job / f"{name}.jsonl") for name in ("traces", "test", "set_aside"))
    assert (len(kept), len(test), len(aside)) == (record.traces, record.test, record.set_aside)
    assert record.rows == 46 == record.traces + record.test + record.set_aside == len(kept + test + aside)
    assert len({row["id"] for row in kept + test + aside}) == 46
    why = {row["id"]: row["kind"] for row in aside}
    expected = {"failed": "failed", "silent": "no assistant turn", "again": "near duplicate", "begun": "beginning"}
    assert {id: why[id] for id in expected} == expected
    assert {row["id"] for row in aside if "was cut" in row["reason"]} == {"cut"}
    assert list(why.values()).count("unreadable") == 2
    assert all(row["reason"] for row in aside)
    assert record.reasons == {kind: [*why.values()].count(kind) for kind in record.reasons}
    assert lines(job / "test.jsonl") == lines(job / "test.logged.jsonl")
    assert json.loads((job / "job_init.json").read_text(encoding="utf-8"))["rows"] == 46


def test_the_folder_is_a_job_whose_test_set_nothing_in_the_traces_repeats(tmp_path: Path) -> None:
    record = made(tmp_path, rows(60), decided_by="--yes")
    job = JobFolder.open(tmp_path / "job")
    assert job.test
    test = read_test_conversations(job.test)
    overlaps = Decontamination(test)
    traces = [row.conversation for row in read_traces(job.traces)]
    assert (len(traces), len(test)) == (record.traces, record.test)
    assert not any(overlaps.find(one) for one in traces)
    assert read_review(tmp_path / "job").counts.taken == record.test


def test_what_a_log_of_requests_repeats_is_counted_once(tmp_path: Path) -> None:
    talks = library_dialogues.clean(20)
    requests = []
    for talk in talks:
        for at, message in enumerate(talk.messages):
            if message.role == "assistant":
                asked = [dump_message(one) for one in talk.messages[:at]]
                told = {"role": "system", "content": f"You lend books. It is {talk.id}."}
                request = {"messages": [told, *asked], "tools": list(library_dialogues.task().tools)}
                requests.append({"request": request, "response": {"choices": [{"message": dump_message(message)}]}})
    record = made(tmp_path, requests)
    assert record.rows == len(requests)
    assert record.traces + record.test == 20 - record.reasons.get("overlap with the test", 0)
    written = [row for name in ("traces", "test") for row in lines(tmp_path / "job" / f"{name}.jsonl")]
    calls = sum(len(message["tool_calls"] or ()) for row in written for message in row["messages"])
    assert sum(tool.calls for tool in record.tools) == calls
    assert record.description.seen == len(written)
    assert record.description.text == "You lend books. It is [varies]."


def test_the_same_rows_give_the_same_test_set_in_any_order_of_the_export(tmp_path: Path) -> None:
    export = rows(40)
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    for folder, order, seed in ((first, export, 1), (second, export[::-1], 1), (other, export, 2)):
        folder.mkdir()
        made(folder, order, seed=seed)
    chosen = [{row["id"] for row in lines(folder / "job" / "test.jsonl")} for folder in (first, second, other)]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize("columns", ["user_id", "session_id", "both"])
def test_no_user_or_session_is_on_both_sides(tmp_path: Path, columns: str) -> None:
    def of(at: int) -> Row:
        user, session = f"u{at % 9}", f"s{at // 2 % 11 if columns == 'session_id' else at // 9}"
        return {"user_id": user, "session_id": f"{user}{session}"} if columns == "both" else {columns: f"{user}"}

    record = made(tmp_path, rows(60, of))
    job = tmp_path / "job"
    sides = [
        {(key, row[key]) for row in lines(job / name) for key in ("user_id", "session_id") if key in row}
        for name in ("traces.jsonl", "test.jsonl")
    ]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]
    assert record.groups == 9


def test_an_id_that_every_conversation_has_keeps_none_apart_and_is_said(tmp_path: Path) -> None:
    record = made(tmp_path, rows(40, lambda _: {"user_id": "service"}))
    assert record.shared == ("user_id service",)
    assert record.test == 10


def test_agents_that_others_call_are_on_the_side_of_who_called_them(tmp_path: Path) -> None:
    export = rows(40)
    for caller, called in zip(export[:20], export[20:], strict=True):
        called["id"] = f"{caller['id']}-2"
    made(tmp_path, export)
    sides = [
        {row["id"].removesuffix("-2") for row in lines(tmp_path / "job" / f"{name}.jsonl")}
        for name in ("traces", "test")
    ]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_users_with_more_conversations_than_are_held_out_are_taken_in_part(tmp_path: Path) -> None:
    record = made(tmp_path, rows(60, lambda at: {"user_id": f"u{at % 2}"}), test=5)
    assert record.test == 5
    assert record.reasons["user or session of the test"] == 25
    assert {row["user_id"] for row in lines(tmp_path / "job" / "traces.jsonl")} != {"u0", "u1"}


def test_every_tool_has_its_share_of_the_test_set(tmp_path: Path) -> None:
    export = rows(60)
    for row in export[:12]:
        row["messages"] = [
            {
                "role": "user",
                "content": f"Renew {row['id']} please, I am {row['id'][::-1]} from the north.",
            },
            {"tool_calls": [{"id": "1", "function": {"name": "Renew", "arguments": json.dumps({"card": row["id"]})}}]},
        ]
        row["messages"][1]["role"] = "assistant"
    made(tmp_path, export, test=20)
    called = [
        {call["function"]["name"] for message in row["messages"] for call in message["tool_calls"] or ()}
        for row in lines(tmp_path / "job" / "test.jsonl")
    ]
    assert sum("Renew" in names for names in called) in range(2, 7)


def test_a_folder_of_exports_is_one_export_and_its_files_are_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    (folder / "day").mkdir(parents=True)
    talks = library_dialogues.clean(20)
    for place, part in ((folder / "a.jsonl", talks[:9]), (folder / "day" / "b.jsonl", talks[9:])):
        write_export(place, "otlp", part)
    record = make_job(InitRequest(source=read_input(str(folder), None), out=tmp_path / "job"))
    assert record.rows == 20
    assert [file.split("@sha256:")[0] for file in record.files] == ["a.jsonl", "day/b.jsonl"]


def test_what_reading_changed_is_counted_and_said(tmp_path: Path) -> None:
    export = rows(20)
    for row in export[:3]:
        calls = [{"id": id, "function": {"name": "Renew", "arguments": "{}"}} for id in ("a", "b")]
        results = [{"role": "tool", "tool_call_id": id, "content": "[]"} for id in ("a", "b")]
        row["messages"] += [{"role": "user", "content": "Both."}, {"role": "assistant", "tool_calls": calls}, *results]
    record = made(tmp_path, export)
    assert record.reading == {"several-calls-made": 3}
    assert any(note.startswith("3 conversations with several calls in a turn") for note in notes(record))


def test_several_calls_of_a_turn_stay_together_in_a_job_that_has_them(tmp_path: Path) -> None:
    path = tmp_path / "trips.jsonl"
    path.write_text("".join(json.dumps(dump_conversation(one)) + "\n" for one in parallel_calls.conversations(12)))
    request = InitRequest(source=read_input(str(path), None), out=tmp_path / "job", parallel=True, test=4)
    record = make_job(request)
    assert (record.test, record.reading) == (4, {})
    task = read_task(tmp_path / "job" / "job_description.json")
    assert task.parallel_tool_calls
    for file in ("test.jsonl", "traces.jsonl"):
        for row in read_traces(tmp_path / "job" / file, parallel=True):
            counts = [len(one.tool_calls) for one in row.conversation.messages if len(one.tool_calls) > 1]
            assert counts == [2, 3]


def test_what_cannot_be_compared_with_stays_a_trace(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "Tell me a long story."}, {"role": "assistant", "content": "Once upon a time."}]
    made(tmp_path, [*rows(20), {"id": "talk", "messages": talk}], test=15)
    assert "talk" in {row["id"] for row in lines(tmp_path / "job" / "traces.jsonl")}


def test_half_of_those_that_can_be_compared_with_stay_traces_and_the_others_are_counted(tmp_path: Path) -> None:
    words = [f"{one}{other}" for one in "bdfgklmnprst" for other in ("ane", "ilo", "ust", "erk", "omp", "idge")]
    said = [" ".join(words[(at * number) % 71] for number in range(1, 20)) for at in range(1, 30)]
    talks = [
        {"id": text[:9], "messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text}]}
        for text in said
    ]
    record = made(tmp_path, [*rows(6), *talks])
    assert (record.test, record.test_candidates, record.usable) == (3, 6, 35)
    assert "29 of 35 conversations cannot be held out" in " ".join(notes(record))


def test_conversations_that_the_agent_begins_can_be_held_out(tmp_path: Path) -> None:
    greeting = {"role": "assistant", "content": "Hello, this is the library."}
    export = [{**row, "messages": [greeting, *row["messages"]]} for row in rows(20)]
    assert made(tmp_path, export).test == 10


def test_folders_with_files_and_test_sets_that_cannot_be_had_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--test 30 asks for more than can be held out"):
        made(tmp_path, rows(30), test=30)
    with pytest.raises(DataError, match=r"no conversation of .* is of use"):
        made(tmp_path, [{"id": "silent", "messages": [{"role": "user", "content": "Hello?"}]}])
    with pytest.raises(DataError, match="define no tools and call none"):
        made(tmp_path, [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}])
    assert [path.name for path in tmp_path.iterdir()] == ["export.jsonl"]
    with pytest.raises(UsageError, match="lies in the export itself"):
        refuse_files(tmp_path / "job", tmp_path)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "test.todo.md").touch()
    with pytest.raises(UsageError, match="has files in it already"):
        made(tmp_path, rows(10))


def test_what_the_export_says_beside_conversations_is_left_behind(tmp_path: Path) -> None:
    secret = {"headers": {"authorization": "Bearer not-to-be-carried-on"}, "output": "x", "model": "m", "user_id": "u"}
    made(tmp_path, rows(12, lambda _: secret))
    for path in (tmp_path / "job").iterdir():
        assert "not-to-be-carried-on" not in path.read_text(encoding="utf-8")
    assert lines(tmp_path / "job" / "traces.jsonl")[0].keys() == {"id", "source", "messages", "model", "user_id"}


def test_what_looks_personal_is_masked_in_all_files_and_users_are_numbered(tmp_path: Path) -> None:
    export = rows(30, lambda at: {"user_id": f"ada{at % 5}@firm.example", "system": "Write to help@firm.example."})
    for row in export:
        row["messages"][0]["content"] += " Write to me: ada@firm.example, or call +44 20 7946 0958."
    record = made(
        tmp_path, [*export, {**export[0], "id": "failed", "error": "no such user eve@firm.example"}], redact=True
    )
    for path in (tmp_path / "job").iterdir():
        assert "firm.example" not in path.read_text(encoding="utf-8"), path.name
        assert "7946" not in path.read_text(encoding="utf-8"), path.name
    assert record.redacted
    assert not record.personal
    assert record.groups == 5
    assert {row["user_id"] for row in lines(tmp_path / "job" / "traces.jsonl")} < {f"user-{n}" for n in range(1, 6)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_job_is_made_from_what_tools_export(tmp_path: Path, layout: str) -> None:
    talks = library_dialogues.clean(24)
    export = write_export(tmp_path / "export.jsonl", layout, talks, user=lambda at: f"u{at % 6}")
    record = make_job(InitRequest(source=read_input(str(export), None), out=tmp_path / "job"))
    assert record.rows == 24 == record.traces + record.test + record.set_aside
    assert record.columns.keys() >= {"user_id", "session_id", "time"}
    users = [{row["user_id"] for row in lines(tmp_path / "job" / f"{name}.jsonl")} for name in ("traces", "test")]
    assert users[1]
    assert not users[0] & users[1]
    said = [as_exported(one) for one in talks]
    assert all(row.conversation.messages in said for row in read_traces(tmp_path / "job" / "traces.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "defined"), [*((one, True) for one in LAYOUTS), ("langsmith", False)])
def test_the_traces_of_the_first_scenario_add_up(
    tmp_path: Path, dialogues: CleanTraces, published_task: Task, layout: str, defined: bool
) -> None:
    talks = get(1).conversations(dialogues, "tft")
    assert len(talks) == 327
    tools = list(published_task.tools) if defined else None
    export = write_export(tmp_path / "export.jsonl", layout, talks, tools)
    record = make_job(InitRequest(source=read_input(str(export), None), out=tmp_path / "job"))
    assert record.rows == 327 == record.traces + record.test + record.set_aside
    found = read_task(tmp_path / "job" / "job_description.json").tools
    known = {tool["function"]["name"]: tool for tool in published_task.tools}
    if defined:
        assert {tool["function"]["name"]: tool for tool in found} == known
    for tool in found:
        taken = tool["function"]["parameters"]["properties"].keys()
        assert taken <= known[tool["function"]["name"]]["function"]["parameters"]["properties"].keys()
