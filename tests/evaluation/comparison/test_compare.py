"""Comparisons and gates: what they say of results whose difference is known."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError, UsageError
from harness.evaluation.comparison.compare import Comparison, compare
from harness.evaluation.comparison.gate import GateVerdict, Rule, gate_verdict
from harness.evaluation.comparison.sides import ComparedResult, choose, make_side, match
from harness.evaluation.metrics import JUDGE_METRIC as JUDGE
from harness.evaluation.metrics import metric_names
from harness.evaluation.predictions import read_predictions
from harness.evaluation.records import EvalReport, EvalRun, Judging, Member

STAGED = "staged_tool_call"
CODE_METRICS = ("staged_tool_call", "binary_tool_call", "tool_call_equivalence", "rouge")
Values = Sequence[float | None]


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def results_rows(values: Values, *, conversations: int = 8, **columns: Any) -> list[dict[str, Any]]:
    """Return rows in the results layout, the pairs dealt to the conversations in turn."""
    return [
        {
            "pair_id": f"c{place % conversations}:{place // conversations}",
            "conversation": f"c{place % conversations}",
            "turn": place // conversations,
            "reference": call("book" if place % 3 else "respond", place=place),
            "prediction": None if value is None else f"answer {place}",
            **dict.fromkeys(CODE_METRICS, value),
            **columns,
        }
        for place, value in enumerate(values)
    ]


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ComparedResult]:
    """Make a side of rows, or of values for the results layout."""
    folder = tmp_path_factory.mktemp("sides")

    def make(content: Sequence[Any], name: str = "side", report: EvalReport | None = None) -> ComparedResult:
        rows = content if content and isinstance(content[0], Mapping) else results_rows(content)
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return make_side(name, path.name, path, read_predictions(path), report)

    return make


def verdict(values: tuple[Values, Values], *, conversations: int = 8, **rule: Any) -> GateVerdict:
    clusters = [str(place % conversations) for place in range(len(values[0]))]
    return gate_verdict(STAGED, values, clusters, rule=Rule(**rule), alpha=0.05)


GRADES: Any = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=40, max_size=40)


@given(GRADES)
@settings(max_examples=15, deadline=None)
def test_a_result_compared_with_itself_differs_in_nothing_and_few_conversations_say_little(
    side: Callable[..., ComparedResult], values: list[float]
) -> None:
    one = side(values)
    found = compare(one, one, choose(one, one), rule=Rule())
    for metric, test in found.metrics.items():
        difference = test.difference
        assert (difference.value, test.p) == (0.0, 1.0)
        assert difference.high == -difference.low == pytest.approx(1 - 0.05 ** (1 / 8))
        assert (test.better, test.worse, test.equal) == (0, 0, 40)
        assert found.adjusted[metric] == 1.0
    assert found.flips == found.warnings == ()
    assert found.verdict
    assert found.verdict.decision == "INCONCLUSIVE"
    assert verdict((values, values), conversations=40, minimum_effect=0.1).decision == "GO"
    assert verdict((values, values), conversations=40, minimum_effect=0.1, claim="better").decision == "NO-GO"


@given(GRADES, GRADES)
@settings(max_examples=25, deadline=None)
def test_exchanging_the_sides_negates_every_difference(
    side: Callable[..., ComparedResult], first: list[float], second: list[float]
) -> None:
    a, b = side(first, "a"), side(second, "b")
    there, back = compare(a, b, [STAGED]), compare(b, a, [STAGED])
    one, other = there.metrics[STAGED], back.metrics[STAGED]
    assert one.difference.value == pytest.approx(-(other.difference.value or 0.0))
    assert one.difference.low == pytest.approx(-(other.difference.high or 0.0))
    assert one.p == other.p
    assert (one.better, one.worse) == (other.worse, other.better)
    assert {(flip.a_value, flip.b_value) for flip in there.flips} == {
        (flip.b_value, flip.a_value) for flip in back.flips
    }
    mirrored = {"GO": "NO-GO", "NO-GO": "GO", "INCONCLUSIVE": "INCONCLUSIVE"}
    assert verdict((second, first), claim="better").decision == mirrored[verdict((first, second)).decision]


def test_the_order_of_rows_means_nothing(side: Callable[..., ComparedResult]) -> None:
    draw = random.Random(5)
    rows_a = results_rows([draw.random() for _ in range(60)])
    rows_b = results_rows([draw.random() for _ in range(60)])
    plain = compare(side(rows_a, "a"), side(rows_b, "b"), [STAGED], rule=Rule())
    draw.shuffle(rows_b)
    shuffled = compare(side(rows_a, "a"), side(rows_b, "b"), [STAGED], rule=Rule())
    assert plain.metrics == shuffled.metrics
    assert (plain.verdict, plain.flips) == (shuffled.verdict, shuffled.flips)


def noisy(shift: float, *, pairs: int = 160, seed: int = 3) -> tuple[list[float | None], list[float | None]]:
    """Return two columns whose mean difference is `shift` exactly, with noise around it."""
    draw = random.Random(seed)
    noise = [draw.uniform(-0.1, 0.1) for _ in range(pairs)]
    mean = sum(noise) / pairs
    return [0.5] * pairs, [0.5 + shift + one - mean for one in noise]


def test_go_turns_where_the_interval_crosses_the_minimum_effect() -> None:
    columns = noisy(-0.03)
    low = verdict(columns).low
    assert low is not None
    assert low < -0.03
    assert verdict(columns, minimum_effect=-low + 1e-6).decision == "GO"
    assert verdict(columns, minimum_effect=-low - 1e-6).decision != "GO"


def test_no_go_takes_a_significant_loss_that_is_above_the_minimum_effect() -> None:
    assert verdict(noisy(-0.1), minimum_effect=0.099).decision == "NO-GO"
    assert verdict(noisy(-0.1), minimum_effect=0.101).decision == "INCONCLUSIVE"
    # One conversation of 20 is much worse: a large loss in the mean, and no evidence beyond that conversation.
    one_bad = ([1.0] * 40, [0.0 if place % 20 == 0 else 1.0 for place in range(40)])
    assert verdict(one_bad, conversations=20).decision == "INCONCLUSIVE"


def test_better_takes_a_significant_gain_above_the_minimum_effect_and_no_go_its_exclusion() -> None:
    assert verdict(noisy(0.1), claim="better", minimum_effect=0.05).decision == "GO"
    assert verdict(noisy(0.1), claim="better", minimum_effect=0.11).decision == "INCONCLUSIVE"
    assert verdict(noisy(0.0), claim="better", minimum_effect=0.05).decision == "NO-GO"
    assert verdict(noisy(0.0), minimum_effect=0.05).decision == "GO"


@pytest.mark.parametrize(("claim", "wrong"), [("not-worse", "GO"), ("better", "NO-GO")])
def test_a_verdict_is_rarely_wrong_at_the_edge(claim: Any, wrong: str) -> None:
    """Where the truth is exactly the minimum effect, a verdict that excludes it is given in 2.5 % of cases or so."""
    draw, least, wrongs, runs = random.Random(11), 0.1, 0, 120
    truth = -least if claim == "not-worse" else least
    for _ in range(runs):
        levels = [draw.gauss(0, 0.1) for _ in range(20)]
        b: list[float | None] = [0.5 + truth + levels[place % 20] + draw.gauss(0, 0.2) for place in range(100)]
        found = verdict(([0.5] * 100, b), conversations=20, claim=claim, minimum_effect=least)
        wrongs += found.decision == wrong
    assert wrongs <= 9  # 99.5 % of binomial(120, 0.025)


def test_too_few_conversations_decide_nothing_and_the_reason_says_how_many_it_takes() -> None:
    same = ([1.0] * 50, [1.0] * 50)
    worse = ([1.0] * 50, [0.0] * 50)
    for columns in (same, worse):
        found = verdict(columns, conversations=5)
        assert found.decision == "INCONCLUSIVE"
        assert "5 conversations cannot decide at alpha = 0.05, at least 6 are needed" in found.reason
    assert verdict(same, conversations=6).decision == "INCONCLUSIVE"
    assert verdict(([1.0] * 160, [1.0] * 160), conversations=160).decision == "GO"
    assert verdict(worse, conversations=6).decision == "NO-GO"


def test_an_open_gate_says_what_it_could_have_seen() -> None:
    found = verdict(noisy(-0.002, pairs=24), minimum_effect=0.01)
    assert found.decision == "INCONCLUSIVE"
    assert "8 conversations show a difference of 0.0" in found.reason
    assert "0.01 would take about " in found.reason


def test_failures_cannot_pass_a_gate() -> None:
    """A model that answers only what it gets right is not waved through; what was not measured speaks against GO."""
    right: list[float | None] = [1.0] * 100
    crashed: list[float | None] = [None if place % 10 == 0 else 1.0 for place in range(100)]
    found = verdict((right, crashed))
    assert (found.decision, found.missing) == ("INCONCLUSIVE", 10)
    assert "10 pairs lack a value" in found.reason
    one_missing: list[float | None] = [None, *[1.0] * 399]
    assert verdict(([1.0] * 400, one_missing), conversations=400).decision == "GO"
    # A loss that missing values could undo is no NO-GO either.
    lost: list[float | None] = [0.9] * 100
    half: list[float | None] = [None if place % 2 else 0.85 for place in range(100)]
    assert verdict((lost, half)).decision == "INCONCLUSIVE"


def test_a_gate_counts_pairs_that_one_side_lacks(side: Callable[..., ComparedResult]) -> None:
    a, b = side([1.0] * 80, "a"), side([1.0] * 40, "b")
    found = compare(a, b, [STAGED], rule=Rule())
    assert found.metrics[STAGED].difference.value == 0.0
    assert found.verdict
    assert (found.verdict.decision, found.verdict.missing) == ("INCONCLUSIVE", 40)
    assert found.warnings[0].startswith("Only 40 of 80 pairs are in both: 40 are in A alone, 0 in B alone.")


def test_means_are_those_of_pairs_scored_on_both_sides(side: Callable[..., ComparedResult]) -> None:
    a, b = side([1.0, None, 0.5, 0.25] * 10, "a"), side([0.5, 1.0, None, 0.25] * 10, "b")
    found = compare(a, b, [STAGED])
    test = found.metrics[STAGED]
    assert (test.a.value, test.b.value, test.difference.n) == (0.625, 0.375, 20)
    assert (test.better, test.worse, test.equal) == (0, 10, 10)
    assert found.unscored[STAGED] == (10, 10)


def test_flips_are_sorted_by_what_was_lost_then_by_what_was_gained(side: Callable[..., ComparedResult]) -> None:
    rows_a = results_rows([1.0, 0.5, 1.0, 0.0, 0.25, 0.5], **{"judge_reason": "said of A"})
    a = side(rows_a, "a")
    b = side([0.75, 0.5, 0.0, 0.25, 1.0, 0.25], "b")
    found = compare(a, b, [STAGED])
    assert [(flip.a_value, flip.b_value) for flip in found.flips] == [
        (1, 0),
        (1, 0.75),
        (0.5, 0.25),
        (0.25, 1),
        (0, 0.25),
    ]
    first = found.flips[0]
    assert (first.conversation, first.turn, first.a, first.b) == ("c2", 0, "answer 2", "answer 2")
    assert (first.a_reason, first.b_reason, first.question) == ("said of A", None, None)
    assert '"place": 2' in first.reference


def test_tools_are_those_of_the_references(side: Callable[..., ComparedResult]) -> None:
    found = compare(side([1.0] * 30, "a"), side([0.0 if place % 3 == 0 else 1.0 for place in range(30)], "b"), [STAGED])
    assert {tool: (test.difference.n, test.difference.value) for tool, test in found.by_tool.items()} == {
        "book": (20, 0.0),
        "respond": (10, -1.0),
    }


def published_rows(predictions: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return rows in the published layout: two turns a conversation, every conversation opened in the same way."""
    rows = []
    for place, prediction in enumerate(predictions):
        conversation, turn = divmod(place, 2)
        messages: list[dict[str, Any]] = [{"role": "user", "content": "A table, please."}]
        opening = {"name": "respond", "arguments": {"message": "Where?"}}
        if turn:
            called = {"id": f"call-{random.random()}", "type": "function", "function": opening}
            messages += [
                {"role": "assistant", "tool_calls": [called]},
                {"role": "user", "content": f"In {conversation}."},
            ]
        answer = call("book", city=conversation) if turn else call("respond", message="Where?")
        rows.append({"question": json.dumps(messages), "answer": answer, "prediction": prediction})
    return rows


