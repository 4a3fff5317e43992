"""Recorded answers through the whole command: what is perfect scores 1.0, and everything else is seen to be less."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import TurnPair
from harness.evaluation.metrics import metric_names
from harness.evaluation.report_json import read_report
from harness.models import parsing
from support import every_eval


def test_the_references_score_one_on_every_metric_and_a_finished_run_is_not_repeated(
    replay: Callable[..., Any], terminal: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    done = replay().worked()
    report = read_report(tmp_path / "run" / "report.json")
    assert set(report.rows["model"]) == set(metric_names())
    for metric in metric_names():
        assert report.rows["model"][metric].value == report.rows["gold"][metric].value == report.macro[metric] == 1.0
        assert report.rows["null"][metric].value < 1.0
        assert f"{metric} " in done.out
        for reading in ("strict", "lenient"):
            assert report.readings[reading][metric].value == 1.0
    assert f"n = {len(test_set)} pairs from 3 conversations; 0 errors, 0 unscored" in done.out

    before = (tmp_path / "run" / "data" / "test.jsonl").read_bytes()
    rows = [json.loads(line) for line in before.splitlines()]
    assert [row["pair_id"] for row in rows] == [pair.id for pair in test_set]
    assert all(row["reason"] is None and row["error"] is None for row in rows)

    (tmp_path / "others.jsonl").write_text((tmp_path / "answers.jsonl").read_text() + "\n")
    again = ["evaluate", "--dataset", "ada/sample", "--no-push", "--out", "run"]
    repeated, other = terminal.run_all(([*again, "replay:answers.jsonl"], [*again, "replay:others.jsonl", "--resume"]))
    repeated.refused(f"already holds {len(test_set)} answers", "--resume", "--out")
    other.refused("holds another run", "now ['replay:others.jsonl@sha256:", "--out")
    assert (tmp_path / "run" / "data" / "test.jsonl").read_bytes() == before


def _damage(place: int, text: str) -> str | None:
    """Return one of five kinds of answers: right, in prose, with a wrong argument, none, and talk without a call."""
    kinds: list[Callable[[], str | None]] = [
        lambda: text,
        lambda: f"Let me see.\n{text}",
        lambda: text.replace('"arguments": {', '"arguments": {"town": "Nowhere", ', 1),
        lambda: None,
        lambda: "Good evening!",
    ]
    return kinds[place % len(kinds)]()


def test_each_kind_of_bad_answer_is_seen_for_what_it_is(
    replay: Callable[..., Any], test_set: list[TurnPair], tmp_path: Path
) -> None:
    """Prose costs the strict reading alone, a wrong argument costs points, talk scores nothing, none is no score."""
    limit = 20
    printed = json.loads(replay(_damage, "--limit", str(limit), "--json").worked().out)
    assert printed["pushed"] == []
    assert printed["report"] == json.loads((tmp_path / "run" / "report.json").read_text())
    rows = [row for _, row in read_jsonl(tmp_path / "run" / "data" / "test.jsonl")]
    assert [row["pair_id"] for row in rows] == [pair.id for pair in test_set[:limit]]
    right, prose, wrong, missing, talk = (rows[kind::5] for kind in range(5))
    for metric in metric_names():
        assert {row[metric] for row in (*right, *prose)} == {1.0}
        assert {row[metric] for row in missing} == {None}
    assert {row["tool_call_equivalence"] for row in (*wrong, *talk)} == {0.0}
    assert all(row["staged_tool_call"] < 1.0 for row in (*wrong, *talk))
    assert {(row["raw"], row["reason"], row["error"]) for row in missing} == {(None, *["no answer recorded"] * 2)}
    assert all(row["reason"] and row["error"] is None for row in talk)

    report = read_report(tmp_path / "run" / "report.json")
    fifth = limit // 5
    for metric, one in report.rows["model"].items():
        assert (one.n, one.errors, one.unscored) == (limit - fifth, fifth, fifth)
        assert one.value < report.rows["gold"][metric].value == 1.0
        assert report.readings["strict"][metric].value < report.readings["lenient"][metric].value
        assert report.readings["lenient"][metric] == one  # the headline, by the same rule
    assert (report.cut, report.cut_words[:7]) == (None, "Whether")


@pytest.mark.parametrize(("every", "warned"), [(10, True), (100, False)])
def test_answers_that_ended_at_the_limit_are_counted_and_warned_of(
    terminal: Any, test_set: list[TurnPair], tmp_path: Path, every: int, warned: bool
) -> None:
    """In the table, the report and the comment; where it was not recorded they say that it is unknown."""
    rows = [
        {"pair_id": pair.id, "raw": "<tool_call>", "finish_reason": "stop" if place % every else "length"}
        for place, pair in enumerate(test_set)
    ]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["evaluate", "replay:answers.jsonl", "--dataset", "ada/sample", "--no-push", "--out", "run"]
    done = terminal(*words, "--markdown", "comment.md").worked()
    cut = len(range(0, len(test_set), every))
    report = read_report(tmp_path / "run" / "report.json")
    assert (report.cut, report.ended, report.many_cut) == (cut, len(test_set), warned)
    said = f"{cut} of {len(test_set)} answers ("
    for text in (" ".join(done.out.split()), (tmp_path / "comment.md").read_text()):
        assert said in text
        assert ("evaluate again with a larger --max-tokens" in text) is warned


def test_a_replay_file_that_cannot_be_used_is_refused_by_file_and_line(terminal: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"pair_id": "sample-0000:0", "raw": "x"}\n{"pair_id": "a", "raw": 3}\n')
    (tmp_path / "foreign.jsonl").write_text('{"pair_id": "elsewhere:0", "raw": "x"}\n')
    nowhere, bad, foreign = terminal.run_all(
        ["evaluate", f"replay:{name}.jsonl", "--dataset", "ada/sample", "--no-push", "--out", "run"]
        for name in ("nowhere", "bad", "foreign")
    )
    nowhere.refused("nowhere.jsonl", "No such file")
    bad.refused("bad.jsonl, line 2", "pair_id", "raw")
    foreign.refused("answered none of the 30 pairs", "no answer for this pair", "--resume")


@pytest.fixture
def bobs_results(replay: Callable[..., Any], terminal: Any) -> Callable[..., Any]:
    """Evaluate damaged answers, publish them as Bob's, and return his `tft export` of them."""
    replay(_damage).worked()
    bobs = {"HF_TOKEN": "hf_bob_write"}
    again = ("--dataset", "ada/sample", "--out", "run", "--resume", "--max-unscored", "1", "--namespace", "bob")
    terminal("evaluate", "replay:answers.jsonl", *again, **bobs).worked()
    words = ("export", "bob/tft-benchmark-results", "--format", "eee", "--out")
    return lambda out, arm="replay-answers.jsonl": terminal(*words, out, "--arm", arm, **bobs)


