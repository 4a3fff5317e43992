"""SIGTERM and SIGHUP end a command as Ctrl-C does, once: what is being put away is not cut short by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

_COMMAND = """
import asyncio, os, signal, sys, time
from harness.errors import end_on_signals, interruption
end_on_signals()

def raise_all():
    for number in sys.argv[2].split(","):
        if number:
            os.kill(os.getpid(), int(number))

def clean_up():
    raise_all()
    time.sleep(0.1)
    print("put away", flush=True)

def plain():
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(9)
    finally:
        clean_up()

async def task():
    try:
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), int(sys.argv[1]))
        await asyncio.sleep(9)
    finally:
        print("task ended", flush=True)

def in_loop():
    try:
        asyncio.run(task())
    finally:
        clean_up()

def in_generator():
    def steps():
        try:
            yield
        finally:
            clean_up()
    from contextlib import closing
    with closing(steps()) as made:
        next(made)
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(9)

def forked():
    ready, told = os.pipe()
    child = os.fork()
    if not child:  # what comes before it runs is lost, which is Python's way
        os.write(told, b"x")
        time.sleep(9)
        os._exit(0)
    os.read(ready, 1)
    os.kill(child, int(sys.argv[1]))
    print("put away", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    raise KeyboardInterrupt

try:
    globals()[sys.argv[3]]()
except KeyboardInterrupt as error:
    print(*interruption(error))
"""


def run(first: int, then: str = "", how: str = "plain") -> list[str]:
    command = [sys.executable, "-c", _COMMAND, str(int(first)), then, how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("how", ["plain", "in_loop", "in_generator"])
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_was_begun_is_put_away_whatever_comes_meanwhile(how: str, first: int) -> None:
    *_, away, word = run(first, f"{int(signal.SIGTERM)},{int(signal.SIGHUP)},{int(signal.SIGTERM)}", how)
    assert away == "put away"
    assert word == ("interrupted 130" if first == signal.SIGINT else "terminated 143")


def test_a_forked_process_ends_as_any_does() -> None:
    assert run(signal.SIGTERM, how="forked")[0] == f"put away {-signal.SIGTERM}"


def test_what_is_ignored_stays_so() -> None:
    """As `nohup` starts a command."""
    command = "import signal; from harness.errors import end_on_signals; end_on_signals(); "
    command += "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    done = subprocess.run(
        ["nohup", sys.executable, "-c", command], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "True"


def test_putting_away_does_not_take_for_ever() -> None:
    code = "import harness.errors as e, os, signal, time; e._LONGEST_END = 0.3; e.end_on_signals()\n"
    code += "try: os.kill(os.getpid(), 15); time.sleep(9)\nfinally: os.kill(os.getpid(), 15); time.sleep(30)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20, check=False)
    assert done.returncode == -signal.SIGALRM
