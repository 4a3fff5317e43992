"""Whoever starts the tests, and however, they start from the same place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from huggingface_hub import constants

CALLERS = {
    "HF_TOKEN": "hf_of_the_caller",
    "HF_ENDPOINT": "http://127.0.0.1:9",
    "TFT_PRIVATE": "1",
    "TFT_EVALUATE_LIMIT": "1",
    "TFT_SOURCES": "/nowhere",
    "OPENAI_API_KEY": "sk-of-the-caller",
    "OPENAI_BASE_URL": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "XDG_CACHE_HOME": "/nowhere",
    "COLUMNS": "40",
    "NO_COLOR": "1",
    "FORCE_COLOR": "1",
    "GIT_DIR": "/nowhere",
    "GH_TOKEN": "ghp_of_the_caller",
    "RANK": "1",
}


def test_no_test_sees_the_settings_or_the_home_of_whoever_starts_it() -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    inherited = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not set(CALLERS) & {*os.environ, *inherited}
    assert list(Path.home().glob(".cache/huggingface/*token*")) == []
    assert Path.home().name.startswith("tft-tests-")
    assert Path(constants.HF_HOME).is_relative_to(Path.home()), "it reads its settings when imported"


def test_what_a_test_starts_is_stopped_by_ctrl_c() -> None:
    """Also where a shell has started the tests with SIGINT ignored: a process inherits that from its parent."""
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_they_start_like_that_in_the_background_of_any_shell() -> None:
    early = Path(__file__).parent / "benchmark" / "release"  # its conftest imports libraries before any test is set up
    options = ("-q", "-p", "no:cacheprovider", "-k", "test_start and (home or ctrl_c)")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, early / "test_reuse.py", __file__],
        env={name: value for name, value in os.environ.items() if "XDIST" not in name} | CALLERS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_files_side_by_side_compute_on_a_share_of_the_cores_each() -> None:
    """One that runs alone, and whoever has chosen already, are left as they are."""

    def chosen(**variables: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "OMP", "VLLM"))}
        code = "import json, os, runpy, sys; runpy.run_path(sys.argv[1]); print(json.dumps(dict(os.environ)))"
        command = [sys.executable, "-c", code, Path(__file__).with_name("conftest.py")]
        done = subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=True)
        return {name: value for name, value in json.loads(done.stdout).items() if name.startswith(("OMP", "VLLM"))}

    workers = [{"PYTEST_XDIST_WORKER": f"gw{one}", "PYTEST_XDIST_WORKER_COUNT": "2"} for one in range(2)]
    shares = [chosen(**worker) for worker in workers]
    cores = os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1)
    assert sum(int(share["OMP_NUM_THREADS"]) for share in shares) == max(len(cores), 2)
    if sys.platform == "linux":
        bound = [core for share in shares for core in share["VLLM_CPU_OMP_THREADS_BIND"].split(",")]
        assert {*map(int, bound)} == cores
    assert chosen() == {}
    assert chosen(**workers[0], OMP_NUM_THREADS="7")["OMP_NUM_THREADS"] == "7"
