"""The documentation is run: every command and program in it, in its order, in one folder, against real servers."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness.cli import tft

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PORTS = ("7860", "7861")
HUB = DOCS / "hub.md"


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(HUB.read_text(encoding="utf-8"))


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def test_every_command_of_the_page_takes_the_options_it_is_given() -> None:
    lines = [line for language, text in blocks() if language == "bash" for line in text.splitlines()]
    commands = [line[line.index("tft ") :] for line in lines if re.search(r"\btft [a-z]", line)]
    assert len(commands) > 6
    for line in commands:
        words = shlex.split(line)[1:]
        command: click.Command = tft
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, line
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


class Shell:
    """Runs blocks one after the other: what they export stays, the servers they start run on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TFT_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = clean | {"PATH": path, "XDG_CACHE_HOME": str(folder / "xdg"), "OMP_NUM_THREADS": "2"}
        ports = [_free_port() for _ in PORTS]
        self.ports = dict(zip(PORTS, ports, strict=True))
        self.servers: list[subprocess.Popen[str]] = []

    def run(self, language: str, text: str) -> None:
        for port, free in self.ports.items():
            text = text.replace(port, free)
        if language == "bash" and "tft hub serve" in text:
            self._serve(text if "--port" in text else f"{text.rstrip()} --port {self.ports[PORTS[0]]}")
            return
        if "tft hub gc" in text:
            self.stop()
        program = ["bash", "-euo", "pipefail", "-c", f"{text}\nenv -0 > .environment"]
        if language == "python":
            program = [sys.executable, "-c", text]
        done = subprocess.run(
            program, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        if language == "bash":
            entries = (self.folder / ".environment").read_text().split("\0")
            self.environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)

    def _serve(self, text: str) -> None:
        words = ["bash", "-euc", text]
        server = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.servers.append(server)
        assert server.stdout
        assert server.stdout.readline().startswith("Hub ready: http://127.0.0.1:")

    def stop(self) -> None:
        while self.servers:
            server = self.servers.pop()
            os.killpg(server.pid, signal.SIGINT)
            server.communicate(timeout=20)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.stop()


@pytest.mark.slow
def test_the_page_about_the_hub_runs_as_it_is_written(shell: Shell, tmp_path: Path) -> None:
    for language, text in blocks():
        shell.run(language, text)
    assert (tmp_path / "copy" / "rows.jsonl").is_file()
    assert (tmp_path / "hub.tar.gz").is_file()
