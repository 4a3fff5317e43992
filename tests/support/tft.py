"""`tft` in a process of its own, run to its end: forked from one that has imported the large libraries already.

Importing them takes most of the time of a short command. What is forked has its own environment, working folder,
output and exit status, and begins in `main()` like any other. `Popen([TFT, ...])` starts from nothing, for tests of
starting, signals and kills.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TFT = Path(sys.executable).parent / "tft"
_READ_AT_START = re.compile(r"PYTHON.*|LD_.*|MPL.*|OMP_.*|OPENBLAS_.*|COVERAGE.*|TZ|LANG|LC_.*")
"""Variables that Python and the large libraries read once: with other values a process starts from nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished command."""

    status: int
    """Its exit status, or the negative number of the signal that ended it."""
    out: str
    err: str

    def refused(self, *words: str) -> str:
        """Check that it ended as bad input must, that its one sentence has these words, and return the sentence."""
        assert self.status == 2, self.err[-4000:]
        assert "Traceback" not in self.err
        assert self.out == ""
        said = self.err.splitlines()
        errors = [number for number, line in enumerate(said) if line.lower().startswith("error: ")]
        assert len(errors) == 1, self.err
        sentence = "\n".join(said[errors[0] :])
        missing = [word for word in words if word not in sentence]
        assert not missing, f"{missing} not in: {sentence}"
        return sentence

    def worked(self) -> Done:
        """Check that the command ended well."""
        assert self.status == 0, self.err[-4000:]
        return self


def run(words: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path) -> Done:
    """Run `tft` with these words in a folder, with this environment and no other, to its end."""
    starter = _starter()
    try:
        return starter.run([str(word) for word in words], dict(environment), folder.absolute())
    except BaseException:  # a test's time is over, or Ctrl-C: the command ends too, and the next one has a new starter
        _started.clear()
        starter.stop()
        raise


class _Starter:
    """The process that is forked, and the connection over which it is told to."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self.connection, theirs = socket.socketpair()
        program = Path(__file__).with_name("tft_starter.py")
        self.process = subprocess.Popen(
            [sys.executable, program, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # so that `stop` reaches the command that it has forked
        )
        theirs.close()
        self.replies = self.connection.makefile("r")
        atexit.register(self.stop)

    def run(self, words: list[str], environment: dict[str, str], folder: Path) -> Done:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            if self._starts_like(environment):
                task = json.dumps({"words": words, "environment": environment, "folder": str(folder)}).encode()
                descriptors = [out.fileno(), err.fileno()]
                socket.send_fds(self.connection, [len(task).to_bytes(8, "big")], descriptors)
                self.connection.sendall(task)
                reply = self.replies.readline()
                assert reply, "the process that starts `tft` has ended"
                status = int(reply)
            else:
                command = [str(TFT), *words]
                status = subprocess.run(
                    command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False
                ).returncode
            return Done(status=status, out=_read(out), err=_read(err))

    def _starts_like(self, environment: Mapping[str, str]) -> bool:
        """Whether what is read once is the same here and there."""
        names = {name for name in (*environment, *self.environment) if _READ_AT_START.fullmatch(name)}
        return all(environment.get(name) == self.environment.get(name) for name in names)

    def stop(self) -> None:
        if self.process.returncode is None:
            self.replies.close()
            self.connection.close()
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _read(file: tempfile._TemporaryFileWrapper[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


_started: list[_Starter] = []


def _starter() -> _Starter:
    if not _started:
        _started.append(_Starter())
    return _started[0]
