"""What a card says of its judge, of whole conversations and of plots is what the report holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from harness.evaluation.records import ConversationScores, EvalReport, Judging, Member
from harness.reports import model_card
from harness.statistics.records import Agreement, Calibration

CELL = "me/tft-benchmark-s2-tft-small"
PANEL = (
    Member(name="openai:first", status="ok", votes=301, unscored=2, good=0.871),
    Member(name="rules:judge", status="excluded", votes=7, unscored=296, good=None, problem="no | answer\n# came"),
)


@pytest.fixture
def judged(make_report: Any, estimate: Any) -> Callable[..., EvalReport]:
    """A report with a judge metric; keywords change its `Judging`."""

    def make(members: tuple[Member, ...] = PANEL[:1], **changes: Any) -> EvalReport:
        report = make_report("vllm:me/a")
        rows = {name: {**row, "llm-as-a-judge": estimate(0.777)} for name, row in report.rows.items()}
        rows["copy_last"] = {"llm-as-a-judge": estimate(0.123)}
        config = {**report.run.config, "judge": [member.name for member in members]}
        settings: dict[str, Any] = {"prompt_sha256": "d" * 64, "rubric": "task", "decided_by_code": 219, **changes}
        return dataclasses.replace(
            report,
            rows=rows,
            run=dataclasses.replace(report.run, config=config),
            judging=Judging(members=members, **settings),
        )

    return make


def _card(report: EvalReport) -> str:
    return model_card.render_card(report, model_card.identify("me/a"), place=model_card.CardPlace(namespace="lab"))


def test_a_single_judge_is_named_with_its_prompt_and_what_was_not_asked(judged: Any, reading: Any) -> None:
    card = _card(judged())
    assert "The judge was `openai:first`." in card
    assert "219 were decided without asking" in card
    assert "`dddddddddddd`" in card
    assert "Krippendorff" not in card
    assert reading.table_after(card, "## The judge") == [["`openai:first`", "ok", "301", "2", "0.871"]]
    assert "--judge openai:first" in card


def test_a_panel_shows_its_members_and_their_agreement(judged: Any, estimate: Any, reading: Any) -> None:
    agreement = Agreement(
        raters=2, n=140, observed=0.901, alpha=0.612, ac1=0.844, kappa={"openai:first | rules:judge": estimate(0.605)}
    )
    card = _card(judged(PANEL, agreement=agreement))
    assert "The judges were" in card
    assert "a rule-based stand-in" not in card
    rows = reading.table_after(card, "## The judge")
    assert rows[1][:2] == ["`rules:judge`", "excluded: no \\"], "the pipe and the heading in the problem are text"
    for figure in ("alpha 0.612", "AC1 0.844", "0.901 of the pairs", "140 answers", "0.605 [0.574, 0.634]"):
        assert figure in card


def test_a_labelled_slice_is_part_of_the_card(judged: Any, estimate: Any, reading: Any) -> None:
    calibration = Calibration(
        n=156,
        clusters=9,
        unscored=0,
        true_bad=41,
        false_bad=3,
        true_good=103,
        false_good=9,
        agreement=estimate(0.923),
        kappa=estimate(0.812),
        sensitivity=estimate(0.821),
        specificity=estimate(0.972),
        same_name_recall=estimate(0.433),
        same_name_false_bad=estimate(0.021),
        base_rate=0.321,
        names_only_kappa=0.757,
        by_tool={},
        corrected=estimate(0.701),
    )
    card = _card(judged(calibration=calibration))
    figures = dict(reading.table_after(card, "Against 156 labelled rows"))
    assert figures["Cohen's kappa"] == "0.812 [0.781, 0.841]"
    assert figures["kappa of comparing tool names only"] == "0.757"
    assert figures["score corrected by the labels (prediction-powered)"] == "0.701 [0.670, 0.730]"
    assert "| labelled good | 103 | 3 |" in card
    assert "| labelled bad | 9 | 41 |" in card


def test_whole_conversations_baselines_and_plots_are_shown(judged: Any, estimate: Any, reading: Any) -> None:
    dialogues = {
        "staged_tool_call": ConversationScores(success=estimate(0.147), first_error_turn=2.25, turns_before_error=3.5),
        "rouge": ConversationScores(success=estimate(None), first_error_turn=None, turns_before_error=None),
    }
    plots = {"scores.png": "Scores, [0.7]", "tools.png": "Tools"}
    report = dataclasses.replace(judged(), dialogues=dialogues, plots=plots)
    card = _card(report)
    assert reading.table_after(card, "# Whole conversations") == [
        ["`staged_tool_call`", "0.147 [0.116, 0.176]", "2.2", "3.5"],
        ["`rouge`", "–", "–", "–"],
    ]
    metrics = {row[0]: row for row in reading.table_after(card, "All baselines")}
    assert metrics["`llm-as-a-judge`"][3] == "0.123 [0.092, 0.152]"
    assert metrics["`rouge`"][3] == "–"
    assert "![" not in card, "others' repositories get no pictures"
    assert "datasets/lab/tft-benchmark-results), folder `plots/me--a`" in card
    ours = model_card.render_card(report, model_card.identify(CELL), place=model_card.CardPlace(pictures=plots))
    assert "![Scores, \\[0.7\\]](plots/scores.png)" in ours
    assert ours.index("![Scores") < ours.index("## Use") < ours.index("![Tools](plots/tools.png)")
    assert "![" not in model_card.render_card(report, model_card.identify(CELL))
