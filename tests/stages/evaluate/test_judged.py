"""`tft evaluate --judge`: verdicts beside the other metrics, from one sitting, without asking the model again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import TurnPair
from harness.evaluation.report_json import read_report
from support import chat_endpoint

METRIC = "llm-as-a-judge"


@pytest.fixture
def judge(terminal: Any) -> Iterator[Any]:
    """A judge behind an endpoint."""
    terminal.environment["OPENAI_API_KEY"] = chat_endpoint.KEY
    terminal.environment["XDG_CACHE_HOME"] = str(terminal.folder / "cache")
    with chat_endpoint.serving() as state:
        yield state


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(folder / "data" / "test.jsonl")]


def _mixed(place: int, text: str) -> str | None:
    """Return an equal answer, one of another tool, one with other arguments, prose, and no answer, in turn."""
    call = json.loads(text.removeprefix("<tool_call>\n").removesuffix("\n</tool_call>"))
    changed = {key: f"{value} or so" for key, value in call["arguments"].items()}
    return [
        text,
        json.dumps({"name": "no_such_tool", "arguments": {}}),
        json.dumps({"name": call["name"], "arguments": changed}),
        "I cannot do that.",
        None,
    ][place % 5]


def test_every_row_of_the_report_is_judged_by_the_same_code(
    replay: Callable[..., Any], test_set: list[TurnPair], tmp_path: Path
) -> None:
    replay(_mixed, "--judge", "rules:judge", "--inspect", "logs", "--inspect-site", "site").worked()
    report = read_report(tmp_path / "run" / "report.json")
    assert [row for row, found in report.rows.items() if METRIC in found] == list(report.rows)
    assert list(report.rows) == ["model", "null", "majority_by_turn", "copy_last", "same_call", "gold"]
    gold, model = report.rows["gold"][METRIC], report.rows["model"][METRIC]
    assert gold.value == 1.0
    assert (model.errors, model.unscored, model.n + model.unscored) == (len(test_set) // 5,) * 2 + (len(test_set),)
    rows = _rows(tmp_path / "run")
    for place, row in enumerate(rows):
        expected = {0: 1.0, 1: 0.0, 3: 0.0, 4: None}.get(place % 5, row[METRIC])
        assert row[METRIC] == expected
        assert row["judge_reason"]
    assert report.judging is not None
    assert report.judging.decided_by_code == sum(place % 5 in (0, 1, 3) for place in range(len(rows)))
    assert report.judging.prompt_sha256 is None
    assert report.run.config["judge"] == ["rules:judge"]
    assert len(list((tmp_path / "logs").glob("*.eval"))) == 1
    assert (tmp_path / "site" / "index.html").is_file()
    assert sorted(report.plots) == sorted(path.name for path in (tmp_path / "run" / "plots").iterdir())


def test_a_finished_run_gets_its_verdicts_later_and_is_judged_once(
    replay: Callable[..., Any], terminal: Any, judge: Any, tmp_path: Path
) -> None:
    replay(lambda place, text: _mixed(place, text) or "Nothing.").worked()
    before = _rows(tmp_path / "run")
    answers = (tmp_path / "run" / "answers.jsonl").read_bytes()
    said = terminal.evaluate(
        *("replay:answers.jsonl", "--resume", "--judge", "openai:verdict-model"), "--judge-base-url", judge.url
    ).worked()
    assert "null" in said.out
    rows = _rows(tmp_path / "run")
    for row, unjudged in zip(rows, before, strict=True):
        nulls, known = row.pop("null_baselines"), unjudged.pop("null_baselines")
        assert {key: row[key] for key in unjudged} == unjudged
        assert {name: {**one, METRIC: nulls[name][METRIC]} for name, one in known.items()} == nulls
    assert (tmp_path / "run" / "answers.jsonl").read_bytes() == answers
    assert set(judge.answered.values()) == {1}
    lineage = json.loads((tmp_path / "run" / "lineage.json").read_text())
    assert lineage["judges"]["openai:verdict-model"]["base_url"] == judge.url
    report = read_report(tmp_path / "run" / "report.json")
    assert report.judging is not None
    assert report.judging.prompt_sha256
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(chat_endpoint.KEY.encode() in text for text in written)
    asked = sum(judge.asked.values())
    saved = (tmp_path / "run" / "report.json").read_bytes()
    terminal.evaluate(
        *("replay:answers.jsonl", "--resume", "--judge", "openai:verdict-model"), "--judge-base-url", judge.url
    ).worked()
    assert sum(judge.asked.values()) == asked
    assert (tmp_path / "run" / "report.json").read_bytes() == saved


def test_several_models_are_judged_in_one_sitting(
    replay: Callable[..., Any], terminal: Any, judge: Any, tmp_path: Path
) -> None:
    replay(_mixed)
    (tmp_path / "b.jsonl").write_text((tmp_path / "answers.jsonl").read_text().replace(" or so", " perhaps"))
    said = terminal(
        *("evaluate", "replay:answers.jsonl", "replay:b.jsonl", "--dataset", "ada/sample", "--no-push", "--json"),
        *("--out", "runs", "--judge", "openai:verdict-model", "--judge-base-url", judge.url),
    ).worked()
    reports = [json.loads(line) for line in said.out.splitlines()]
    assert len(reports) == len(list((tmp_path / "runs").iterdir())) == 2
    assert said.err.count("questions sent") == 1
    assert set(judge.answered.values()) == {1}, "the baselines of both are the same questions"


def test_a_labelled_slice_says_how_far_the_judge_can_be_trusted(
    replay: Callable[..., Any], terminal: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    """Labels that are the judge's own verdicts make a perfect judge; the corrected score is then the plain one."""
    replay(_mixed, "--judge", "rules:judge").worked()
    labelled = [{**row, "label": row[METRIC]} for row in _rows(tmp_path / "run")]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labelled))
    terminal.evaluate(
        *("replay:answers.jsonl", "--resume", "--judge", "rules:judge", "--labels", "labels.jsonl")
    ).worked()
    report = read_report(tmp_path / "run" / "report.json")
    assert report.judging is not None
    found = report.judging.calibration
    assert found is not None
    assert (found.false_bad, found.false_good, found.kappa.value) == (0, 0, 1.0)
    assert found.corrected is not None
    assert found.corrected.value == pytest.approx(report.rows["model"][METRIC].value)
    done = terminal.evaluate(
        *("replay:answers.jsonl", "--resume", "--judge", "rules:judge", "--labels", "labels.jsonl", "--label", "human")
    )
    done.refused("human", "columns are")