def test_published_rows_are_matched_by_what_was_asked_and_code_metrics_computed(
    side: Callable[..., ComparedResult],
) -> None:
    """Call ids differ between files and do not count; an opening that repeats is matched one by one."""
    right = [row["answer"] for row in published_rows([None] * 20)]
    a = side(published_rows(right), "a")
    b = side(
        published_rows([None if place == 3 else "no call" if place == 4 else text for place, text in enumerate(right)]),
        "b",
    )
    found = compare(a, b, choose(a, b))
    assert found.matching.common == len(found.matching.places) == 20
    assert set(found.metrics) == set(metric_names())
    test = found.metrics[STAGED]
    assert (test.a.value, test.worse, test.equal, found.unscored[STAGED]) == (1.0, 1, 18, (0, 1))
    assert [(flip.question, flip.b) for flip in found.flips] == [("A table, please.", "no call")]


def test_a_file_that_holds_fewer_turns_is_matched_all_the_same(side: Callable[..., ComparedResult]) -> None:
    """Conversations are numbered per file; what is matched belongs to one conversation, whatever its number there."""
    texts = [row["answer"] for row in published_rows([None] * 20)]
    whole = side(published_rows(texts), "whole")
    part = side(published_rows(texts)[7:], "part")
    found = match(whole, part)
    assert (found.common, len(found.places)) == (13, 20)
    assert all(whole.rows[i].reference == part.rows[j].reference for i, j in found.common_places)
    assert set(found.clusters) == {row.conversation for row in whole.rows}


