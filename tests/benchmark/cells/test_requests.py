"""What a step hands to its stage: one JSON document that means what the step's command says."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from harness.benchmark.cells import Cell, Job, Setup, all_cells
from harness.benchmark.plan import BenchmarkPlan, Step, pinned, step_tag
from harness.benchmark.presets import read_preset
from harness.benchmark.reuse import BenchmarkState, known_steps
from harness.benchmark.sample_job import write_job
from harness.cli.__main__ import tft
from harness.curation.stage_settings import resolve
from harness.data.scenarios import ARMS
from harness.errors import HarnessError
from harness.hub.artifact import Artifact
from harness.hub.client import PRIVATE, Hub
from harness.hub.publishing import push_folder
from harness.stages import job_test_set
from harness.training.config import TrainConfig

COMMIT = "0123456789abcdef0123456789abcdef01234567"
KNOWN = {
    "collect me/tft-benchmark-testset": "run-c6806db0a111",
    "student me/tft-tiny": "run-5c68b549155e",
    "relabel me/tft-benchmark-s2-relabelled": "run-c1edab205478",
    "train me/tft-benchmark-s3-direct-fair-tft-tiny-seed1": "run-3f0659619922",
    "evaluate me/tft-benchmark-s1-tft-tft-tiny": "run-6299b6543f84",
}


class Reached(HarnessError):
    """A stage was about to run."""


def _stage(step: Step) -> Any:
    return importlib.import_module(f"harness.stages.{step.module.replace('-', '_')}")


def _plan(preset: str, folder: Path, job: bool) -> BenchmarkPlan:
    endpoints = folder / "endpoints.yaml"
    endpoints.write_text("{}")
    setup = Setup(
        namespace="me",
        preset=read_preset(preset),
        endpoints=str(endpoints),
        budget=5.0,
        sources=str(folder),
        job=Job(name="mine", folder=str(folder)) if job else None,
    )
    cells = [Cell(scenario=None, arm=arm) for arm in ARMS] if job else all_cells(fair=True, seeds=2)
    return BenchmarkPlan.of(cells, setup)


def _meaning(request: BaseModel) -> dict[str, Any]:
    """Return a request with what it leaves to defaults."""
    found = request.model_dump()
    if type(request).__name__ == "TrainRequest":
        found["settings"] = resolve(TrainConfig, found["settings"]).model_dump()
    if type(request).__name__ == "EvaluateRequest":
        config = request.config(None)
        config = replace(config, asking=replace(config.asking, budget=None))  # two budgets are never equal
        found |= {"asking": config, "judging": request.judge(None), "budget": request.asking.budget}
    return found


@pytest.mark.parametrize("job", [False, True])
@pytest.mark.parametrize("preset", ["published", "tiny", "pretrained"])
def test_a_request_is_what_the_command_of_its_step_says(
    preset: str, job: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan(preset, tmp_path, job)
    if job:
        write_job(tmp_path, traces=4, test=2)
    (tmp_path / "sgd" / "train").mkdir(parents=True)
    (tmp_path / "sgd" / "train" / "dialogues_001.json").touch()
    artifacts = {step.makes: Artifact(kind=step.kind, repo_id=step.makes, revision=COMMIT) for step in plan.steps}
    for name in ("TFT_SOURCES", "TFT_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(PRIVATE, "1")
    asked: list[BaseModel] = []

    def reach(request: BaseModel, hub: Hub) -> None:
        del hub
        asked.append(request)
        raise Reached

    kinds = {step.module: get_type_hints(_stage(step).run)["request"] for step in plan.steps}
    for step in plan.steps:
        monkeypatch.setattr(_stage(step), "run", reach)
    for step in [pinned(step, artifacts) for step in plan.steps]:
        done = CliRunner().invoke(tft, [*step.words, *step.places])
        assert isinstance(done.exception, Reached), (step.key, done.output, done.exception)
        request = resolve(kinds[step.module], json.loads(json.dumps(step.request)))
        assert _meaning(request) == _meaning(asked.pop()), step.key


def test_a_document_with_a_field_that_no_request_has_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"stage": "job-traces", "request": {"job": "x", "place": {}, "sauce": 1}}))
    command = [sys.executable, "-m", "harness.stages", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the setting sauce cannot be used")
    assert "job, place" in done.stderr


def test_ctrl_c_ends_a_stage_in_a_word_and_with_130(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    os.mkfifo(path)
    command = [sys.executable, "-m", "harness.stages", str(path)]
    stage = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with path.open("w"):  # once the stage reads it
        stage.send_signal(signal.SIGINT)
        out, err = stage.communicate(timeout=60)
    assert (stage.returncode, out, err) == (130, "", "interrupted\n")


def test_results_of_earlier_releases_are_found_by_their_marks() -> None:
    """Marks as the first version computed them, with commits at what the step reads."""
    setup = Setup(namespace="me", preset=read_preset("tiny"))
    plan = BenchmarkPlan.of(all_cells(fair=True, seeds=2), setup)
    artifacts = {step.makes: Artifact(kind=step.kind, repo_id=step.makes, revision=COMMIT) for step in plan.steps}
    marks = {step.key: step_tag(pinned(step, artifacts), plan.salt, 7) for step in plan.steps}
    assert {key: marks[key] for key in KNOWN} == KNOWN


def test_what_an_earlier_version_has_made_is_named_before_it_is_made_again(hub: Hub, tmp_path: Path) -> None:
    write_job(tmp_path / "job", traces=4, test=2)
    setup = Setup(namespace="ada", preset=read_preset("tiny"), job=Job(name="mine", folder=str(tmp_path / "job")))
    plan = BenchmarkPlan.of([Cell(scenario=None, arm="direct")], setup)
    state = BenchmarkState(hub, plan)
    collect, student, *_ = plan.steps
    assert known_steps(plan, state).outdated == {}
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "lineage.json").write_text("{}")
    made = push_folder(hub, "dataset", collect.makes, tmp_path / "made", message="as before")
    hub.tag(made, step_tag(collect, plan.salt, 1))
    exact = pinned(student, {collect.makes: made})
    hub.tag(push_folder(hub, "model", student.makes, tmp_path / "made", message="as before"), state.tag(exact))
    known = known_steps(plan, state)
    assert known.outdated == {collect.key: f"of version 1 of the stage, now {job_test_set.VERSION}"}
    assert known.following == {student.key}
    assert not any(known.there.values())
