"""Whatever ends the harness, nothing that it watches goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.models.engine.process import GRACE, kill_with_parent

# As vLLM does for a while: deaf to SIGTERM, with a process of its own. Each line is one write: with PYTHONUNBUFFERED
# set, print makes two of it, and those of both processes mix.
_DEAF = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write(1, b"%d\\n" % os.getpid())
time.sleep(120)
"""
_HARNESS = f"""
import subprocess, sys
from harness.models.engine.process import kill_with_parent
child = subprocess.Popen([sys.executable, "-c", {_DEAF!r}], start_new_session=True)
with kill_with_parent(child.pid):
    child.wait()
"""


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[str]]:
    """A process group that only SIGKILL ends."""
    command = [sys.executable, "-c", _DEAF]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True) as it:
        yield it
        with suppress(ProcessLookupError):
            os.killpg(it.pid, signal.SIGKILL)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_group_that_is_deaf_ends_when_the_harness_is_killed(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", _HARNESS], stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        pids = [int(harness.stdout.readline()) for _ in range(2)]
        time.sleep(0.5)  # the watch has started
        harness.send_signal(number)
        harness.wait()
        assert all(map(_alive, pids)), "they are deaf"
        deadline = time.monotonic() + 4 * GRACE
        while any(map(_alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(map(_alive, pids))


def test_after_the_block_nothing_is_sent(deaf: subprocess.Popen[str]) -> None:
    with kill_with_parent(deaf.pid):
        pass
    with pytest.raises(subprocess.TimeoutExpired):
        deaf.wait(1.0)
