"""Adapters and their base on one start of the engine, killed between models and while results are pushed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.benchmark.record import FILE, load
from harness.benchmark.sample_job import write_job
from harness.evaluation.results import RESULTS, ResultsDataset
from harness.hub.client import Hub
from harness.hubd.embedded import EmbeddedHub

PRESET = """
student: small
make_student: {params: 0.4M, vocabulary: 1024}
models: rules
target: 4
train: {epochs: 1, learning_rate: 0.003, lora_rank: 4, limit: 4}
together: true
max_tokens: 24
threads: 1
"""
TRACES, TEST = 16, 4
MODELS = ["ada--mine-tft-small", "ada--mine-direct-small", "ada--small"]


def _answers(work: Path) -> dict[str, bytes]:
    """Return folder of a run -> the whole lines of its log."""
    logs = sorted(work.glob("evaluate-*/*/answers.jsonl"))
    return {log.parent.name: log.read_bytes().rpartition(b"\n")[0] for log in logs}


def _counts(work: Path) -> list[int]:
    return [len(lines.splitlines()) for lines in _answers(work).values()]


def _killed_when(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.kill()
    process.communicate()


@pytest.mark.kill
@pytest.mark.timeout(3000)
def test_a_killed_evaluation_of_several_models_asks_no_model_twice(
    server: EmbeddedHub, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the second model answers, and when the first result is pushed: each question is asked once."""
    monkeypatch.setenv("HF_TOKEN", "hf_ada_write")
    write_job(tmp_path / "mine", traces=TRACES, test=TEST)
    (tmp_path / "together.yaml").write_text(PRESET)
    words = ["benchmark", "--job", "mine", "--preset", "together.yaml", "--work", "work"]
    variables = os.environ | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "COLUMNS": "300"}
    command, work = [sys.executable, "-m", "harness.cli", *words], tmp_path / "work"

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def pushed() -> list[str]:
        found = ResultsDataset.find(hub, f"ada/{RESULTS}")
        return found.configs() if found else []

    _killed_when(lambda: len(_counts(work)) > 1 and min(_counts(work)) > 0, start())
    before = _answers(work)
    _killed_when(lambda: bool(pushed()), start())
    assert "ada--small" in pushed(), "the base comes first: alone it would be evaluated anew"
    after = _answers(work)
    assert all(after[folder].startswith(lines) for folder, lines in before.items())
    assert len(after) == len(MODELS)

    done = start()
    out, err = done.communicate()
    assert done.returncode == 0, err
    assert _answers(work) == after, "what had been answered was asked again"
    for lines in after.values():
        asked = [json.loads(line)["pair_id"] for line in lines.splitlines()]
        assert len(asked) == len(set(asked)) == max(_counts(work))
    assert sorted(pushed()) == sorted(MODELS)
    record = load(hub.read_text("dataset", f"ada/{RESULTS}", FILE) or "", "here")
    assert [cell.status for cell in record.cells] == ["done", "done"]
    assert [one.status for one in record.baselines if one.kind == "untrained"] == ["done"]
    again = start()
    out, err = again.communicate()
    assert again.returncode == 0, err
    assert re.search(r"(\d+) stages: \1 there already", out), out