def test_what_cannot_be_matched_is_refused(side: Callable[..., ComparedResult]) -> None:
    a = side([1.0] * 8, "a")
    other = results_rows([1.0] * 8)
    other[3]["reference"] = call("book", place="elsewhere")
    with pytest.raises(
        DataError, match="pair c3:0 has one reference in a and another in other: these are two test sets"
    ):
        match(a, side(other, "other"))
    with pytest.raises(UsageError, match="cannot be matched; give both in one layout"):
        match(a, side(published_rows(["x"] * 4), "published"))
    with pytest.raises(UsageError, match="a and far have no pair in common"):
        match(a, side([{**row, "pair_id": f"far-{row['pair_id']}"} for row in other], "far"))


@pytest.mark.parametrize("value", [2, -0.1, "1", True, float("nan"), [1]])
def test_a_value_that_is_no_score_is_refused_with_its_line(side: Callable[..., ComparedResult], value: Any) -> None:
    rows = results_rows([1.0, 0.0])
    rows[1][STAGED] = value
    with pytest.raises(DataError, match=r"wrong.jsonl, line 2: staged_tool_call is .*expected a number from 0 to 1"):
        side(rows, "wrong")


def test_a_column_that_some_rows_lack_is_refused(side: Callable[..., ComparedResult]) -> None:
    rows = results_rows([1.0, 0.0], **{JUDGE: 1.0})
    del rows[1][JUDGE]
    with pytest.raises(DataError, match=r"lacking.jsonl, line 2: no 'llm-as-a-judge', which other rows have"):
        side(rows, "lacking")


