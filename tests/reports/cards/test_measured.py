"""Figures of a card are those of its report, and nothing else."""

from __future__ import annotations

import ast
import dataclasses
import shlex
from typing import Any

import pytest

from harness.data.published_facts import published_facts
from harness.data.records import Task
from harness.evaluation.report_json import eval_results_yaml
from harness.reports import model_card
from harness.reports.evaluation_tables import as_comment
from harness.resources import folder

FACTS = published_facts()
EXAMPLE = "distillabs/tft-benchmark-s2-tft-Qwen3-1.7B"
MODEL_COMMIT = "a" * 40
DATA_COMMIT = "b" * 40


def test_a_card_says_how_many_test_conversations_a_person_looked_at_where_that_is_known(make_report: Any) -> None:
    identity = model_card.identify("me/my-agent-tft")
    report = make_report("vllm:me/my-agent-tft")
    assert "looked at" not in model_card.render_card(report, identity)
    counts = {"conversations": 24, "looked_at": 0, "corrected": 0, "dropped": 0, "taken": 24, "pending": 0}
    for looked, sentence in ((0, "Nobody looked at the 24 test conversations"), (24, "A person looked at all 24 test")):
        config = {**report.run.config, "test_approval": {**counts, "looked_at": looked}}
        told = dataclasses.replace(report, run=dataclasses.replace(report.run, config=config))
        assert model_card.render_card(told, identity).count(sentence) == 1


@pytest.mark.parametrize("name", [EXAMPLE, "Qwen/Qwen3-1.7B"])
def test_numbers_of_a_card_are_those_of_the_report(name: str, make_report: Any, reading: Any) -> None:
    report = make_report(f"vllm:{name}")
    card = model_card.render_card(report, model_card.identify(name))
    first, rows = (reading.table_after(card, title) for title in ("Measured by this harness", "All baselines"))
    assert [row[0].strip("`") for row in rows] == list(report.rows["model"])
    for top, row, metric in zip(first, rows, report.rows["model"], strict=True):
        shown = [
            f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"
            for e in (report.rows[key][metric] for key in ("model", "null", "gold"))
        ]
        model = report.rows["model"][metric]
        beside = [f"{shown[1][:5]} (null)", shown[2][:5]]
        assert top == [row[0], f"**{shown[0]}**", *beside, str(model.n), str(model.unscored)]
        assert row[1:] == [*shown, *map(str, (model.n, model.clusters, model.errors, model.unscored))]
    *tools, macro = reading.table_after(card, "Scores per tool")
    assert [row[0].strip("`") for row in tools] == ["respond_to_user", "FindRestaurants"]
    for row in tools:
        for cell, metric in zip(row[2:], report.by_tool, strict=True):
            found = report.by_tool[metric][row[0].strip("`")]
            assert cell == f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
    assert macro[2:] == [f"{value:.3f}" for value in report.macro.values()]
    assert [row[1][:5] for row in reading.table_after(card, "Strict and lenient reading")] == ["0.515", "0.616"]
    lineage = card[card.index("Lineage") :]
    for fact in (MODEL_COMMIT, DATA_COMMIT, "c" * 64, "0.32.0", "2026-01-02T03:04:05Z", "765,078", "703,232", "0.919"):
        assert fact in lineage


def test_metrics_without_a_value_are_dashes_and_never_zero(make_report: Any, estimate: Any, reading: Any) -> None:
    report = make_report(rows={"model": {"rouge": estimate(None)}, "null": {}, "gold": {}}, by_tool={}, readings={})
    card = model_card.render_card(report, model_card.identify(EXAMPLE))
    assert reading.table_after(card, "Measured by this harness") == [["`rouge`", "**–**", "–", "–", "0", "359"]]
    assert reading.table_after(card, "All baselines") == [["`rouge`", "–", "–", "–", "0", "0", "1", "359"]]


def test_a_rule_based_judge_is_never_passed_off_as_an_llm(make_report: Any, estimate: Any) -> None:
    report = make_report()
    run = dataclasses.replace(report.run, config={"judge": "rules:judge"})
    rows = {**report.rows, "model": {"llm-as-a-judge": estimate(0.5)}}
    report = dataclasses.replace(report, run=run, rows=rows)
    card = model_card.render_card(report, model_card.identify(EXAMPLE))
    assert "`rules:judge`, a rule-based stand-in and no LLM" in card
    assert "judged by rules:judge" in eval_results_yaml(report, "me/data", source_url="https://hub/datasets/me/r")


