"""Turns with several calls through the whole command: a right answer is right in any order, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.records import TurnPair
from harness.data.tasks import SET_METRIC
from harness.evaluation.metrics import metric_names
from harness.evaluation.report_json import read_report
from harness.models.parsing import canonical
from support import parallel_calls


@pytest.fixture(scope="session")
def trips(put: Any, tmp_path_factory: pytest.TempPathFactory) -> list[TurnPair]:
    """The test set with several calls in a turn, on the Hub as `ada/trips`; here its pairs."""
    folder = tmp_path_factory.mktemp("trips")
    parallel_calls.write(folder)
    put("trips", {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.json*")}, kind="dataset")
    return expand_pairs(read_test_conversations(folder / "data" / "conversations" / "test.jsonl"))


Answer = Callable[[TurnPair], str | None]


@pytest.fixture
def answered(terminal: Any, trips: list[TurnPair]) -> Callable[..., Any]:
    """Evaluate what a function of a pair answers into the folder `run`, and return the command."""

    def evaluate(answer: Answer, name: str = "answers", *more: str) -> Any:
        rows = [{"pair_id": pair.id, "raw": answer(pair)} for pair in trips]
        (terminal.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        words = ("evaluate", f"replay:{name}.jsonl", "--dataset", "ada/trips", "--out", f"run-{name}")
        return terminal(*words, *(more or ("--no-push",)))

    return evaluate


def _reversed(pair: TurnPair) -> str:
    return f"I look it up.\n{canonical(*reversed(pair.calls))}"


def test_several_calls_are_right_in_any_order_and_scored_by_their_own_metric(
    answered: Callable[..., Any], trips: list[TurnPair], tmp_path: Path
) -> None:
    done = answered(_reversed).worked()
    report = read_report(tmp_path / "run-answers" / "report.json")
    assert set(report.rows["model"]) == {*metric_names(), SET_METRIC}
    several = [pair for pair in trips if pair.further]
    assert [len(pair.calls) for pair in trips[:6]] == [2, 1, 1, 1, 3, 1]
    for row in ("model", "gold"):
        assert report.rows[row][SET_METRIC].value == report.macro[SET_METRIC] == 1.0
        assert (report.rows[row][SET_METRIC].n, report.rows[row][SET_METRIC].unscored) == (len(trips), 0)
        for metric in metric_names():
            one = report.rows[row][metric]
            assert (one.value, one.n, one.unscored, one.errors) == (1.0, len(trips) - len(several), 0, 0)
    assert report.rows["null"][SET_METRIC].value < 1.0
    assert report.by_tool[SET_METRIC]["find_hotels"].n == 4
    assert report.by_tool["binary_tool_call"]["find_hotels"].n == 0  # called in turns of several calls alone
    assert report.run.config["parallel_turns"] == len(several) == 8
    assert "8 turns have several calls: they are scored by tool_call_set alone" in " ".join(done.out.split())
    rows = [row for _, row in read_jsonl(tmp_path / "run-answers" / "data" / "test.jsonl")]
    for row, pair in zip(rows, trips, strict=True):
        assert row["reference"] == canonical(*pair.calls)
        assert row["prediction"] == canonical(*reversed(pair.calls))
        assert row[SET_METRIC] == 1.0
        assert {row[metric] for metric in metric_names()} == {None if pair.further else 1.0}


WRONG: dict[str, Answer] = {
    "one call too few": lambda pair: canonical(*pair.calls[:-1]) or "Good evening!",
    "one call too many": lambda pair: canonical(*pair.calls, pair.calls[0]),
    "the first call, over and over": lambda pair: canonical(*pair.calls[:1] * max(2, len(pair.calls))),
    "another argument": lambda pair: canonical(*pair.calls).replace('"arguments": {', '"arguments": {"x": 1, ', 1),
    "a further call that is cut": lambda pair: f'{canonical(*pair.calls)}\n<tool_call>\n{{"name": "get_weather", "arg',
    "one of the calls in thinking": lambda pair: (
        f"{canonical(*pair.calls[:-1])}<think>{canonical(pair.calls[-1])}</think>"
    ),
    "text": lambda _: "Good evening!",
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_not_exactly_the_calls_is_wrong(kind: str, answered: Callable[..., Any], tmp_path: Path) -> None:
    answered(WRONG[kind]).worked()
    report = read_report(tmp_path / "run-answers" / "report.json")
    for reading in (report.rows["model"], report.readings["strict"], report.readings["lenient"]):
        assert (reading[SET_METRIC].value, reading[SET_METRIC].unscored) == (0.0, 0)


def test_no_answer_is_no_score(answered: Callable[..., Any], trips: list[TurnPair], tmp_path: Path) -> None:
    missing = {pair.id for pair in islice(trips, 3)}
    answered(lambda pair: None if pair.id in missing else canonical(*pair.calls)).worked()
    one = read_report(tmp_path / "run-answers" / "report.json").rows["model"][SET_METRIC]
    assert (one.value, one.n, one.errors, one.unscored) == (1.0, len(trips) - 3, 3, 3)
    one = read_report(tmp_path / "run-answers" / "report.json").rows["model"]["binary_tool_call"]
    assert (one.value, one.errors, one.unscored) == (1.0, 2, 2)  # the third has several calls


def test_the_judge_is_asked_about_turns_with_one_call(
    answered: Callable[..., Any], trips: list[TurnPair], tmp_path: Path
) -> None:
    answered(_reversed, "judged", "--judge", "rules:judge", "--no-push").worked()
    judged = read_report(tmp_path / "run-judged" / "report.json").rows["model"]["llm-as-a-judge"]
    assert (judged.value, judged.n, judged.unscored) == (1.0, sum(not pair.further for pair in trips), 0)
    rows = [row for _, row in read_jsonl(tmp_path / "run-judged" / "data" / "test.jsonl")]
    assert {row["judge_reason"] for row in rows if row["llm-as-a-judge"] is None} == {
        "not judged: the turn has several calls"
    }


def test_results_are_pushed_compared_and_scored_again(
    answered: Callable[..., Any], terminal: Any, trips: list[TurnPair], tmp_path: Path
) -> None:
    """Turns that most metrics do not score are no failures, so nothing stands in the way of publishing."""
    answered(_reversed, "right", "--namespace", "ada").worked()
    answered(WRONG["one call too few"], "wrong").worked()
    rows = {name: tmp_path / f"run-{name}" / "data" / "test.jsonl" for name in ("right", "wrong")}
    compared = json.loads(terminal("compare", str(rows["right"]), str(rows["wrong"]), "--json").worked().out)
    assert next(iter(compared["metrics"])) == SET_METRIC
    assert compared["metrics"][SET_METRIC]["difference"]["value"] == -1.0
    plain = tmp_path / "plain.jsonl"  # without scores: they are computed again
    keep = ("pair_id", "conversation", "turn", "reference", "prediction")
    lines = [json.dumps({key: row[key] for key in keep}) for _, row in read_jsonl(rows["wrong"])]
    plain.write_text("\n".join(lines) + "\n")
    again = json.loads(terminal("compare", str(rows["right"]), str(plain), "--json").worked().out)
    assert again["metrics"] == compared["metrics"]


def test_rows_with_several_calls_in_the_published_layout(terminal: Any, trips: list[TurnPair], tmp_path: Path) -> None:
    """A list and elements state the same reference; without the option such rows are unscored, and that is said."""
    listed = json.dumps([{"name": one.name, "parameters": one.arguments} for one in trips[0].calls])
    elements = canonical(*trips[0].calls)
    asked = json.dumps([{"role": "user", "content": "Hello"}])
    answers = [(listed, elements), (elements, listed), (canonical(trips[1].reference), canonical(trips[1].reference))]
    rows = [{"question": asked, "answer": one, "prediction": other} for one, other in answers]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("score", "rows.jsonl", "--out", "scored.jsonl", "--json")
    plain, parallel = terminal(*words).worked(), terminal(*words, "--parallel-tool-calls").worked()
    assert json.loads(plain.out)["rows_with_several_calls"] == 2
    said = "2 rows have answers of several calls, which --parallel-tool-calls adds a metric for"
    assert said in terminal(*words[:-1]).worked().err
    for done, metrics in ((plain, metric_names()), (parallel, metric_names(parallel=True))):
        found = json.loads(done.out)["metrics"]
        assert list(found) == metrics
        for metric, one in found.items():
            assert (one["mean"], one["n"]) == (1.0, 3 if metric == SET_METRIC else 1)


def test_a_task_with_one_call_per_turn_refuses_turns_with_several(put: Any, terminal: Any, tmp_path: Path) -> None:
    parallel_calls.write(tmp_path / "set", parallel=False)
    files = {path.relative_to(tmp_path / "set").as_posix(): path for path in (tmp_path / "set").rglob("*.json*")}
    put("single", files, kind="dataset")
    (tmp_path / "answers.jsonl").write_text('{"pair_id": "x", "raw": "x"}\n')
    done = terminal("evaluate", "replay:answers.jsonl", "--dataset", "ada/single", "--no-push", "--out", "run")
    done.refused("message 1: 2 calls in one turn", '"parallel_tool_calls": true in job_description.json')
