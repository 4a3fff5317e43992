"""A leaderboard puts results on the same test set side by side, and says who cannot be told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from harness.evaluation.records import EvalReport, EvalRun
from harness.reports.leaderboard import boards
from harness.statistics.estimates import estimate

PAIRS = [(f"c{number // 10}:{number % 10}", f"c{number // 10}") for number in range(300)]


@pytest.fixture
def result() -> Callable[..., tuple[EvalReport, list[dict[str, Any]]]]:
    """A result: each pair right with the given chance."""

    def make(chance: float, seed: int = 0, **changes: Any) -> tuple[EvalReport, list[dict[str, Any]]]:
        values = [1.0 if Random(f"{seed}:{pair}").random() < chance else 0.25 for pair, _ in PAIRS]
        settings: dict[str, Any] = {
            "model": "vllm:me/a",
            "model_revision": None,
            "dataset": "me/testset",
            "dataset_revision": "b" * 40,
            "config": {"pairs": 300, "pairs_in_test_set": 300},
            "prompt_sha256": "",
            "versions": {},
            "date": "",
            "timings": {},
        }
        run = EvalRun(**{**settings, **changes})
        scored = estimate(values, [conversation for _, conversation in PAIRS])
        report = EvalReport(
            run=run, rows={"model": {"staged_tool_call": scored}}, by_tool={}, macro={}, readings={}, tokens={}
        )
        rows = [
            {"pair_id": pair, "conversation": conversation, "staged_tool_call": value}
            for (pair, conversation), value in zip(PAIRS, values, strict=True)
        ]
        return report, rows

    return make


def test_what_is_much_worse_is_in_a_later_group_and_what_is_equal_in_the_same(result: Any) -> None:
    made = {"best": result(0.9, 1), "same": result(0.88, 2), "bad": result(0.3, 3)}
    (board,) = boards({name: report for name, (report, _) in made.items()}, {n: rows for n, (_, rows) in made.items()})
    assert [(place.config, place.group) for place in board.places][2] == ("bad", 2)
    assert {place.config: place.group for place in board.places[:2]} == {"best": 1, "same": 1}
    assert (board.metric, board.judge) == ("staged_tool_call", None)


def test_other_test_sets_have_their_own_board_and_parts_have_no_group(result: Any) -> None:
    part = {"config": {"pairs": 40, "pairs_in_test_set": 300}}
    made = {"a": result(0.9), "b": result(0.9, dataset_revision="c" * 40), "part": result(0.9, **part)}
    found = boards({name: report for name, (report, _) in made.items()}, {n: rows for n, (_, rows) in made.items()})
    assert [[(place.config, place.group) for place in board.places] for board in found] == [
        [("a", 1), ("part", None)],
        [("b", 1)],
    ]


def test_each_arithmetic_has_its_own_board_and_endpoints_stand_beside_the_default(result: Any) -> None:
    fast = {"config": {"pairs": 300, "pairs_in_test_set": 300, "arithmetic": "float32, compiled, attention split"}}
    made = {
        "fast": result(0.9, **fast),
        "other": result(0.9, config={**fast["config"], "arithmetic": "bfloat16, compiled, attention split"}),
        "usual": result(0.8),
        "endpoint": result(0.7, model="openai:large"),
    }
    found = boards({name: report for name, (report, _) in made.items()}, {n: rows for n, (_, rows) in made.items()})
    assert [(board.arithmetic, [place.config for place in board.places]) for board in found] == [
        (None, ["usual", "endpoint"]),
        ("bfloat16, compiled, attention split", ["other"]),
        ("float32, compiled, attention split", ["fast"]),
    ]


def test_the_judge_orders_only_where_it_is_the_same_one(result: Any) -> None:
    reports, tables = {}, {}
    for name, judge, chance in (("a", "rules:judge", 0.9), ("b", "rules:judge", 0.2)):
        report, rows = result(chance, config={"pairs": 300, "pairs_in_test_set": 300, "judge": [judge]})
        # The judge thinks the opposite of the code.
        judged = [{**row, "llm-as-a-judge": 1.25 - row["staged_tool_call"]} for row in rows]
        mean = estimate([row["llm-as-a-judge"] for row in judged], [row["conversation"] for row in judged])
        row = {**report.rows["model"], "llm-as-a-judge": mean}
        reports[name], tables[name] = dataclasses.replace(report, rows={"model": row}), judged
    (board,) = boards(reports, tables)
    assert [place.config for place in board.places] == ["b", "a"]
    assert board.judge == "rules:judge"
    config = {**reports["b"].run.config, "judge": ["openai:x"]}
    reports["b"] = dataclasses.replace(reports["b"], run=dataclasses.replace(reports["b"].run, config=config))
    (board,) = boards(reports, tables)
    assert (board.metric, [place.config for place in board.places]) == ("staged_tool_call", ["a", "b"])
