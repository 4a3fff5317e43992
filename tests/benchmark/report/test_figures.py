"""The summary's figures are those of the rows, and what must not stand beside the others does not."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.benchmark.record import CellRecord
from harness.benchmark.report.format import share_of_runs
from harness.errors import DataError, UsageError
from harness.evaluation.results import config_name, report_file
from harness.statistics.estimates import holm, paired

JUDGE, STAGED = "llm-as-a-judge", "staged_tool_call"
Made = Callable[..., Any]


def _rows(files: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files[f"data/{config_name(name)}/test.jsonl"].splitlines()]


def _edited(files: Mapping[str, str], path: str, change: Callable[[Any], None]) -> dict[str, str]:
    value = json.loads(files[path])
    change(value)
    return {**files, path: json.dumps(value)}


def test_every_figure_is_that_of_the_rows(files: Made, summary: Made, ten: list[Any], pairs: Any) -> None:
    tools = {pair.id: pair.reference.name for pair in pairs}
    made = files(*ten)
    found = summary(made)
    assert found.metric == JUDGE
    assert found.metrics[:2] == (JUDGE, STAGED)
    p_values: dict[str, list[float | None]] = defaultdict(list)
    for row in found.main.rows:
        columns: dict[tuple[str, str], list[float | None]] = {}
        for one in row.cells:
            rows = _rows(made, one.done[0].model)
            for metric, score in one.scores.items():
                values = columns[one.arm, metric] = [line[metric] for line in rows]
                known = [value for value in values if value is not None]
                assert score.overall.value == pytest.approx(statistics.fmean(known))
                assert (score.overall.n, score.overall.unscored) == (len(known), len(values) - len(known))
                assert score.overall.errors == sum(line["error"] is not None for line in rows)
                by_tool = defaultdict(list)
                for line in rows:
                    if line[metric] is not None:
                        by_tool[tools[line["pair_id"]]].append(line[metric])
                means = {tool: statistics.fmean(found) for tool, found in by_tool.items()}
                assert {tool: found.value for tool, found in score.by_tool.items()} == pytest.approx(means)
                assert score.macro == pytest.approx(statistics.fmean(means.values()))
        clusters = [line["conversation"] for line in rows]
        for metric, contrast in row.contrasts.items():
            test = paired(columns["direct", metric], columns["tft", metric], clusters)
            assert (contrast.difference, contrast.p) == (test.difference, test.p)
            p_values[metric].append(test.p)
    for metric, values in p_values.items():
        assert [row.contrasts[metric].adjusted for row in found.main.rows] == holm(values)
    lost = found.main.rows[1].direct.scores[JUDGE].overall
    assert (lost.errors, lost.unscored) == (2, 2)
    assert found.baselines[-1].name == "gold"
    assert found.baselines[-1].scores[STAGED].value == 1.0


def test_the_verdict_names_where_tft_wins_where_direct_wins_and_where_nobody_can_tell(
    files: Made, summary: Made, ten: list[Any]
) -> None:
    found = summary(files(*ten))
    verdict = found.verdict
    assert (verdict.tft, verdict.direct, verdict.untold, verdict.missing) == (("s2", "s3", "s4"), (), ("s5",), ())
    assert verdict.beats_baselines
    assert [row.contrasts[JUDGE].tie for row in found.main.rows] == [True, False, False, False, True]
    text = " ".join(verdict.sentences)
    assert "TFT is significantly better than Direct in S2" in text
    assert "In S5 the two cannot be told apart: the student is too small (or the data too few) to tell." in text
    least = 100 * found.main.rows[4].contrasts[JUDGE].smallest_detectable
    assert f"detectable {least:.1f}" in text
    turned = [replace(one, chance=0.4 if "-tft-" in one.name else 0.8) for one in ten if "-s2-" in one.name]
    other = summary(files(*turned))
    assert (other.verdict.direct, other.verdict.missing) == (("s2",), ("s3", "s4", "s5"))
    assert "Direct is significantly better than TFT in S2" in " ".join(other.verdict.sentences)
    assert other.main.rows[2].tft.status == other.main.rows[2].direct.status == "not run"


def test_a_student_no_better_than_a_baseline_is_said_to_be_too_small(files: Made, summary: Made, cell: Made) -> None:
    found = summary(files(cell(2, "tft", 0.02), cell(2, "direct", 0.02)))
    assert found.verdict.beats_baselines is False
    assert found.verdict.sentences[0].startswith("The student is too small to tell anything about the pipelines")


def test_several_seeds_are_averaged_turn_by_turn_and_their_spread_is_shown(
    files: Made, summary: Made, cell: Made
) -> None:
    seeds = [cell(2, arm, chance, seed=seed) for arm, chance in (("tft", 0.8), ("direct", 0.5)) for seed in range(3)]
    made = files(*seeds)
    found = summary(made)
    row = next(row for row in found.main.rows if row.scenario == "s2")
    assert found.seeds == (0, 1, 2)
    means = [statistics.fmean(line[STAGED] for line in _rows(made, one.name)) for one in seeds]
    tft, direct = (row.tft.scores[STAGED], row.direct.scores[STAGED])
    assert list(tft.by_seed.values()) == pytest.approx(means[:3])
    assert tft.overall.value == pytest.approx(statistics.fmean(means[:3]))
    assert direct.spread == pytest.approx(statistics.stdev(means[3:]))
    contrast = row.contrasts[STAGED]
    assert contrast.difference.value == pytest.approx(statistics.fmean(means[:3]) - statistics.fmean(means[3:]))
    assert list(contrast.by_seed.values()) == pytest.approx([a - b for a, b in zip(means[:3], means[3:], strict=True)])
    # A mean over trainings moves less with the conversations than one training does.
    one = summary(files(seeds[0], seeds[3])).main.rows[1].contrasts[STAGED].difference
    assert contrast.difference.high - contrast.difference.low < one.high - one.low


def test_fair_arms_are_compared_where_both_see_the_same_damage(files: Made, summary: Made, cell: Made) -> None:
    chances = {("tft", False): 0.8, ("direct", False): 0.5, ("tft", True): 0.75, ("direct", True): 0.55}
    models = {key: cell(2, key[0], chance, fair=key[1]) for key, chance in chances.items()}
    found = summary(files(*models.values()))
    assert [table.name for table in found.tables] == ["main", "fair"]
    compared = [(row.note, row.tft.done[0].model, row.direct.done[0].model) for row in found.tables[1].rows]
    assert compared == [
        ("both on TFT's traces", models["tft", False].name, models["direct", True].name),
        ("both without the clean tenth", models["tft", True].name, models["direct", False].name),
    ]
    assert not found.tables[1].rows[0].published
    assert found.main.rows[1].published[JUDGE] == {"tft": 0.844, "direct": 0.721, "points": 12.3}


def test_failed_cells_are_in_the_table_with_stage_and_reason(
    files: Made, summary: Made, record: Made, ten: list[Any]
) -> None:
    done, lost = ten[:3], ten[3]
    fields: dict[str, Any] = {"scenario": "s2", "arm": "direct", "fair": False, "seed": 0}
    failed = CellRecord(**fields, model=lost.name, status="failed", stage="train", problem="no memory left")
    found = summary({**files(*done, lost), **record(done, [failed])})
    run = found.main.rows[1].direct.runs[0]
    assert (run.status, run.stage) == ("failed", "train")
    assert run.problem.startswith("no memory left; a result of it in the dataset is from another run")
    assert not found.main.rows[1].direct.scores
    assert "S2 has no comparison: Direct failed at train." in found.verdict.sentences
    assert found.main.rows[4].tft.runs[0].status == "not run"


def _part(report: Any) -> None:
    report["run"]["config"]["pairs"] = 3


def _elsewhere(report: Any) -> None:
    report["run"]["dataset_revision"] = "f" * 40


def _better(report: Any) -> None:
    report["rows"]["model"][STAGED]["value"] = 0.99


_UNUSABLE = {
    "only the first 3 of": _part,
    "the others are not": _elsewhere,
    "its report and its rows say different": _better,
}


@pytest.mark.parametrize("reason", _UNUSABLE)
def test_a_result_that_must_not_be_compared_is_left_out_and_says_why(
    files: Made, summary: Made, ten: list[Any], reason: str
) -> None:
    made = _edited(files(*ten), report_file(config_name(ten[2].name)), _UNUSABLE[reason])
    found = summary(made)
    run = found.main.rows[1].tft.runs[0]
    assert run.status == "unusable"
    assert reason in run.problem
    assert "s2" in found.verdict.missing
    assert len(found.main.rows[1].direct.done) == 1


def test_rows_that_are_missing_or_fewer_than_the_others_make_a_result_unusable(
    files: Made, summary: Made, ten: list[Any]
) -> None:
    made = files(*ten)
    gone, short = (f"data/{config_name(one.name)}/test.jsonl" for one in (ten[2], ten[4]))
    kept = made[short].splitlines(keepends=True)[:-1]
    found = summary({path: text for path, text in {**made, short: "".join(kept)}.items() if path != gone})
    assert "rows are missing" in found.main.rows[1].tft.runs[0].problem
    assert "other pairs" in found.main.rows[2].tft.runs[0].problem


def test_a_seed_that_failed_leaves_the_mean_of_the_others_and_is_counted(
    files: Made, summary: Made, record: Made, cell: Made
) -> None:
    seeds = [cell(2, arm, chance, seed=seed) for arm, chance in (("tft", 0.8), ("direct", 0.5)) for seed in range(2)]
    done = [seeds[0], *seeds[2:]]
    fields: dict[str, Any] = {"scenario": "s2", "arm": "tft", "fair": False, "seed": 1, "model": seeds[1].name}
    failed = CellRecord(**fields, status="failed", stage="train", problem="no memory left")
    row = summary({**files(*done), **record(done, [failed], seeds=2)}).main.rows[1]
    assert share_of_runs(row.tft) == "1 of 2 seeds"
    assert share_of_runs(row.direct) == ""
    assert row.tft.scores[STAGED].spread is None
    assert STAGED in row.contrasts
    assert list(row.contrasts[STAGED].by_seed) == [0]


def test_a_damaged_row_is_named(files: Made, summary: Made, ten: list[Any]) -> None:
    path = f"data/{config_name(ten[0].name)}/test.jsonl"
    lines = files(ten[0])[path].splitlines()
    for change, problem in (({"conversation": None}, "'conversation'"), ({STAGED: "1"}, STAGED)):
        lines[2] = json.dumps({**json.loads(lines[2]), "conversation": "c", STAGED: 1.0, **change})
        with pytest.raises(DataError, match=f"test.jsonl, line 3: .*{problem}"):
            summary({**files(ten[0]), path: "\n".join(lines)})


def test_a_note_says_how_many_turns_of_the_test_set_are_text_and_were_not_scored(
    files: Made, summary: Made, ten: list[Any]
) -> None:
    config = {"pairs": 40, "pairs_in_test_set": 40, "text_turns": 7}
    told = [replace(one, changes={"config": config}) for one in ten[:2]]
    assert [note for note in summary(files(*told)).notes if "7 turns of the assistant in the test set are text" in note]
    assert not any("are text and no call" in note for note in summary(files(*ten[:2])).notes)


def test_a_note_says_how_many_test_conversations_a_person_looked_at_where_that_is_known(
    files: Made, summary: Made, ten: list[Any]
) -> None:
    counts = {"conversations": 24, "looked_at": 0, "corrected": 0, "dropped": 0, "taken": 24, "pending": 0}
    config = {"pairs": 40, "pairs_in_test_set": 40}
    told = [replace(one, changes={"config": {**config, "test_approval": counts}}) for one in ten[:2]]
    assert summary(files(*told)).notes[0].startswith("Nobody looked at the 24 test conversations")
    assert not any("looked at" in note for note in summary(files(*ten[:2])).notes)


def test_the_judge_counts_only_where_one_judge_judged_all_and_rules_are_named_so(
    files: Made, summary: Made, ten: list[Any]
) -> None:
    tft, direct = ten[2:4]
    rules = summary(files(tft, direct))
    assert rules.judge.rules
    assert any("not a language model" in note for note in rules.notes)
    assert any("llm-as-a-judge (rules, no language model)" in sentence for sentence in rules.verdict.sentences)
    model = replace(tft, judge="openai:x")
    mixed = summary(files(model, direct))
    assert (mixed.judge, mixed.metric) == (None, STAGED)
    assert JUDGE not in mixed.metrics
    assert any("openai:x, rules:judge" in note for note in mixed.notes)
    single = summary(files(model, replace(direct, judge="openai:x")))
    assert (single.judge.name, single.judge.rules, single.metric) == ("openai:x", False, JUDGE)
    assert summary(files(replace(tft, judge=None), direct)).metric == STAGED


def test_jobs_of_ones_own_have_rows_without_published_figures(files: Made, summary: Made, model: Made) -> None:
    models = [model(name=f"ada/flights-{arm}", chance=chance) for arm, chance in (("tft", 0.8), ("direct", 0.4))]
    cells = [
        CellRecord(scenario="flights", arm=arm, fair=False, seed=0, model=one.name, status="done")  # type: ignore[arg-type]
        for arm, one in zip(("tft", "direct"), models, strict=True)
    ]
    run = {
        "format": 1,
        "preset": "tiny",
        "settings": {},
        "student": f"ada/small@{'d' * 40}",
        "test_set": f"ada/tft-benchmark-testset@{'b' * 40}",
        "seeds": 1,
        "cells": [{**{name: getattr(one, name) for name in CellRecord.__slots__}} for one in cells],
    }
    found = summary({**files(*models), "benchmark.json": json.dumps(run)})
    assert [(row.title, row.number, row.published) for row in found.main.rows] == [("flights", None, {})]
    assert (found.student, found.verdict.tft) == ("small", ("flights",))
    assert "flights (+" in found.verdict.sentences[0]


def test_results_of_others_are_listed_and_a_student_can_be_chosen(
    files: Made, summary: Made, cell: Made, model: Made
) -> None:
    ours = [cell(2, "tft", 0.8), cell(2, "direct", 0.5)]
    published, base = cell(2, "tft", 0.7, owner="distillabs"), model(name="ada/base", chance=0.3)
    larger = cell(2, "tft", 0.9, student="larger")
    made = files(*ours, published, base, larger)
    found = summary(made)
    reasons = {one.model: one.reason for one in found.others}
    assert found.student == "tiny-1M"
    assert reasons == {
        base.name: "no model of the benchmark",
        published.name: "another owner's, not ada's",
        larger.name: "another student, larger",
    }
    assert summary(made, student="larger").main.rows[1].tft.done[0].model == larger.name
    with pytest.raises(UsageError, match="there are larger, tiny-1M"):
        summary(made, student="none")
    with pytest.raises(DataError, match="none of a benchmark model"):
        summary(files(base))


def test_a_result_from_after_the_recorded_run_counts_and_is_said(
    files: Made, summary: Made, record: Made, ten: list[Any]
) -> None:
    run = json.loads(record(ten[:4])["benchmark.json"])
    run["cells"][0]["result"] = "0" * 12
    found = summary({**files(*ten[:6]), "benchmark.json": json.dumps(run)})
    assert any(ten[0].name in note and "again after the recorded run" in note for note in found.notes)
    assert any(ten[4].name in note and "Not of the recorded run" in note for note in found.notes)


def test_a_model_that_calls_one_tool_on_every_turn_is_named(files: Any, summary: Any, ten: Any) -> None:
    found = dict(files(*ten))
    path = f"data/{config_name(ten[0].name)}/test.jsonl"
    same = {"prediction": '{"name": "respond_to_user", "parameters": {"message": "Good evening!"}}'}
    found[path] = "".join(json.dumps(json.loads(line) | same) + "\n" for line in found[path].splitlines())
    (note,) = [note for note in summary(found).notes if note.startswith("Always the same tool")]
    assert f"{ten[0].name} (respond_to_user)" in note
    assert not any(one.name in note for one in ten[1:])
    assert not any(note.startswith("Always the same tool") for note in summary(files(*ten)).notes)
