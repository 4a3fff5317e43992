"""Agreement, calibration and corrected scores against statsmodels, formulas written out, and simulation."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from statsmodels.stats.inter_rater import cohens_kappa

from benchmarks import coverage as simulations
from harness.cli.__main__ import tft
from harness.errors import DataError, HarnessError, UsageError
from harness.statistics.agreement import agreement, calibrate, corrected_score, kappa
from harness.statistics.intervals import share_interval
from harness.statistics.records import Estimate

SIZES = [6, 7, 7, 8, 9, 9, 10, 10, 11, 12, 13, 15, 16, 21] * 2
"""Turn pairs of made-up conversations, about as unequal as real ones."""


def _votes(seed: int, raters: int = 3, cases: int = 40, missing: float = 0.2) -> dict[str, list[float | None]]:
    random = Random(seed)
    truth = [random.random() < 0.8 for _ in range(cases)]
    return {
        f"judge {name}": [
            None if random.random() < missing else float(true if random.random() < 0.85 else not true) for true in truth
        ]
        for name in range(raters)
    }


def _cases(votes: dict[str, list[float | None]]) -> list[list[float]]:
    return [[vote for vote in case if vote is not None] for case in zip(*votes.values(), strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_alpha_is_one_less_the_disagreement_found_over_that_expected(seed: int) -> None:
    """Krippendorff's definition over pairs of votes: a case of m votes weighs each of its pairs 1/(m-1)."""
    votes = _votes(seed)
    cases = [case for case in _cases(votes) if len(case) > 1]
    pool = [vote for case in cases for vote in case]
    found = sum(2 * (x != y) / (len(case) - 1) for case in cases for x, y in combinations(case, 2)) / len(pool)
    expected = sum(2 * (x != y) for x, y in combinations(pool, 2)) / (len(pool) * (len(pool) - 1))
    result = agreement(votes, range(40))
    assert result.alpha == pytest.approx(1 - found / expected)
    assert (result.raters, result.n) == (3, len(cases))


@pytest.mark.parametrize("seed", range(5))
def test_observed_agreement_and_ac1_follow_their_definitions(seed: int) -> None:
    votes = _votes(seed, raters=4)
    cases = _cases(votes)
    pairs = [[x == y for x, y in combinations(case, 2)] for case in cases if len(case) > 1]
    observed = sum(sum(case) / len(case) for case in pairs) / len(pairs)
    share = np.mean([np.mean(case) for case in cases if case])
    chance = share * (1 - share) + (1 - share) * share
    result = agreement(votes, range(40))
    assert result.observed == pytest.approx(observed)
    assert result.ac1 == pytest.approx((observed - chance) / (1 - chance))


def test_ac1_stays_high_where_kappa_falls_for_lack_of_bad_cases() -> None:
    """The paradox that AC1 is for: 118 of 125 agree, and hardly any is bad."""
    a, b = [1.0] * 118 + [1.0] * 5 + [0.0] * 2, [1.0] * 118 + [0.0] * 5 + [1.0] * 2
    result = agreement({"a": a, "b": b}, range(125))
    assert result.ac1 == pytest.approx(0.9408, abs=5e-5)
    assert result.kappa["a | b"].value == pytest.approx(-0.0234, abs=5e-5)


def test_what_the_votes_do_not_define_is_none() -> None:
    nothing = agreement({"a": [1.0, None], "b": [None, 0.0]}, ["x", "y"])
    assert (nothing.n, nothing.observed, nothing.alpha, nothing.ac1) == (0, None, None, None)
    assert nothing.kappa == {"a | b": Estimate(value=None, low=None, high=None, n=0, clusters=0, unscored=2)}
    unanimous = agreement({"a": [1.0, 1.0], "b": [1.0, 1.0]}, ["x", "y"])
    assert (unanimous.observed, unanimous.alpha, unanimous.ac1) == (1.0, None, 1.0)
    assert (unanimous.kappa["a | b"].value, unanimous.kappa["a | b"].n) == (None, 2)
    assert agreement({}, []).raters == 0
    with pytest.raises(ValueError, match=r"shorter|longer"):
        agreement({"a": [1.0], "b": [1.0, 0.0]}, ["x"])


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_its_error_are_those_of_statsmodels_where_rows_are_independent(seed: int) -> None:
    a, b = _votes(seed, raters=2, cases=120, missing=0.0).values()
    table = np.histogram2d(a, b, bins=2)[0]
    reference = cohens_kappa(table)
    found = kappa(a, b, range(120))
    assert found.value == pytest.approx(reference.kappa)
    agree = np.trace(table) / 120
    chance = (agree - reference.kappa) / (1 - reference.kappa)
    error = reference.std_kappa * (1 - chance) * math.sqrt(120 / 119)
    expected = [(end - chance) / (1 - chance) for end in share_interval(agree, error, 119, 120)]
    assert [found.low, found.high] == pytest.approx(expected)