def make_report(
    judge: Any, *, prompt: str | None = None, members: Sequence[Member] = (), data: str = "b"
) -> EvalReport:
    run = EvalRun(
        model="vllm:me/model",
        model_revision="a" * 40,
        dataset="me/tft-benchmark-testset",
        dataset_revision=data * 40,
        config={"judge": judge} if judge else {},
        prompt_sha256="c" * 64,
        versions={},
        date="2026-01-02T03:04:05Z",
        timings={},
    )
    judging = Judging(members=tuple(members), prompt_sha256=prompt, rubric="task", decided_by_code=0)
    return EvalReport(
        run=run, rows={}, by_tool={}, macro={}, readings={}, tokens={}, judging=judging if judge else None
    )


def member(name: str, **changes: Any) -> Member:
    return dataclasses.replace(Member(name=name, status="ok", votes=9, unscored=0, good=0.5), **changes)


JUDGED = results_rows([1.0, 0.0] * 20, **{JUDGE: 1.0})


@pytest.mark.parametrize(
    ("reports", "why"),
    [
        ((make_report("vllm:one"), make_report("vllm:two")), "A was judged by vllm:one and B by vllm:two"),
        ((make_report("rules:judge", prompt="1"), make_report("rules:judge", prompt="2")), "different prompts"),
        (
            (
                make_report(["x", "y"], members=[member("x"), member("y")]),
                make_report(["x", "y"], members=[member("x"), member("y", status="excluded")]),
            ),
            "different members of the panel",
        ),
    ],
)
def test_verdicts_of_different_judges_are_not_compared(
    side: Callable[..., ComparedResult], reports: tuple[EvalReport, EvalReport], why: str
) -> None:
    a, b = side(JUDGED, "a", reports[0]), side(JUDGED, "b", reports[1])
    chosen = choose(a, b)
    assert JUDGE not in chosen
    assert chosen[0] == STAGED
    assert [why in warning and JUDGE in warning for warning in compare(a, b, chosen).warnings] == [True]
    with pytest.raises(UsageError, match=why):
        choose(a, b, [JUDGE])
    with pytest.raises(UsageError, match="give --metric staged_tool_call"):
        choose(a, b, gate=True)
    assert choose(a, b, ["rouge", "rouge"], gate=True) == ["rouge"]