def test_a_judge_that_cannot_be_had_is_refused_before_the_model_is_asked(
    replay: Callable[..., Any], tmp_path: Path
) -> None:
    for judge, word in (("openai:verdict-model", "base URL"), ("ada/no-such-judge", "ada/no-such-judge")):
        replay(_mixed, "--judge", judge).refused(word)
    assert not (tmp_path / "run").exists()


def test_rules_answer_no_test_set(terminal: Any) -> None:
    terminal.evaluate("rules:judge").refused("rules:judge", "--judge")


def test_a_result_with_too_many_unscored_pairs_is_not_published(replay: Callable[..., Any], terminal: Any) -> None:
    """One in five answers is missing: more than a tenth, less than a quarter."""
    replay(_mixed)
    arguments = ("evaluate", "replay:answers.jsonl", "--dataset", "ada/sample", "--out", "pushed")
    terminal(*arguments).refused("have no", "--max-unscored")
    terminal(*arguments, "--resume", "--max-unscored", "0.25").worked()


def test_one_that_is_refused_keeps_no_other_result_of_its_run_back(
    replay: Callable[..., Any], terminal: Any, api: Any, tmp_path: Path
) -> None:
    for name, change in (("first", _mixed), ("second", lambda _, text: text)):
        replay(change, "--out", name)
        (tmp_path / "answers.jsonl").rename(tmp_path / f"{name}.jsonl")
    models = ("replay:first.jsonl", "replay:second.jsonl")
    terminal("evaluate", *models, "--dataset", "ada/sample", "--out", "both").refused("have no", "--max-unscored")
    files = " ".join(api.list_repo_files("ada/tft-benchmark-results", repo_type="dataset"))
    assert "second.jsonl" in files
    assert "first.jsonl" not in files


@pytest.mark.slow
def test_a_model_from_the_hub_judges_through_vllm_once(
    replay: Callable[..., Any], put: Callable[..., str], student: Path, terminal: Any, tmp_path: Path
) -> None:
    """Random weights, so the verdicts mean nothing; but each is one, and a second run starts no engine."""
    terminal.environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    put("judge", {path.name: path for path in student.iterdir()})
    replay(_mixed)
    arguments = ("replay:answers.jsonl", "--resume", "--judge", "ada/judge", "--no-judge-baselines", "--limit", "8")
    first = terminal.evaluate(*arguments, "--ask-everything", "--out", "judged").worked()
    log = tmp_path / "judged" / "judge-engine.log"
    assert log.stat().st_size > 0
    rows = _rows(tmp_path / "judged")
    assert [row[METRIC] is None for row in rows] == [row["raw"] is None for row in rows]
    assert "questions sent, 0 answers known already" in first.err
    before = log.read_bytes()
    again = terminal.evaluate(*arguments, "--ask-everything", "--out", "judged").worked()
    assert "0 questions sent" in again.err
    assert log.read_bytes() == before
    assert _rows(tmp_path / "judged") == rows