def test_kappa_of_perfect_agreement_keeps_an_interval_and_lies_within_its_range() -> None:
    found = kappa([1.0, 0.0] * 10, [1.0, 0.0] * 10, [place // 4 for place in range(20)])
    assert found.value == found.high == 1.0
    assert 0 < found.low < 1
    opposite = kappa([1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0], range(4))
    assert opposite.low >= -1.0
    assert kappa([1.0, 0.0], [1.0, 0.0], ["x", "x"]).low is None


@pytest.mark.parametrize("labelled", [None, 10])
def test_intervals_cover_kappa_and_the_score_that_a_lenient_judge_misses(labelled: int | None) -> None:
    """Three standard errors of the simulation around the limits of the benchmark; 10 conversations or 100 rows."""
    judge = simulations.Judge(good=0.8, finds=0.6, false_bad=0.02, latent=0.15)
    rates = simulations.judge_rates(SIZES, judge, labelled, draws=400)
    assert 0.935 - 0.035 <= rates["kappa"] <= 0.965 + 0.025
    assert 0.935 - 0.035 <= rates["corrected"] <= 0.965 + 0.025
    assert rates["naive"] < 0.6
    assert rates["width"] < 0.92  # and the corrected interval is narrower than that of the labels alone


def test_a_judge_that_knows_nothing_leaves_the_score_to_the_labels() -> None:
    labels: list[float | None] = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, None, None]
    found = corrected_score([1.0] * 8, labels, [0, 0, 1, 1, 2, 2, 3, 3])
    assert found.value == pytest.approx(4 / 6)
    assert (found.n, found.clusters) == (8, 4)


def test_a_judge_that_is_always_right_is_believed_on_the_rest() -> None:
    verdicts = [float(place % 3 != 0) for place in range(90)]
    labels = [verdict if place < 45 else None for place, verdict in enumerate(verdicts)]
    found = corrected_score(verdicts, labels, [place // 5 for place in range(90)])
    assert found.value == pytest.approx(sum(verdicts) / 90, abs=0.02)


def test_rows_without_a_verdict_are_unscored_and_without_labels_there_is_no_value() -> None:
    found = corrected_score([1.0, None, 0.0, 1.0], [1.0, 1.0, None, None], ["x", "x", "y", "z"])
    assert (found.n, found.unscored, found.value, found.low) == (3, 1, 1.0, None)
    assert corrected_score([1.0, 0.0], [None, None], ["x", "y"]).value is None


VERDICTS: list[float | None] = [0.0, 0.0, 1.0, 1.0, 0.0, None, 1.0, 0.0]
LABELS: list[float | None] = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, None, None]
TOOLS = ["Find", "Find", "Find", "Find", "Say", "Say", "Say", "Say"]
SAME = [True, True, True, True, False, True, True, True]
CONVERSATIONS = ["a", "a", "b", "b", "c", "c", "d", "d"]


def test_bad_is_what_is_looked_for() -> None:
    found = calibrate(VERDICTS, LABELS, TOOLS, SAME, CONVERSATIONS)
    assert (found.true_bad, found.false_bad, found.true_good, found.false_good) == (2, 1, 1, 1)
    assert (found.n, found.unscored, found.clusters, found.base_rate) == (5, 1, 3, 0.6)
    assert (found.agreement.value, found.sensitivity.value, found.specificity.value) == (0.6, pytest.approx(2 / 3), 0.5)
    assert (found.sensitivity.n, found.sensitivity.unscored, found.specificity.n) == (3, 1, 2)
    assert (found.same_name_recall.value, found.same_name_recall.n, found.same_name_false_bad.value) == (0.5, 2, 0.5)
    assert found.kappa.value == pytest.approx(cohens_kappa([[2, 1], [1, 1]]).kappa)
    assert found.names_only_kappa == pytest.approx(cohens_kappa([[1, 0], [2, 2]]).kappa)
    assert found.by_tool == {
        "Find": {"n": 4, "bad": 2, "agreement": 0.5, "kappa": 0.0, "recall": 0.5},
        "Say": {"n": 1, "bad": 1, "agreement": 1.0, "recall": 1.0},
    }
    assert found.corrected == corrected_score(VERDICTS, LABELS, CONVERSATIONS)


def test_labels_of_one_class_or_none_leave_kappa_undefined() -> None:
    good = calibrate([1.0, 0.0], [1.0, 1.0], ["f", "f"], [True, True], ["a", "b"])
    assert (good.kappa.value, good.sensitivity.value, good.specificity.value, good.corrected) == (None, None, 0.5, None)
    assert good.names_only_kappa is None
    assert good.by_tool == {"f": {"n": 2, "bad": 0, "agreement": 0.5}}
    nothing = calibrate([1.0, None], [None, 0.0], ["f", "f"], [True, True], ["a", "b"])
    assert (nothing.n, nothing.unscored, nothing.base_rate, nothing.kappa.value) == (0, 1, 0.0, None)
    assert (nothing.corrected, nothing.by_tool) == (None, {})
    assert calibrate([], [], [], [], []).agreement.value is None


def _file(tmp_path: Path, verdicts: list[Any], labels: list[Any]) -> Path:
    path = tmp_path / "judged.jsonl"
    rows = [
        {
            "pair_id": f"{CONVERSATIONS[place]}:{place}",
            "conversation": CONVERSATIONS[place],
            "turn": place,
            "reference": {"name": TOOLS[place], "arguments": {}},
            "prediction": json.dumps({"name": TOOLS[place] if SAME[place] else "Other", "arguments": {}}),
            "llm-as-a-judge": verdict,
            "human": label,
        }
        for place, (verdict, label) in enumerate(zip(verdicts, labels, strict=True))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(tft, ["agreement", *map(str, arguments)], env={"COLUMNS": "100"})


def _refusal(error: type[HarnessError], *arguments: object) -> str:
    result = _run(*arguments)
    assert isinstance(result.exception, error), result.output
    return str(result.exception)


WRITTEN = ["bad", "GOOD", 0, 1.0, False, " Bad ", None, None]


def test_the_command_prints_the_calibration_of_the_rows_however_labels_are_written(tmp_path: Path) -> None:
    result = _run(_file(tmp_path, VERDICTS, WRITTEN), "--label", "human", "--json")
    found = json.loads(result.stdout)
    expected = calibrate(VERDICTS, LABELS, TOOLS, SAME, CONVERSATIONS)
    assert found["corrected"]["value"] == expected.corrected.value
    assert (found["true_bad"], found["false_good"], found["unscored"]) == (2, 1, 1)
    assert found["kappa"]["high"] == expected.kappa.high
    assert found["names_only_kappa"] == expected.names_only_kappa
    assert found["naive"]["value"] == pytest.approx(3 / 7)


def test_the_command_says_what_is_positive_and_shows_both_scores(tmp_path: Path) -> None:
    shown = _run(_file(tmp_path, VERDICTS, WRITTEN), "--label", "human").stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["judge", "bad", "2", "1"] in lines
    assert ["judge", "good", "1", "1"] in lines
    assert "Positive is bad" in shown
    assert "corrected by the labels" in shown
    assert ["Find", "4", "2", "0.500", "0.000", "0.500"] in lines
    everything = _run(_file(tmp_path, VERDICTS[:6], WRITTEN[:6]), "--label", "human").stdout
    assert "corrected" not in everything


def test_the_command_refuses_with_the_next_step(tmp_path: Path) -> None:
    file = _file(tmp_path, VERDICTS, WRITTEN)
    assert "its columns are pair_id, conversation" in _refusal(DataError, file, "--label", "humans")
    assert "`tft judge` adds it" in _refusal(DataError, file, "--label", "human", "--column", "rules")
    assert "both 'human'" in _refusal(UsageError, file, "--label", "human", "--column", "human")
    assert "line 1: prediction is" in _refusal(DataError, file, "--label", "prediction")
    apart = _file(tmp_path, [None, 1.0], ["bad", None])
    assert "1 rows have a label and no verdict" in _refusal(DataError, apart, "--label", "human")


def test_published_verdicts_agree_with_themselves(sources: Path, tmp_path: Path) -> None:
    """Published rows carry no ids: conversations follow from their questions."""
    rows = [json.loads(line) for line in (sources / "tft-benchmark/predictions/tuned.jsonl").read_text().splitlines()]
    path = tmp_path / "copy.jsonl"
    path.write_text("".join(json.dumps({**row, "mine": row["llm-as-a-judge"]}) + "\n" for row in rows))
    found = json.loads(_run(path, "--label", "mine", "--json").stdout)
    assert (found["n"], found["true_bad"], found["true_good"], found["clusters"]) == (78, 12, 66, 9)
    assert (found["kappa"]["value"], found["kappa"]["high"]) == (1.0, 1.0)
    assert found["same_name_recall"]["value"] == 1.0
    assert sum(one["n"] for one in found["by_tool"].values()) == 78
