"""What attackers try, from outside: these tests use the command `tft` and HTTP, and import nothing of the harness.

Nor of `tests/support`, which older versions lack: `endpoints.py` is loaded by its path, and servers are written here
once more. So they run on any version of it: copied into the tests of an older one, they show which attacks succeeded
there.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

TFT = Path(sys.executable).with_name("tft")
FONTS = os.environ.get("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
"""What plots need; in a cache of its own every command would look for the machine's fonts anew."""
USERS = """
users:
  - {name: alice, orgs: [acme], tokens: [{token: hf_alice_writes, role: write}, {token: hf_alice_reads, role: read}]}
  - {name: bob, orgs: [acme], tokens: [{token: hf_bob_writes, role: write}, {token: hf_bob_reads, role: read}]}
  - {name: mallory, tokens: [{token: hf_mallory_writes, role: write}]}
orgs:
  - {name: acme}
"""


@dataclass(frozen=True)
class Hub:
    """A Hub in a process of its own: alice and bob share the organisation acme, mallory is a stranger."""

    url: str
    root: Path
    process: subprocess.Popen[str]
    clients: ExitStack = field(default_factory=ExitStack)

    def client(self, user: str | None = None, role: str = "writes", **options: Any) -> httpx.Client:
        """Return a client of a user (None: anonymous) whose requests start at this Hub."""
        headers = {"Authorization": f"Bearer hf_{user}_{role}"} if user else {}
        options = {"timeout": 60, "trust_env": False, **options}
        return self.clients.enter_context(httpx.Client(base_url=self.url, headers=headers, **options))

    @property
    def memory(self) -> int:
        """Return the largest resident size so far, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10  # type: ignore[index]

    @property
    def processor(self) -> float:
        """Return the seconds of processor time that it took so far: how busy the machine is does not change them."""
        spent = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(folder: Path, *options: str, files: int | None = None) -> Iterator[Hub]:
    """Run `tft hub serve` on a free port, with at most so many open `files`."""
    folder.mkdir(parents=True, exist_ok=True)
    users = folder / "users.yaml"
    users.write_text(USERS)
    command = [TFT, "hub", "serve", "--root", folder / "root", "--port", "0", "--users", users, *options]
    if files is not None:
        command = ["bash", "-c", f'ulimit -n {files}; exec "$0" "$@"', *command]
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        try:
            url = None
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    url = found[0]
                    break
            assert url, (folder / "log").read_text()
            hub = Hub(url=url, root=folder / "root", process=process)
            with hub.clients:
                yield hub
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


@pytest.fixture(scope="session")
def start() -> Callable[..., AbstractContextManager[Hub]]:
    """Return `serving`, for tests that need a Hub of their own."""
    return serving


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with serving(tmp_path_factory.mktemp("hub")) as found:
        yield found


@pytest.fixture
def tft(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command to its end (two minutes at most), with further variables of the environment as keywords."""

    def run(*arguments: object, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"HF_HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": FONTS}
        command = [str(TFT), *map(str, arguments)]
        return subprocess.run(
            command,
            env=os.environ | own | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@dataclass(frozen=True)
class Ended:
    """How a watched command ended."""

    status: int
    """Negative: the signal that ended it."""
    said: str
    """What it wrote, on both outputs."""
    seconds: float
    memory: int
    """The largest resident size that was seen, of itself or of a process that it has started, in bytes."""


@pytest.fixture
def watched(tmp_path: Path) -> Callable[..., Ended]:
    """Run the command, and kill it where it takes more time, or more memory, than the machine can spare for it."""

    def run(*arguments: object, timeout: float = 60, memory: int = 1 << 30, **environment: str) -> Ended:
        own = {"HF_HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": FONTS}
        with (tmp_path / "said").open("w+b") as out:
            begun, largest = time.monotonic(), 0
            process = subprocess.Popen(
                [str(TFT), *map(str, arguments)],
                env=os.environ | own | environment,
                cwd=tmp_path,
                stdout=out,
                stderr=out,
            )
            while process.poll() is None:
                largest = max(largest, *map(_resident, _family(process.pid)))
                if time.monotonic() - begun > timeout or largest > memory:
                    process.kill()
                time.sleep(0.01)
            seconds = time.monotonic() - begun
        said = (tmp_path / "said").read_text("utf-8", "replace")
        return Ended(status=process.returncode, said=said, seconds=seconds, memory=largest)

    return run


def _family(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it has just ended
        return [process]
    return [process, *(one for child in children for one in _family(int(child)))]


def _resident(process: int) -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        found = None
    return int(found[1]) << 10 if found else 0
