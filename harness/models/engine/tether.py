"""A process group that ends when this process does, however that happens.

The kernel's own signal for it (`PR_SET_PDEATHSIG`) comes once, and what ignores SIGTERM just then, as vLLM does while
it starts its engine, lives on for good. So a small process waits at a pipe, which breaks when this one is gone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_DONE = b"done"
GRACE = 5.0  # seconds an orphan has to end by itself: nobody waits for what it still has to say

_WATCH = """
import os, signal, sys, time
group, grace, done = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
if sys.stdin.read() != done:
    try:
        os.killpg(group, signal.SIGTERM)
        end = time.monotonic() + grace
        while time.monotonic() < end:
            time.sleep(0.1)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@contextmanager
def ends_with_this_process(group: int) -> Iterator[None]:
    """For the time of the block, have the process group `group` stopped if this process dies.

    After the block nothing is sent: the number may belong to others by then.
    """
    watch = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH, str(group), str(GRACE), _DONE.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what is sent to this process and its group must not reach it
    )
    try:
        yield
    finally:
        watch.communicate(_DONE)
