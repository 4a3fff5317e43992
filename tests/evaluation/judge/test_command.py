"""`tft judge`: every row ends with a verdict or a reason, whatever the endpoint does, and nothing is paid for twice."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.evaluation.judge.prompt import JudgePrompt
from harness.evaluation.predictions import read_predictions

METRIC = "llm-as-a-judge"


@pytest.fixture
def judge(terminal: Any, endpoint: Any) -> Callable[..., Any]:
    def judge(*arguments: str, **settings: Any) -> Any:
        return terminal(
            "judge", *arguments, "--judge", "openai:verdict-model", "--judge-base-url", endpoint.url, **settings
        )

    return judge


def test_verdicts_are_the_judges_and_what_code_decides_is_not_asked(
    judge: Any, endpoint: Any, terminal: Any, write_rows: Any, right_verdict: Any
) -> None:
    source = write_rows(terminal.folder / "rows.jsonl")
    said = judge("rows.jsonl", "--out", "judged.jsonl", "--json")
    rows = terminal.rows("judged.jsonl")
    prompt = JudgePrompt(None)
    for row, read, before in zip(rows, read_predictions(source), terminal.rows("rows.jsonl"), strict=True):
        assert {key: row[key] for key in before} == before
        case = read.case()
        number = (read.line - 1) % 5
        expected = {0: 1.0, 2: 0.0, 4: None}.get(number, case and right_verdict(list(prompt.messages(case))))
        assert row[METRIC] == expected
        assert row["judge_reason"]
    assert sum(endpoint.asked.values()) == 24 == len(endpoint.asked)
    summary = json.loads(said.out)
    assert summary["files"][0]["score"]["n"] == 48
    assert summary["files"][0]["score"]["errors"] == 12
    assert summary["files"][0]["decided_by_code"] == 24
    assert all(request["temperature"] == 0 for request in endpoint.requests)


def test_faults_change_no_verdict_and_a_second_run_asks_nothing(
    judge: Any, endpoint: Any, terminal: Any, write_rows: Any
) -> None:
    write_rows(terminal.folder / "rows.jsonl", 100)
    judge("rows.jsonl", "--out", "calm.jsonl", "--judge-cache", "calm")
    kinds = [kind for kind in endpoint.kinds if kind != "slow"]  # the client would wait minutes for it

    def faults(question: str, before: int) -> str | None:
        chance = random.Random(f"{question}:{before}")
        fault = chance.choice(kinds) if chance.random() < 0.2 else None
        return fault if not before or fault in ("429", "500", "503", "dropped") else None

    endpoint.asked.clear()
    endpoint.answered.clear()
    endpoint.faults = faults
    judge("rows.jsonl", "--out", "rough.jsonl", "--judge-cache", "rough")
    assert sum(endpoint.asked.values()) > len(endpoint.asked)
    rough, calm = terminal.rows("rough.jsonl"), terminal.rows("calm.jsonl")
    assert rough == calm
    assert set(endpoint.answered.values()) <= {1}
    asked = sum(endpoint.asked.values())
    judge("rows.jsonl", "--out", "again.jsonl", "--judge-cache", "rough")
    assert sum(endpoint.asked.values()) == asked
    assert terminal.rows("again.jsonl") == calm


def test_an_endpoint_that_never_gives_a_verdict_leaves_rows_unscored_with_the_reason(
    judge: Any, endpoint: Any, terminal: Any, write_rows: Any
) -> None:
    write_rows(terminal.folder / "rows.jsonl", 5)
    endpoint.faults = lambda question, _: "refusal" if int(question[0], 16) % 2 else None
    judge("rows.jsonl", "--out", "judged.jsonl")
    rows = [row for row in terminal.rows("judged.jsonl") if row["prediction"] and "And the" in row["prediction"]]
    missing = [row for row in rows if row[METRIC] is None]
    assert all("refus" in row["judge_reason"] for row in missing)
    assert len(missing) == sum(count > 1 for count in endpoint.asked.values())


def test_a_killed_run_goes_on_where_it_was(judge: Any, endpoint: Any, terminal: Any, write_rows: Any) -> None:
    write_rows(terminal.folder / "rows.jsonl", 100)
    endpoint.delay = 0.1
    process = terminal.start(
        *("judge", "rows.jsonl", "--out", "judged.jsonl", "--judge", "openai:verdict-model"),
        *("--judge-base-url", endpoint.url, "--judge-concurrency", "2"),
    )
    with process:
        while sum(endpoint.answered.values()) < 10:
            time.sleep(0.02)
        process.kill()
        process.communicate()
    assert not (terminal.folder / "judged.jsonl").exists()
    endpoint.delay = 0.0
    judge("rows.jsonl", "--out", "judged.jsonl")
    twice = sum(count > 1 for count in endpoint.answered.values())
    assert twice <= 2, "only what was under way at the kill may be asked again"
    assert len(endpoint.asked) == 40
    assert all(row["judge_reason"] for row in terminal.rows("judged.jsonl"))


def test_several_files_are_judged_in_one_go_and_equal_questions_asked_once(
    judge: Any, endpoint: Any, terminal: Any, write_rows: Any
) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        write_rows(terminal.folder / name, 20)
    judge("a.jsonl", "b.jsonl", "--out", "judged")
    assert sum(endpoint.asked.values()) == 8
    assert terminal.rows("judged/a.jsonl") == terminal.rows("judged/b.jsonl")
    said = judge("a.jsonl", "b.jsonl", "--out", "a.jsonl", status=2)
    assert "folder" in said.err


def test_verdicts_that_are_there_become_labels(terminal: Any, write_rows: Any) -> None:
    write_rows(terminal.folder / "rows.jsonl", 5, **{METRIC: [1.0, 0.0, 1.0, 0.0, None]})
    terminal("judge", "rows.jsonl", "--judge", "rules:judge", "--out", "judged.jsonl")
    assert [row["label"] for row in terminal.rows("judged.jsonl")] == [1.0, 0.0, 1.0, 0.0, None]
    terminal("judge", "judged.jsonl", "--judge", "rules:judge", "--out", "again.jsonl")
    assert [row["label"] for row in terminal.rows("again.jsonl")] == [1.0, 0.0, 1.0, 0.0, None]


def test_a_panel_keeps_every_vote_and_excludes_who_is_not_there(terminal: Any, endpoint: Any, write_rows: Any) -> None:
    write_rows(terminal.folder / "rows.jsonl", 20)
    (terminal.folder / "endpoints.yaml").write_text(
        f"first: {{base_url: '{endpoint.url}', model: verdict-model}}\n"
        "second: {base_url: 'http://127.0.0.1:9/v1', key_variable: OTHER}\n"
    )
    terminal(
        *("judge", "rows.jsonl", "--out", "judged.jsonl", "--endpoints", "endpoints.yaml"),
        *("--judge", "openai:first", "--judge", "openai:second", "--judge", "rules:judge"),
    )
    said = terminal(
        *("judge", "rows.jsonl", "--out", "judged.jsonl", "--endpoints", "endpoints.yaml", "--json"),
        *("--judge", "openai:first", "--judge", "openai:second", "--judge", "rules:judge"),
    )
    members = json.loads(said.out)["judges"]
    assert [one["status"] for one in members] == ["ok", "excluded", "ok"]
    asked = [row for row in terminal.rows("judged.jsonl") if row["prediction"] and "And the" in row["prediction"]]
    assert asked
    for row in asked:
        votes = {name: vote["value"] for name, vote in row["judge_votes"].items()}
        assert votes.keys() == {"openai:first", "rules:judge"}
        agreed = votes["openai:first"] == votes["rules:judge"]
        assert row[METRIC] == (votes["rules:judge"] if agreed else None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ("no rows",)),
        ("{", ("line 1", "JSON")),
        ('{"question": "[]", "answer": "x", "prediction": "y"}', ("line 1",)),
        ('{"pair_id": "t:0", "conversation": "t", "turn": 0, "reference": "x", "prediction": "y"}', ("line 1",)),
        (
            json.dumps(
                {"pair_id": "t:0", "conversation": "t", "turn": 0, "prediction": "y"}
                | {"reference": '{"name": "a", "parameters": {}}'}
            ),
            ("line 1", "--dataset"),
        ),
    ],
)
def test_bad_input_is_named_with_its_line(terminal: Any, content: str, words: tuple[str, ...]) -> None:
    (terminal.folder / "rows.jsonl").write_text(content)
    said = terminal("judge", "rows.jsonl", "--judge", "rules:judge", "--out", "judged.jsonl", status=2)
    assert all(word in said.err for word in words), said.err
    assert not (terminal.folder / "judged.jsonl").exists()


def test_nobody_to_judge_is_said(terminal: Any, write_rows: Any) -> None:
    write_rows(terminal.folder / "rows.jsonl", 5)
    assert "--judge" in terminal("judge", "rows.jsonl", "--out", "judged.jsonl", status=2).err


def test_the_judge_may_be_named_by_its_role(terminal: Any, write_rows: Any) -> None:
    """And one that is named directly goes first."""
    write_rows(terminal.folder / "rows.jsonl", 5)
    arguments = ("judge", "rows.jsonl", "--out", "judged.jsonl", "--json")
    named = json.loads(terminal(*arguments, "--models", "rules").out)
    assert [one["name"] for one in named["judges"]] == ["rules:judge"]
    direct = json.loads(terminal(*arguments, "--models", "published", "--judge", "rules:judge").out)
    assert direct == named
    assert "rules, published" in terminal(*arguments, "--models", "nobody", status=2).err


def test_a_judge_that_takes_no_temperature_judges_and_the_terminal_says_so(
    judge: Any, endpoint: Any, terminal: Any, write_rows: Any
) -> None:
    """A second run knows it, and asks nothing."""
    write_rows(terminal.folder / "rows.jsonl", 10)
    endpoint.length_name = "max_completion_tokens"
    endpoint.refuses = lambda request: (
        "Unsupported value: 'temperature' does not support 0.0 with this model." if "temperature" in request else None
    )
    said = judge("rows.jsonl", "--out", "judged.jsonl")
    assert "asked without a temperature" in said.err
    assert len(endpoint.requests) == 4 + 2
    assert all(row["judge_reason"] for row in terminal.rows("judged.jsonl"))
    assert "asked without a temperature" in judge("rows.jsonl", "--out", "again.jsonl").err
    assert len(endpoint.requests) == 4 + 2


def test_a_call_written_as_bare_text_is_equal_once_the_tasks_schema_says_its_types(terminal: Any) -> None:
    """The tools of --task decide, and those of the row itself go before; agreement reads with --tools."""
    filters = {"type": "object", "properties": {"price": {"type": "integer"}}}
    parameters = {"$defs": {"Filters": filters}, "properties": {"filters": {"$ref": "#/$defs/Filters"}}}
    tools = [{"type": "function", "function": {"name": "Search", "parameters": parameters}}]
    (terminal.folder / "task.json").write_text(json.dumps({"task_description": "Search.", "tools": tools}))
    text = "<tool_call>Search\n<arg_key>filters</arg_key>\n<arg_value>{'price': 3}</arg_value>\n</tool_call>"
    answer = json.dumps({"name": "Search", "parameters": {"filters": {"price": 3}}})
    row = {"question": json.dumps([{"role": "user", "content": "Cheap."}]), "answer": answer, "prediction": text}
    for name, extra, options in (("task", {}, ("--task", "task.json")), ("own", {"tools": tools}, ())):
        (terminal.folder / f"{name}.jsonl").write_text(json.dumps({**row, **extra, "human": 1}) + "\n")
        said = terminal(
            "judge", f"{name}.jsonl", "--judge", "rules:judge", "--out", f"{name}-judged.jsonl", "--json", *options
        )
        assert json.loads(said.out)["files"][0]["decided_by_code"] == 1
        assert terminal.rows(f"{name}-judged.jsonl")[0][METRIC] == 1.0
    said = terminal("agreement", "task-judged.jsonl", "--label", "human", "--tools", "task.json", "--json")
    assert json.loads(said.out)["agreement"]["value"] == 1.0
