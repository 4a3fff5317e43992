"""Whether training was worth it: PROCEED, STOP and ITERATE, against all that needs no training, and said in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.benchmark.record import BaselineRecord
from harness.benchmark.report.build import draw
from harness.benchmark.report.thresholds import read_thresholds
from harness.benchmark.report.training_verdict_words import check_worth, say_worth
from harness.benchmark.report.write import write_files
from harness.errors import CheckFailed, DataError, Inconclusive

Made = Callable[..., Any]
STUDENT = "ada/tiny-1M"
UNTRAINED = BaselineRecord(kind="untrained", model=STUDENT, status="done")


@pytest.fixture
def judged(files: Made, summary: Made, cell: Made, model: Made, record: Made) -> Made:
    """The summary of two cells with these chances of a right answer, beside an untrained student with its own."""

    def made(tft: float, direct: float, untrained: float, *more: Any, **options: Any) -> Any:
        cells = [cell(2, "tft", tft, **options.get("cells", {})), cell(2, "direct", direct, **options.get("cells", {}))]
        changes = {"model_revision": "d" * 40, **options.get("changes", {})}
        student = model(name=STUDENT, chance=untrained, changes=changes)
        beside = (UNTRAINED, *(one for one, _ in more))
        others = [other for _, other in more if other is not None]
        found = {**files(*cells, student, *others), **record(cells, baselines=beside)}
        return summary(found, thresholds=options.get("thresholds"))

    return made


def test_a_large_gain_is_worth_it_and_none_is_not(judged: Made) -> None:
    good, none = judged(0.95, 0.9, 0.1), judged(0.3, 0.3, 0.95)
    assert good.worth.decision == "PROCEED"
    assert good.sentences[0].startswith("PROCEED, training was worth it: TFT minus the best of what needs no training")
    check_worth(good.worth)
    assert none.worth.decision == "STOP"
    assert "the untrained student, is −" in none.sentences[0]
    assert "all of it below the minimum effect of 5" in none.sentences[0]
    with pytest.raises(CheckFailed, match="STOP, training was not worth it"):
        check_worth(none.worth)


def test_where_it_cannot_be_told_it_is_said_what_to_change_and_how_many_conversations_would_tell(judged: Made) -> None:
    found = judged(0.6, 0.55, 0.5)
    (row,) = found.worth.rows
    assert row.decision == "ITERATE"
    with pytest.raises(Inconclusive):
        check_worth(found.worth)
    told = " ".join(found.worth.sentences)
    needed = row.gains[row.best].needed
    assert needed > 10
    assert (f"about {needed:,} test" if needed <= 2000 else "more than 2,000 test") in told
    assert "there are 10" in told
    assert "What to change: " in told
    assert "of the answers call" in told


def test_the_best_null_baseline_counts_where_the_untrained_student_is_worse(judged: Made) -> None:
    (row,) = judged(0.9, 0.9, 0.0).worth.rows
    assert row.gains["tft"].over != "untrained"


def test_a_better_arm_never_makes_the_verdict_worse(judged: Made) -> None:
    rank = {"STOP": 0, "ITERATE": 1, "PROCEED": 2}
    found = [rank[judged(chance, 0.3, 0.35).worth.decision] for chance in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert found == sorted(found)
    assert found[-1] == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"changes": {"model_revision": "e" * 40}}, "the trainings began from dddddddddddd"),
        ({"changes": {"dataset_revision": "e" * 40}}, "measured on ada/tft-benchmark-testset at eeeeeeeeeeee"),
        (
            {"changes": {"config": {"arithmetic": "bfloat16, compiled"}}},
            "answered in bfloat16, compiled, the others in",
        ),
    ],
)
def test_an_untrained_student_that_is_not_comparable_gives_no_verdict(judged: Made, options: Any, why: str) -> None:
    found = judged(0.9, 0.9, 0.1, **options)
    assert found.worth.decision == "ITERATE"
    assert why in found.worth.sentences[0]


def test_results_of_earlier_versions_are_reported_and_the_verdict_says_what_is_missing(
    summary: Made, files: Made, ten: list[Any], record: Made
) -> None:
    old = json.loads(record(ten)["benchmark.json"])
    del old["baselines"]
    found = summary({**files(*ten), "benchmark.json": json.dumps(old)})
    assert found.sentences[0].count("`tft benchmark` evaluates it and reuses all results") == 1
    assert found.verdict.tft == ("s2", "s3", "s4")
    assert found.worth.decision == "ITERATE"


def test_the_judge_decides_where_it_judged_all_and_code_where_not(judged: Made) -> None:
    assert judged(0.9, 0.9, 0.1).worth.rows[0].metric == "llm-as-a-judge"
    other = judged(0.9, 0.9, 0.1, changes={"config": {"pairs": 30, "pairs_in_test_set": 30, "judge": ["rules:other"]}})
    assert other.worth.rows[0].metric == "staged_tool_call"


def test_the_other_two_stand_beside_the_models_or_it_is_said_why_not(judged: Made, model: Made, tmp_path: Path) -> None:
    teacher = model(name="openai:large", chance=0.9, changes={"model": "openai:large", "model_revision": None})
    found = judged(
        0.7,
        0.6,
        0.2,
        (BaselineRecord(kind="teacher", model="openai:large", status="done"), teacher),
        (BaselineRecord(kind="logged", model=None, status="left out", problem="none was corrected"), None),
    )
    made = draw(found, tmp_path)
    write_files(made, tmp_path)
    assert "How well the model that wrote the traces does cannot be told: none was corrected." in found.notes
    figures = json.loads((tmp_path / "results.json").read_text())
    assert figures["worth"]["decision"] == found.worth.decision
    assert {one["kind"]: one["status"] for one in figures["beside"]} == {
        "untrained": "done",
        "logged": "left out",
        "teacher": "done",
    }
    assert not figures["others"]
    score = f"{figures['beside'][2]['scores']['staged_tool_call']['value']:.3f}"
    for name in ("RESULTS.md", "index.html"):
        text = (tmp_path / name).read_text()
        assert "the untrained student" in text
        assert score in text.split("the teacher")[1]
    assert f"The teacher has {figures['beside'][2]['scores']['llm-as-a-judge']['value']:.3f}." in made.pictures[0].alt


def test_what_is_no_match_for_the_scores_of_the_cells_is_left_out_or_counted_and_said(
    judged: Made, model: Made, tmp_path: Path
) -> None:
    """A score of another judge, and one on part of the turns."""
    changes = {"model": "openai:large", "model_revision": None}
    teacher = model(name="openai:large", chance=0.9, judge="openai:other", changes=changes)
    changes = {"model": "logged:agent", "model_revision": None}
    logged = model(name="logged:agent", chance=0.9, lost=20, changes=changes)
    found = judged(
        0.7,
        0.6,
        0.2,
        (BaselineRecord(kind="teacher", model="openai:large", status="done"), teacher),
        (BaselineRecord(kind="logged", model="logged:agent", status="done"), logged),
    )
    _, agent, large = found.beside
    assert "llm-as-a-judge" in agent.scores
    assert {"llm-as-a-judge", "staged_tool_call"} & {*large.scores} == {"staged_tool_call"}
    notes = " ".join(found.notes)
    assert "The teacher has no llm-as-a-judge here: openai:other judged it" in notes
    assert "The model that wrote the traces has scores of 79 of 99 turns alone" in notes
    write_files(draw(found, tmp_path), tmp_path)
    for name in ("RESULTS.md", "index.html"):
        assert "logged:agent, 79 of 99 turns" in (tmp_path / name).read_text()


def test_thresholds_are_declared_once_and_a_file_takes_their_place(judged: Made, tmp_path: Path) -> None:
    assert judged(0.9, 0.9, 0.1).worth.thresholds == read_thresholds()
    mine = tmp_path / "mine.yaml"
    mine.write_text("minimum_effect: 0.99\nlevel: 0.05\nmetrics: [staged_tool_call]\n")
    found = judged(0.9, 0.9, 0.1, thresholds=read_thresholds(mine))
    assert found.worth.decision == "STOP"
    mine.write_text("minimum_effect: 0.1\nlevel: 0.05\nmetric: [staged_tool_call]\n")
    with pytest.raises(DataError, match=r"mine.yaml, line 3.*metric"):
        read_thresholds(mine)
    mine.write_text("minimum_effect: 0.1\nlevel: 0.05\nmetrics: [staged_toolcall]\n")
    with pytest.raises(DataError, match=r"mine.yaml, line 3.*no metric 'staged_toolcall'; known are llm-as-a-judge"):
        read_thresholds(mine)


def test_an_arm_without_a_score_keeps_the_others_from_a_stop(judged: Made) -> None:
    found = judged(0.3, 0.3, 0.95)
    (row,) = found.worth.rows
    from harness.statistics.gain import decide

    assert decide([*row.gains.values()], 2) == "STOP"
    assert decide([row.gains["tft"]], 2) == "ITERATE"
    assert decide([replace(row.gains["tft"], decision="PROCEED")], 2) == "PROCEED"


@pytest.mark.parametrize("measured", [False, True], ids=["missing", "open"])
def test_where_only_the_other_arm_is_undecided_the_sentences_are_about_that_one(judged: Made, measured: bool) -> None:
    found = judged(0.3, 0.3, 0.95)
    (row,) = found.worth.rows
    best = replace(row.gains["tft"], value=-0.5)
    other = {"direct": replace(best, value=-0.6, high=0.1, decision="ITERATE", needed=44)} if measured else {}
    row = replace(row, decision="ITERATE", best="tft", gains={"tft": best, **other})
    said = " ".join(say_worth([row], (), found.worth.thresholds).sentences)
    assert f"below the minimum effect of 5, but Direct {'is open' if measured else 'has no score'}." in said
    assert ("If the measured gain of Direct is the true one, it would take about 44 test" in said) is measured
    assert "No number of test conversations" not in said


def test_of_several_scenarios_each_decision_is_one_sentence_and_the_worst_counts(
    summary: Made, files: Made, cell: Made, model: Made, record: Made
) -> None:
    chances = {1: (0.95, 0.9), 2: (0.1, 0.1), 3: (0.95, 0.3)}
    arms = ("tft", "direct")
    cells = [cell(number, arm, one) for number, both in chances.items() for arm, one in zip(arms, both, strict=True)]
    student = model(name=STUDENT, chance=0.6, changes={"model_revision": "d" * 40})
    found = summary({**files(*cells, student), **record(cells, baselines=(UNTRAINED,))})
    assert [row.decision for row in found.worth.rows] == ["PROCEED", "STOP", "PROCEED"]
    assert found.worth.decision == "STOP"
    first, second = found.sentences[:2]
    assert first.startswith("PROCEED, training was worth it in S1 (TFT +")
    assert " and S3 (TFT +" in first
    assert second.startswith("STOP, training was not worth it in S2 (")
