"""Stages that are interrupted: one line, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROWS = 4000
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces enough for several processes and some seconds."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "job_description.json").write_text(json.dumps({"task_description": "Find.", "tools": [TOOL]}))
    call = {"id": "a", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    with (folder / "traces.jsonl").open("w") as file:
        for number in range(ROWS):
            asked = " ".join(f"w{number * place % 977}" for place in range(80))
            messages = [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ]
            file.write(json.dumps({"messages": messages}) + "\n")
    return folder


@pytest.fixture
def started(job: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`tft filter` in a process group of its own, just when it starts to check."""
    words = ["filter", "traces.jsonl", "--task", "job_description.json", "--no-rating", "--no-push"]
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *words, "--out", str(tmp_path / "made")],
        cwd=job,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "checking traces ...\n"
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("after", [0.0, 0.4, 1.0])
def test_ctrl_c_is_one_line_and_leaves_nothing(started: subprocess.Popen[str], tmp_path: Path, after: float) -> None:
    """Also while the processes that check start up; a terminal sends the signal to all of them."""
    time.sleep(after)
    os.killpg(started.pid, signal.SIGINT)
    said, _ = started.communicate(timeout=60)
    assert (said.split(), started.returncode) == (["interrupted"], 130)
    assert list(tmp_path.iterdir()) == []


def test_sigterm_leaves_nothing_either(started: subprocess.Popen[str], tmp_path: Path) -> None:
    time.sleep(0.3)
    started.terminate()
    said, _ = started.communicate(timeout=60)
    assert (said.split(), started.returncode) == (["terminated"], 143)
    assert list(tmp_path.iterdir()) == []