def test_the_judge_comes_first_where_it_was_the_same_one(side: Callable[..., ComparedResult]) -> None:
    report = make_report("vllm:one", prompt="1")
    a, b = side(JUDGED, "a", report), side(JUDGED, "b", report)
    assert choose(a, b)[:2] == [JUDGE, STAGED]
    assert compare(a, b, choose(a, b)).warnings == ()
    unknown = side(JUDGED, "c")
    assert choose(a, unknown)[0] == JUDGE
    assert ["Nothing says who judged B" in warning for warning in compare(a, unknown, [JUDGE]).warnings] == [True]
    with pytest.raises(UsageError, match="no metric 'llm-as-a-judge' on both sides; there are"):
        choose(a, side([1.0, 0.0] * 20, "d"), [JUDGE])


def test_other_revisions_of_the_test_set_are_said(side: Callable[..., ComparedResult]) -> None:
    a, b = side([1.0] * 8, "a", make_report(None)), side([1.0] * 8, "b", make_report(None, data="d"))
    (warning,) = compare(a, b, [STAGED]).warnings
    assert "me/tft-benchmark-testset at bbbbbbbbbbbb, B me/tft-benchmark-testset at dddddddddddd" in warning


def test_the_published_predictions_differ_as_their_columns_say(sources: Path) -> None:
    """The differences are those of the files' own columns, and computed code metrics equal the published ones."""
    folder = sources / "tft-benchmark" / "predictions"
    paths = [folder / "base.jsonl", folder / "tuned.jsonl"]
    a, b = (make_side(path.stem, path.name, path, read_predictions(path), None) for path in paths)
    found: Comparison = compare(a, b, choose(a, b), rule=Rule())
    assert found.matching.common == len(found.matching.places) == 78
    raw = [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]
    for metric in (*CODE_METRICS, JUDGE):
        test = found.metrics[metric]
        means = [sum(row[metric] for row in rows) / 78 for rows in raw]
        assert (test.a.value, test.b.value) == (pytest.approx(means[0]), pytest.approx(means[1]))
        assert test.difference.value == pytest.approx(means[1] - means[0])
    assert found.main == JUDGE
    assert found.verdict
    assert found.verdict.decision == "GO"
    bare = [[{key: row[key] for key in ("question", "answer", "prediction")} for row in rows] for rows in raw]
    for path, rows, published in zip(paths, bare, (a, b), strict=True):
        for one, row in zip(published.rows, rows, strict=True):
            assert one.row["answer"] == row["answer"]
        stripped = [dataclasses.replace(one, row=row) for one, row in zip(published.rows, rows, strict=True)]
        computed = make_side("bare", "bare", path, stripped, None)
        for metric in CODE_METRICS:
            assert computed.columns[metric] == pytest.approx(published.columns[metric], abs=1e-6)
