"""What is evaluated beside the cells: once for all, in the plan and its estimate, and said where it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.benchmark.cells import BASELINE_KINDS, Cell, Job, Setup, all_cells
from harness.benchmark.estimate import Estimator, rates
from harness.benchmark.execute import failure, without_log
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.presets import read_preset
from harness.benchmark.schedule import StepOutcome
from harness.benchmark.table import outcome_table, problems
from harness.curation.job_init.review import LOGGED, TODO
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation, expand_pairs
from harness.data.records import Conversation, ToolCall
from harness.data.sample import sample_conversations
from harness.data.scenarios import ARMS
from harness.models.chat.endpoints import Endpoints

ENDPOINTS = "zai.glm-5: {base_url: https://host/v1, price: {input: 1.0, output: 2.0}}\n"
ALL = frozenset(BASELINE_KINDS)


def _plan(preset: str = "published", until: str | None = None) -> BenchmarkPlan:
    setup = Setup(namespace="me", preset=read_preset(preset), baselines=ALL, endpoints="endpoints.yaml", budget=3)
    return BenchmarkPlan.of(all_cells(fair=False, seeds=2), setup, until=until)


def test_all_cells_share_one_evaluation_of_each_and_what_exists_is_not_pushed_to() -> None:
    plan = _plan()
    untrained, teacher = (plan.baselines.steps[kind] for kind in ("untrained", "teacher"))
    assert [step.makes for step in plan.steps][-2:] == ["Qwen/Qwen3-1.7B", "openai:zai.glm-5"]
    assert not any(step in chain for chain in plan.of_cell.values() for step in (untrained, teacher))
    assert untrained.request["results_only"] is teacher.request["results_only"] is True
    assert teacher.here
    assert not untrained.here
    assert {"--endpoints", "--budget"} <= {*teacher.places}
    assert plan.baselines.left_out == {}  # nobody logged the benchmark's scenarios
    assert not _plan(until="train").baselines.steps


def test_a_student_that_the_run_makes_is_evaluated_at_the_commit_that_it_has_made() -> None:
    plan = _plan("tiny")
    step = plan.baselines.steps["untrained"]
    assert [one.key for one in plan.makers(step)] == ["collect me/tft-benchmark-testset", "student me/tft-tiny"]
    assert "answers no test set" in plan.baselines.left_out["teacher"]


def test_the_teacher_is_in_the_estimate_and_costs_what_its_prices_say(tmp_path: Path) -> None:
    (tmp_path / "endpoints.yaml").write_text(ENDPOINTS)
    plan = _plan()
    found = Estimator(plan, Endpoints(file=tmp_path / "endpoints.yaml")).step(plan.baselines.steps["teacher"])
    one = rates()["questions"]["evaluate"]
    assert found.questions == {"openai:zai.glm-5": 359}
    assert found.cost == pytest.approx(359 * (one["prompt"] + 2 * one["usual"]) / 1_000_000)


def _mended(one: Conversation) -> Conversation:
    """Return a conversation with its last call as a person corrected it."""
    place = max(place for place, message in enumerate(one.messages) if message.tool_calls)
    call = ToolCall(name="another", arguments={})
    messages = (*one.messages[:place], replace(one.messages[place], tool_calls=(call,)), *one.messages[place + 1 :])
    return replace(one, messages=messages)


@pytest.fixture
def job(tmp_path: Path) -> Callable[[int], BenchmarkPlan]:
    """The plan of a job of four test conversations, of which so many were corrected."""

    def plan(corrected: int) -> BenchmarkPlan:
        rows = [dump_conversation(one) for one in sample_conversations(4)]
        mended = [dump_conversation(_mended(one)) for one in sample_conversations(4)[:corrected]]
        write_jsonl(tmp_path / "test.jsonl", [*mended, *rows[corrected:]])
        write_jsonl(tmp_path / LOGGED, rows)
        setup = Setup(
            namespace="me", preset=read_preset("tiny"), job=Job(name="agent", folder=str(tmp_path)), baselines=ALL
        )
        return BenchmarkPlan.of([Cell(scenario=None, arm=arm) for arm in ARMS], setup)

    return plan


def test_the_model_of_the_traces_is_evaluated_where_conversations_were_corrected(
    job: Callable[..., BenchmarkPlan],
) -> None:
    plan = job(1)
    step = plan.baselines.steps["logged"]
    assert step.words[:4] == ("evaluate", "logged:agent", "--dataset", "me/agent-testset")
    assert Estimator(plan, Endpoints()).step(step).seconds == 0
    assert "no call that it can be compared by was corrected" in job(0).baselines.left_out["logged"]


def test_a_dropped_conversation_is_no_correction_and_is_not_asked(
    job: Callable[..., BenchmarkPlan], tmp_path: Path
) -> None:
    def seconds(plan: BenchmarkPlan) -> float:
        return Estimator(plan, Endpoints()).step(plan.baselines.steps["untrained"]).seconds or 0.0

    before = seconds(job(1))
    marks = "".join(f"- [{mark}] `{one.id}`\n" for mark, one in zip("-xxx", sample_conversations(4), strict=True))
    (tmp_path / TODO).write_text(marks)
    assert "no call that it can be compared by was corrected" in job(1).baselines.left_out["logged"]
    assert seconds(job(1)) < before


def test_a_baseline_that_fails_is_named_and_ends_no_cell(job: Callable[..., BenchmarkPlan]) -> None:
    plan = job(1)
    step = plan.baselines.steps["untrained"]
    outcomes = {one.key: StepOutcome(status="done", seconds=1.0) for one in plan.steps}
    outcomes[step.key] = StepOutcome(status="failed", problem="no engine")
    assert problems(plan, outcomes) == [(["untrained"], "evaluate me/tft-tiny: no engine")]
    rows = [*outcome_table(plan, outcomes).columns[0].cells]
    assert rows == ["tft", "direct", "untrained", "logged"]


def test_a_record_says_why_a_step_failed_and_not_where_its_log_is(tmp_path: Path) -> None:
    """What is pushed may name no folder of this machine."""
    log = tmp_path / "a (log).log"
    log.write_text("doing things\nerror: the engine died (twice)\n")
    said = failure(2, log)
    assert str(log) in said
    assert without_log(said) == "the engine died (twice)"


def test_the_estimate_of_a_job_counts_its_turns(job: Callable[..., BenchmarkPlan]) -> None:
    plan = job(1)
    each = rates()["hardware"]["cpu"]["evaluate"]
    pairs = len(expand_pairs(sample_conversations(4)))
    seconds = Estimator(plan, Endpoints()).step(plan.baselines.steps["untrained"]).seconds
    assert seconds == pytest.approx(each["start"] + each["each"] * pairs)
