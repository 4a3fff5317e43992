"""`tft inspect-traces` counts what is there and names what looks wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.curation.inspection.advice import likely_problems, next_command
from harness.curation.inspection.languages import language
from harness.curation.inspection.survey import Survey, survey
from harness.data.formats.messages import dump_conversation
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sample import sample_conversations, sample_task

SAMPLE = sample_conversations(50)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    task = sample_task()
    described = {"task_description": task.description, "tools": list(task.tools)}
    (tmp_path / "job_description.json").write_text(json.dumps(described))
    rows = [json.dumps(dump_conversation(one)) + "\n" for one in SAMPLE]
    (tmp_path / "traces.jsonl").write_text("".join(rows))
    return tmp_path


def inspect(*arguments: str) -> Any:
    result = CliRunner().invoke(tft, ["inspect-traces", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_counts_of_a_job_folder_are_right(job: Path) -> None:
    found = inspect(str(job))
    messages = [message for one in SAMPLE for message in one.messages]
    assert (found["rows"], found["unreadable"], found["layout"]) == (50, 0, "messages")
    assert sum(found["roles"].values()) == len(messages)
    assert sum(tool["calls"] for tool in found["tools"]) == sum(len(message.tool_calls) for message in messages)
    assert all(tool["known"] for tool in found["tools"])
    assert found["messages"][0] == min(len(one.messages) for one in SAMPLE)
    assert found["messages"][-1] == max(len(one.messages) for one in SAMPLE)
    assert found["languages"] == {"English": 50}
    assert (found["rated"], sum(found["relevance"].values())) == (50, 50)
    assert found["next"] == f"tft filter --job {job} --out filtered"


def test_it_can_be_read_in_a_terminal(job: Path) -> None:
    result = CliRunner().invoke(tft, ["inspect-traces", str(job)], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    assert all(len(line) <= 100 for line in result.stdout.splitlines() if not line.startswith(("next", str(job))))
    for words in ("50 conversations", "FindRestaurants", "shortest", "relevance", "tft filter --job"):
        assert words in result.stdout


def test_without_a_task_nothing_is_said_of_tools_and_relevance(job: Path) -> None:
    found = inspect(str(job / "traces.jsonl"), "--limit", "20")
    assert (found["rows"], found["rated"]) == (20, 0)
    assert {tool["known"] for tool in found["tools"]} == {None}
    assert "--task job_description.json" in found["next"]


def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").write_text('{"text": "Hi"}\n')
    result = CliRunner().invoke(tft, ["inspect-traces", str(tmp_path / "traces.jsonl")])
    assert result.exit_code != 0
    assert "traces.jsonl, line 1: got keys text; expected" in str(result.exception)


def of(*conversations: Conversation) -> Survey:
    return survey([TraceRow(conversation=one) for one in conversations], sample_task())


def changed(*messages: Message) -> Conversation:
    return Conversation(id="c", messages=messages, source="test")


USER, SAID = Message(role="user", content="Hello there"), Message(role="assistant", content="Hello")
CALL = Message(role="assistant", tool_calls=(ToolCall(name="FindRestaurants", arguments={"city": "Ulm"}),))
FOUND = Message(role="user", content="[]")
CASES: dict[str, tuple[Message, ...]] = {
    "have no messages": (),
    "start with the agent": (CALL, FOUND, SAID),
    "end without the agent": (USER, SAID, USER),
    "have several calls in one turn": (USER, replace(CALL, tool_calls=CALL.tool_calls * 2), FOUND, SAID),
    "have two messages of the user in a row": (USER, USER, SAID),
    "have two turns of the agent in a row": (USER, SAID, SAID),
    "have a call without its result": (USER, CALL, USER, SAID),
    "have a result without its call": (USER, FOUND, SAID),
    "have a system message": (Message(role="system", content="Be kind"), USER, SAID),
    "hold control characters": (Message(role="user", content="a\x07b"), SAID),
    "hold U+2028 or U+2029": (Message(role="user", content="a\u2028b"), SAID),
    "are longer than the limit": (Message(role="user", content="x" * 30_000), SAID),
}


@pytest.mark.parametrize("name", CASES)
def test_each_oddity_is_counted_once_with_advice(name: str) -> None:
    found = of(changed(USER, SAID), changed(*CASES[name]))
    assert found.odd.get(name) == 1, found.odd
    (problem,) = [one for one in likely_problems(found) if one.what == f"conversations that {name}"]
    assert (problem.count, problem.of) == (1, 2)
    assert problem.advice


def test_clean_traces_have_no_oddities_and_copies_are_counted() -> None:
    assert of(*SAMPLE).odd == {}
    assert of(*SAMPLE, SAMPLE[3], SAMPLE[4]).odd == {"repeat an earlier one exactly": 2}


def test_unknown_tools_and_arguments_are_named_with_what_they_resemble() -> None:
    calls = [
        ToolCall(name="find_restaurant", arguments={"city": "Ulm"}),
        ToolCall(name="say_to_customer", arguments={"text": "Hello"}),
        ToolCall(name="FindRestaurants", arguments={"town": "Ulm"}),
        ToolCall(name="fly", arguments={}),
    ]
    found = of(*(changed(USER, Message(role="assistant", tool_calls=(call,))) for call in calls))
    tools = {tool.name: tool for tool in found.tools}
    assert tools["find_restaurant"].resembles == "FindRestaurants"
    assert tools["say_to_customer"].resembles == "respond_to_user"
    assert (tools["fly"].known, tools["fly"].resembles) == (False, None)
    assert tools["FindRestaurants"].unknown_arguments == {"town": 1}
    assert "city" in tools["FindRestaurants"].missing_arguments


def test_rows_that_cannot_be_read_are_counted_and_the_first_are_shown() -> None:
    bad = [TraceRow(conversation=changed(), problem=f"f, line {n}: no") for n in range(9)]
    found = survey([*bad, TraceRow(conversation=SAMPLE[0])], sample_task())
    assert (found.rows, found.unreadable, found.problems[0], len(found.problems)) == (10, 9, "f, line 0: no", 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I would like a table for two, please.", "English"),
        ("Ich möchte bitte einen Tisch für zwei.", "German"),
        ("Je voudrais une table pour deux, merci.", "French"),
        ("Quiero una mesa para dos, por favor.", "Spanish"),
        ("二人用のテーブルをお願いします", "Japanese"),
        ("我想订一张两人桌", "Chinese or Japanese"),
        ("Столик на двоих, пожалуйста", "in Cyrillic letters"),
        ("", "nothing said"),
    ],
)
def test_languages_are_told_apart_roughly(text: str, said: str) -> None:
    assert language([text]) == said


@pytest.mark.slow
def test_many_traces_are_looked_through_in_flat_memory() -> None:
    """Memory holds eight bytes a trace, for duplicates, and the ratings of a sample."""
    import tracemalloc

    survey([TraceRow(conversation=SAMPLE[0])], None)  # what is loaded once does not count

    numbered = (
        TraceRow(conversation=replace(one, messages=(*one.messages, Message(role="user", content=str(n)))))
        for n in range(60)
        for one in SAMPLE
    )
    tracemalloc.start()
    found = survey(numbered, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.rows == 3000
    assert peak < 3e6


def test_a_third_of_damaged_traces_asks_for_lower_thresholds() -> None:
    """And traces out of order do not: nothing mends them."""
    shuffled = [replace(one, messages=tuple(Random(one.id).sample(one.messages, len(one.messages)))) for one in SAMPLE]
    for traces, lowered in ((SAMPLE, False), (shuffled, False), ([*map(_damaged, SAMPLE), *SAMPLE], True)):
        then = next_command(of(*traces), "traces.jsonl", job=None, task=None)
        assert ("--relevance 3 --coherence 2" in then) is lowered


def _damaged(one: Conversation) -> Conversation:
    """Put a reply in the place of every call, and a call in that of every reply."""
    swapped = {True: CALL, False: Message(role="assistant", content="Bye")}
    messages = (
        swapped[message.tool_calls[0].name == "respond_to_user"] if message.tool_calls else message
        for message in one.messages
    )
    return replace(one, messages=tuple(messages))