def test_the_command_repeats_the_run_with_its_commits_and_settings(make_report: Any, reading: Any) -> None:
    import click

    from harness.cli.__main__ import tft
    from harness.cli.evaluate import command
    from harness.models.engine.build import split_engine_args

    settings = {"max_tokens": 99, "pairs": 7, "pairs_in_test_set": 359, "trust_remote_code": True}
    settings["engine_args"] = ["--dtype", "bfloat16", "--enforce-eager", "--max-num-seqs", "8"]
    report = make_report("vllm:me/a")
    report = dataclasses.replace(report, run=dataclasses.replace(report.run, config=settings))
    words = shlex.split(reading.code_block(model_card.render_card(report, model_card.identify("me/a")), "bash"))
    assert words[:2] == ["tft", "evaluate"]
    parent = click.Context(tft, **tft.context_settings)
    given = command.make_context("evaluate", words[2:], parent=parent).params
    assert given["models"] == (f"vllm:me/a@{MODEL_COMMIT}",)
    assert given["dataset"] == f"me/tft-benchmark-testset@{DATA_COMMIT}"
    assert (given["max_tokens"], given["limit"], given["trust_remote_code"]) == (99, 7, True)
    assert list(split_engine_args(given["engine_args"])) == settings["engine_args"]


def test_an_arithmetic_other_than_the_default_is_named_wherever_scores_are(make_report: Any, reading: Any) -> None:
    made, arithmetic = make_report("vllm:me/a"), "float32, compiled, attention split"
    for changes, named in (({}, False), ({"arithmetic": arithmetic}, True)):
        config = {**made.run.config, "pairs": 359, "pairs_in_test_set": 359, **changes}
        report = dataclasses.replace(made, run=dataclasses.replace(made.run, config=config))
        card = model_card.render_card(report, model_card.identify("me/a"))
        scores = card[card.index("Measured by this harness") : card.index("| Metric |")]
        assert (arithmetic in scores) == named
        assert ("--fast" in shlex.split(reading.code_block(card, "bash"))) == named
        assert (arithmetic in as_comment([report])) == named
        assert (arithmetic in eval_results_yaml(report, "me/data", source_url="https://hub/datasets/me/r")) == named


def test_tools_come_from_the_task_where_there_is_one(published_task: Task, make_report: Any) -> None:
    card = model_card.render_card(make_report(), model_card.identify(EXAMPLE), published_task)
    section = card[card.index("### Target tools") : card.index("## Benchmark overview")]
    for tool in published_task.tools:
        function = tool["function"]
        line = next(line for line in section.splitlines() if line.startswith(f"- `{function['name']}`"))
        assert function["description"].rstrip(".") in line
        assert all(f"`{name}`" in line for name in function["parameters"]["properties"])
    # The published tools are the same ones, by hand.
    by_name = {tool.name: tool for tool in model_card.card_tools(published_task)}
    for tool in FACTS.tools:
        assert set(by_name[tool.name].required) == set(tool.required)
        assert set(by_name[tool.name].optional) == set(tool.optional)


@pytest.mark.parametrize("measured", [False, True])
def test_the_code_block_is_python_with_the_models_names(measured: bool, make_report: Any, reading: Any) -> None:
    report = make_report() if measured else None
    tree = ast.parse(reading.code_block(model_card.render_card(report, model_card.identify(EXAMPLE)), "python"))
    constants = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert constants["MODEL"] == EXAMPLE
    assert constants["TEST_SET"] == (report.run.dataset if report else "distillabs/tft-benchmark-testset")
    assert constants["TEST_SET_REVISION"] == (DATA_COMMIT if report else "main")
    default = (folder("eval") / "system_template.txt").read_text(encoding="utf-8").rstrip("\n")
    assert constants["SYSTEM"] == (report.run.config["system_template"] if report else default)


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ({"family": "hermes"}, "--enable-auto-tool-choice --tool-call-parser hermes --default-chat-template-kwargs"),
        ({"family": None}, "none that is known here: the text of its answers has the calls"),
        ({"family": None, "tools_in_template": False}, "which shows this model no tools"),
        (
            {"family": "hermes", "flat_calls": True},
            "beyond this block: name and arguments of a call beside its function",
        ),
    ],
)
def test_a_card_says_what_other_engines_do_otherwise(recorded: dict[str, Any], words: str, make_report: Any) -> None:
    report = make_report()
    run = dataclasses.replace(report.run, config={**report.run.config, **recorded})
    card = model_card.render_card(dataclasses.replace(report, run=run), model_card.identify(EXAMPLE))
    assert words in card
    assert f"tft serve {EXAMPLE} --task {run.dataset}@{DATA_COMMIT}\n" in card
    assert ("tool-call-parser" in card) == (recorded["family"] is not None)