def test_published_results_are_exported_as_a_record(bobs_results: Callable[..., Any], tmp_path: Path) -> None:
    """Of a results dataset, the record has the figures of the report that was pushed, and its owner."""
    bobs_results("record.json").worked()
    record = json.loads((tmp_path / "record.json").read_text())
    report = read_report(tmp_path / "run" / "report.json")
    found = {one["evaluation_result_id"]: one["score_details"]["score"] for one in record["evaluation_results"]}
    assert found == {metric: one.value for metric, one in report.rows["model"].items()}
    assert record["source_metadata"]["source_organization_name"] == "bob"
    bobs_results("record.json", "nobody").refused("has no report 'nobody'; there are ")


def _checked(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the one record below a folder and its samples; they belong to each other as the datastore has it."""
    [path] = folder.rglob("data/sample/unknown/answers.jsonl/*-*-4???-????????????*[0-9a-f].json")
    record = json.loads(path.read_text())
    detail, samples = record["detailed_evaluation_results"], path.with_name(f"{path.stem}_samples.jsonl")
    assert detail["file_path"] == samples.relative_to(folder).as_posix()
    assert detail["checksum"] == hashlib.sha256(samples.read_bytes()).hexdigest()
    rows = [row for _, row in read_jsonl(samples)]
    assert detail["total_rows"] == len(rows)
    assert {row["evaluation_id"] for row in rows} == {record["evaluation_id"]}
    assert {row["model_id"] for row in rows} == {record["model_info"]["id"]}
    return record, rows


def test_every_turn_is_exported_as_a_sample(
    bobs_results: Callable[..., Any], terminal: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    """From a results dataset and a run's folder alike; the means are those of the record, what was unscored is said."""
    done = bobs_results("published").worked()
    left = len(test_set) // 5 * len(metric_names())
    assert f"left out, turns without a score, for which the format has no place: {left}\n" in done.err
    record, samples = _checked(tmp_path / "published")
    assert record["detailed_evaluation_results"]["additional_details"]["unscored_left_out"] == str(left)
    for one in record["evaluation_results"]:
        mine = [row for row in samples if row["evaluation_result_id"] == one["evaluation_result_id"]]
        scores = [row["evaluation"]["score"] for row in mine]
        assert sum(scores) / len(scores) == pytest.approx(one["score_details"]["score"])
        assert [row["evaluation"]["is_correct"] for row in mine] == [score == 1 for score in scores]
        for row in mine:
            pair = next(pair for pair in test_set if pair.id == row["sample_id"])
            assert row["input"]["reference"] == [parsing.canonical(pair.reference)]
            system, *shown = json.loads(row["input"]["raw"])
            assert system["role"] == "system"
            assert [one.get("content") for one in shown] == [one.content for one in pair.prefix]

    terminal("export", "run", "--format", "eee", "--out", "local").worked()
    assert _checked(tmp_path / "local")[0]["source_metadata"]["source_organization_name"] == "unknown"
    (tmp_path / "taken").touch()
    terminal("export", "run", "--format", "eee", "--out", "taken").refused("taken is a file")
    rows = tmp_path / "run" / "data" / "test.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[1:]))
    terminal("export", "run", "--format", "eee", "--out", "other").refused("they are not of one evaluation")
    rows.unlink()
    terminal("export", "run", "--format", "eee", "--out", "other").refused("no data/test.jsonl beside it")
    assert not (tmp_path / "other").exists()
    for kind, values in (("eval", [record]), ("instance_level_eval", samples)):
        validator = jsonschema.Draft7Validator(every_eval.schema(kind))
        for value in values:
            validator.validate(value)
