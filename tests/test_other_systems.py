"""Reading traces, scoring and comparing work where a system has neither `resource` nor `fcntl` nor forks (Windows)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

_WITHOUT = """
import os, signal, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in ("resource", "fcntl", "termios", "pwd", "grp"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
for name in ("resource", "fcntl", "termios", "pwd", "grp"):
    sys.modules.pop(name, None)
WITHOUT = "fork forkpty register_at_fork O_DIRECTORY killpg setsid getuid geteuid pread sysconf"
for name in WITHOUT.split():
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGALRM", "SIGXCPU", "SIGKILL", "SIGUSR1", "SIGPIPE", "setitimer", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
"""
CALL = {"name": "find", "parameters": {"city": "Ulm"}}
ANSWER = f"<tool_call>{json.dumps(CALL)}</tool_call>"
QUESTION = [{"role": "user", "content": "Anything open in Ulm?"}]
ROW = {"question": json.dumps(QUESTION), "answer": json.dumps(CALL), "prediction": ANSWER}
TALK = [*QUESTION, {"role": "assistant", "content": "Nothing, sorry."}]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """Run `tft` and the processes that it starts on such a system; returns what it printed."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_WITHOUT)

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "harness.cli", *words]
        own = {"PYTHONPATH": str(tmp_path / "site"), "HF_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            command, env=os.environ | own, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


def test_the_modules_are_hidden(elsewhere: Any, tmp_path: Path) -> None:
    code = (
        "import os, sys; print(hasattr(os, 'fork'), sys.platform)\ntry: import fcntl\nexcept ImportError: print('none')"
    )
    own = {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | own, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", sys.platform, "none"]


def test_traces_of_all_kinds_are_read(elsewhere: Any, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [{"messages": TALK}] * 2
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as log:
        for number in range(2):
            log.writestr(
                f"samples/{number}.json", json.dumps({"id": number, "epoch": 1, "input": "", "messages": TALK})
            )
    for name in ("a.jsonl", "a.json", "a.parquet", "a.eval"):
        assert json.loads(elsewhere("inspect-traces", name, "--json"))["rows"] == 2, name


def test_predictions_are_scored_and_compared(elsewhere: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW) + "\n")
    elsewhere("score", "rows.jsonl", "--out", "scored.jsonl")
    assert json.loads((tmp_path / "scored.jsonl").read_text().splitlines()[0])
    elsewhere("compare", "rows.jsonl", "rows.jsonl")
