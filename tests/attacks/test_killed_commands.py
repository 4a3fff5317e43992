"""A command that is stopped from outside (docker stop, Slurm, a cancelled job) puts away what it has begun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TFT = Path(sys.executable).with_name("tft")
TOOL = {"type": "function", "function": {"name": "find", "description": "Find.", "parameters": {"type": "object"}}}
TASK = {"task_description": "Search.", "llm_as_a_judge_instructions": "Compare.", "tools": [TOOL]}
ROWS = 4000


def _row(number: int) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    return {
        "messages": [
            {"role": "user", "content": f"Where is number {number}, please, and what does it cost?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "[]"},
            {"role": "assistant", "content": f"I found nothing about {number}."},
        ]
    }


@pytest.fixture
def job(tmp_path: Path) -> Path:
    (tmp_path / "task.json").write_text(json.dumps(TASK))
    (tmp_path / "traces.jsonl").write_text("".join(json.dumps(_row(number)) + "\n" for number in range(ROWS)))
    return tmp_path


def stopped(job: Path, number: int) -> tuple[int, list[str]]:
    """Send a signal to `tft filter` when it writes its result; return its status, and what lies beside the result."""
    command = [str(TFT), "filter", "traces.jsonl", "--task", "task.json", "--no-rating", "--no-push", "--out", "made"]
    known = set(beside(job))
    own = {"HF_HOME": str(job / "home"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    process = subprocess.Popen(
        command, cwd=job, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    end = time.monotonic() + 40
    while not set(beside(job)) - known and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=40)
    return process.returncode, beside(job)


def beside(job: Path) -> list[str]:
    return sorted(path.name for path in job.glob(".*made*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_half_made_is_left_where_a_command_is_stopped(job: Path, number: int) -> None:
    status, left = stopped(job, number)
    assert not left
    assert not (job / "made").exists()
    assert status == 128 + signal.SIGTERM


def test_what_a_killed_command_has_left_the_next_one_clears(job: Path) -> None:
    _, first = stopped(job, signal.SIGKILL)
    assert first
    status, left = stopped(job, signal.SIGTERM)
    assert not left, f"{first} was left for ever"
    assert status == 128 + signal.SIGTERM
