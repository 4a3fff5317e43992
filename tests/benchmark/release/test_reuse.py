"""What `tft benchmark` takes for done: results of the same model, test set, settings and version of the evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.benchmark import reuse
from harness.benchmark.cells import Setup, all_cells
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.presets import read_preset
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
