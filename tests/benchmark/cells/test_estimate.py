"""What a plan would take: counted on the benchmark's own figures, priced only where prices are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.benchmark.cells import Cell, Job, Setup, all_cells
from harness.benchmark.estimate import Estimator, StepEstimate, rates
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.presets import Preset, read_preset
from harness.benchmark.sample_job import write_job
from harness.benchmark.table import estimate_table
from harness.data.scenarios import ARMS
from harness.models.chat.endpoints import Endpoints

ENDPOINTS = """
zai.glm-5: {base_url: https://host/v1, price: {input: 1.0, output: 2.0}}
openai.gpt-oss-120b: {base_url: https://host/v1, price: {input: 0.5, output: 1.0}}
"""


def _estimates(preset: Preset, endpoints: Path | None = None) -> tuple[BenchmarkPlan, dict[str, StepEstimate]]:
    plan = BenchmarkPlan.of(all_cells(fair=False, seeds=1), Setup(namespace="me", preset=preset))
    estimator = Estimator(plan, Endpoints(file=endpoints))
    return plan, {step.key: estimator.step(step) for step in plan.steps}


@pytest.fixture
def endpoints(tmp_path: Path) -> Path:
    path = tmp_path / "endpoints.yaml"
    path.write_text(ENDPOINTS)
    return path


def test_questions_are_those_that_the_published_settings_ask(endpoints: Path) -> None:
    _, found = _estimates(read_preset("published"), endpoints)
    assert found["filter me/tft-benchmark-s2-filtered"].questions == {"openai:zai.glm-5": 327}
    relabel = found["relabel me/tft-benchmark-s2-relabelled"]
    assert relabel.questions == {"openai:openai.gpt-oss-120b": 90, "openai:zai.glm-5": 90}
    assert found["synthesize me/tft-benchmark-s1-synthetic"].questions == {"openai:zai.glm-5": 2000}
    one = rates()["questions"]["relabel"]
    priced = 90 * (one["prompt"] * (0.5 + 1.0) + one["usual"] * (1.0 + 2.0)) / 1_000_000
    assert relabel.cost == pytest.approx(priced)


def test_a_model_without_a_price_makes_no_cost_and_rules_cost_nothing() -> None:
    _, published = _estimates(read_preset("published"))
    assert published["filter me/tft-benchmark-s1-filtered"].cost is None
    _, tiny = _estimates(read_preset("tiny"))
    assert all(not one.questions and one.cost == 0 for one in tiny.values())


def test_training_follows_from_conversations_and_epochs() -> None:
    preset = read_preset("tiny")
    _, found = _estimates(preset)
    token = rates()["conversation_tokens"]["tiny"]
    epochs = preset.train["epochs"]
    assert found["train me/tft-benchmark-s4-direct-tft-tiny"].training_tokens == 5 * epochs * token
    assert found["train me/tft-benchmark-s1-direct-tft-tiny"].training_tokens == preset.train["limit"] * epochs * token


def test_the_rate_of_training_is_that_of_its_settings() -> None:
    preset = read_preset("published")
    slow, fast = (
        _estimates(preset.model_copy(update={"train": train}))[1]["train me/tft-benchmark-s1-tft-Qwen3-1.7B"]
        for train in ({}, {"batch_size": 4})
    )
    ways = rates()["hardware"]["h100"]["train"]["ways"]
    assert slow.seconds == pytest.approx(slow.training_tokens / ways[0]["tokens_per_second"])
    (batched,) = [way for way in ways if way["settings"] == {"batch_size": 4}]
    assert fast.seconds == pytest.approx(fast.training_tokens / batched["tokens_per_second"])


def test_of_a_job_what_does_not_depend_on_its_traces_is_estimated(tmp_path: Path) -> None:
    write_job(tmp_path, traces=3, test=2)
    preset = read_preset("demo-smollm2")
    setup = Setup(namespace="me", preset=preset, job=Job(name="sample", folder=str(tmp_path)))
    plan = BenchmarkPlan.of([Cell(scenario=None, arm=arm) for arm in ARMS], setup)
    estimator = Estimator(plan, Endpoints(file=None))
    found = {step.key: estimator.step(step) for step in plan.steps}
    trained = [one for key, one in found.items() if key.startswith("train ")]
    assert [one.training_tokens for one in trained] == [
        preset.train["passes"] * rates()["conversation_tokens"]["smollm2"]
    ] * 2
    known = {key.partition(" ")[0] for key, one in found.items() if one.seconds is not None}
    assert known == {"synthesize", "train", "evaluate"}


@pytest.mark.parametrize(("has", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_the_native_precision_is_that_of_the_processor(
    has: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.benchmark.estimate.processor_has_bfloat16", lambda: has)
    preset = read_preset("pretrained")
    one = _estimates(preset)[1]["train me/tft-benchmark-s1-tft-SmolLM2-135M-Instruct"]
    settings = {"precision": precision, "batch_size": preset.train["batch_size"]}
    known = rates()["hardware"][str(preset.hardware)]["train"]
    (way,) = [way for way in known["ways"] if way["settings"] == settings]
    assert one.seconds == pytest.approx(known["start"] + one.training_tokens / way["tokens_per_second"])


def test_passes_are_the_same_work_in_every_cell_and_a_shared_engine_starts_once() -> None:
    preset = read_preset("pretrained")
    _, found = _estimates(preset)
    token = rates()["conversation_tokens"]["smollm2"]
    trained = {one.training_tokens for key, one in found.items() if key.startswith("train ")}
    assert trained == {preset.train["passes"] * token}
    evaluated = [one.seconds for key, one in found.items() if key.startswith("evaluate ")]
    rate = rates()["hardware"][str(preset.hardware)]["evaluate"]
    assert sum(filter(None, evaluated)) == pytest.approx(rate["start"] + len(evaluated) * 359 * rate["each"])


def test_the_table_leaves_out_what_is_there_and_marks_sums_with_unknown_parts() -> None:
    plan, found = _estimates(read_preset("tiny"))
    nothing = estimate_table(plan, found, dict.fromkeys(found, False))
    everything = estimate_table(plan, found, dict.fromkeys(found, True))
    rows = [[*column.cells] for column in everything.columns]
    assert rows[2][-1] == str(len(plan.steps))
    assert rows[3][-1] == ""
    assert [*nothing.columns[2].cells][-1] == "0"
    _, published = _estimates(read_preset("published").model_copy(update={"hardware": None}))
    shown = estimate_table(
        plan, {key: published.get(key, one) for key, one in found.items()}, dict.fromkeys(found, False)
    )
    assert [*shown.columns[3].cells][-1].endswith("+")
