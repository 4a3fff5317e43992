"""More cells on a Hub that has some: what one engine evaluated is found again, and only new ones are asked."""

from __future__ import annotations

import json
from pathlib import Path

from harness.benchmark.cells import Cell, Setup
from harness.benchmark.plan import BenchmarkPlan, pinned
from harness.benchmark.presets import read_preset
from harness.benchmark.reuse import BenchmarkState
from harness.benchmark.steps import batches, joined
from harness.data.formats.messages import expand_pairs
from harness.data.sample import sample_conversations, sample_task
from harness.evaluation.results import RESULTS
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.publishing import push_folder
from harness.stages import evaluate
from support.benchmark_results import Model, results

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _evaluated(plan: BenchmarkPlan, models: dict[str, dict[str, object]], folder: Path) -> None:
    """Write the results that a run of some cells leaves: each model at its commit, with the settings given."""
    pairs = expand_pairs(sample_conversations(2))
    for name, settings in models.items():
        config = {"pairs": len(pairs), "pairs_in_test_set": len(pairs), "max_tokens": 256, "judge": ["rules:judge"]}
        changes = {
            "config": config | settings,
            "model_revision": COMMIT,
            "dataset": plan.setup.test_set,
            "dataset_revision": COMMIT,
        }
        for path, text in results(Model(name=name, chance=0.5, changes=changes), pairs, sample_task()).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            made = json.loads(text) if path.startswith("lineage") else None
            (folder / path).write_text(json.dumps(made | {"stage_version": evaluate.VERSION}) if made else text)


def test_a_cell_that_comes_later_is_asked_alone(hub: Hub, tmp_path: Path) -> None:
    setup = Setup(namespace="ada", preset=read_preset("pretrained"), baselines=frozenset({"untrained"}))
    cells = [Cell(scenario=1, arm="direct"), Cell(scenario=4, arm="direct")]
    plan = BenchmarkPlan.of(cells, setup)
    first, later = (setup.model(cell) for cell in cells)
    _evaluated(plan, {first: {"base": f"{setup.student}@{COMMIT}"}, setup.student: {"beside_adapters": True}}, tmp_path)
    push_folder(hub, "dataset", f"ada/{RESULTS}", tmp_path, message="a run of one cell")
    artifacts = {step.makes: Artifact(kind=step.kind, repo_id=step.makes, revision=COMMIT) for step in plan.steps}
    state = BenchmarkState(hub, plan)
    asked = [pinned(step, artifacts) for step in batches(plan.steps)[-1]]
    assert {step.makes for step in asked} == {first, later, setup.student}
    missing = [step for step in asked if state.find(step, artifacts) is None]
    assert [step.makes for step in missing] == [later]
    request = joined(missing).request
    assert (request["models"], request["base"]) == ([f"{later}@{COMMIT}"], f"{setup.student}@{COMMIT}")
    assert "with_base" not in request
