"""What `tft benchmark` takes for done: results of the same model, test set, settings and version of the evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.benchmark import reuse
from harness.benchmark.cells import Setup, all_cells
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.presets import read_preset
from harness.evaluation.results import ResultsDataset, config_name, lineage_file, rows_file
from harness.evaluation.scorecard import NULLS
from harness.hub.client import Hub


@pytest.fixture(scope="module")
def benchmark(make_benchmark: Callable[..., Any]) -> Any:
    return make_benchmark(("s2", "direct"))


def _found(benchmark: Any, hub: Hub, monkeypatch: pytest.MonkeyPatch, *, version: int, **preset: Any) -> bool:
    changed = {"student": "tiny", "judge": False, "max_tokens": None, **preset}
    setup = Setup(namespace=benchmark.namespace, preset=read_preset("tiny").model_copy(update=changed))
    plan = BenchmarkPlan.of(all_cells(fair=False, seeds=1), setup)
    model, _, trained = benchmark.cells[0].artifacts["train"].partition("@")
    (step,) = [step for step in plan.steps if step.stage == "evaluate" and step.makes == model]
    artifacts = {model: hub.resolve("model", model, trained), setup.test_set: hub.resolve("dataset", setup.test_set)}
    monkeypatch.setattr(reuse, "stage_version", lambda _: version)
    return reuse.BenchmarkState(hub, plan).find(step, artifacts) == artifacts[model]


def test_a_result_counts_only_as_long_as_the_evaluation_is_the_same(benchmark, hub, monkeypatch) -> None:
    assert _found(benchmark, hub, monkeypatch, version=1)
    assert not _found(benchmark, hub, monkeypatch, version=2), "the code has changed"
    assert not _found(benchmark, hub, monkeypatch, version=1, max_tokens=97)
    assert not _found(benchmark, hub, monkeypatch, version=1, judge=True), "nobody has judged yet"


def test_a_damaged_lineage_is_no_result_of_that_model_and_nothing_to_others(
    benchmark, hub, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results, file = benchmark.repo("results"), lineage_file(config_name(benchmark.cells[0].model))
    before = hub.read_text("dataset", results, file)
    hub.commit_files("dataset", results, {lineage_file("elsewhere--model"): "{"}, message="damaged")
    assert _found(benchmark, hub, monkeypatch, version=1)
    assert not capsys.readouterr().err, "no model of the plan"
    hub.commit_files("dataset", results, {file: "{"}, message="damaged")
    try:
        assert not _found(benchmark, hub, monkeypatch, version=1)
    finally:
        hub.commit_files("dataset", results, {file: before}, message="as before")
    assert f": {file} cannot be read" in capsys.readouterr().err


def test_a_bad_row_of_one_model_keeps_no_other_from_being_published(
    benchmark, hub, capsys: pytest.CaptureFixture[str]
) -> None:
    results, cell = benchmark.repo("results"), benchmark.cells[0]
    other, file = config_name(cell.model), rows_file(config_name(cell.model))
    before = hub.read_text("dataset", results, file)
    hub.commit_files("dataset", results, {file: '{"pair_id": 1}\n'}, message="damaged")
    try:
        benchmark.evaluate(benchmark.student.partition("@")[0], benchmark.student.partition("@")[2], 0.5)
    finally:
        hub.commit_files("dataset", results, {file: before}, message="as before")
    assert f"{file}, line 1: no text under 'pair_id'" in capsys.readouterr().err
    assert set(ResultsDataset.at(hub, results).reports()) >= {other, config_name(benchmark.student.partition("@")[0])}


def test_an_untrained_student_without_null_baselines_in_its_rows_is_evaluated_again(
    benchmark, hub, monkeypatch
) -> None:
    """Without them there is no verdict; rows of earlier versions lack them."""
    name, _, revision = benchmark.student.partition("@")
    benchmark.evaluate(name, revision, 0.5)
    changed = {"student": name, "judge": False, "max_tokens": None}
    preset = read_preset("tiny").model_copy(update=changed)
    setup = Setup(namespace=benchmark.namespace, preset=preset, baselines=frozenset({"untrained"}))
    plan = BenchmarkPlan.of(all_cells(fair=False, seeds=1), setup)
    step = plan.baselines.steps["untrained"]
    artifacts = {name: hub.resolve("model", name, revision), setup.test_set: hub.resolve("dataset", setup.test_set)}
    monkeypatch.setattr(reuse, "stage_version", lambda _: 1)
    assert reuse.BenchmarkState(hub, plan).find(step, artifacts) == artifacts[name]
    results, file = benchmark.repo("results"), rows_file(config_name(name))
    rows = [json.loads(line) for line in (hub.read_text("dataset", results, file) or "").splitlines()]
    older = "".join(json.dumps({key: row[key] for key in row if key != NULLS}) + "\n" for row in rows)
    hub.commit_files("dataset", results, {file: older}, message="as an earlier version wrote it")
    assert reuse.BenchmarkState(hub, plan).find(step, artifacts) is None
