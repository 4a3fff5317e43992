"""The vLLM server as a child process: started on a pulled checkpoint, on loopback, always stopped."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from harness.errors import EngineError
from harness.hub.address import keep_from_proxies
from harness.hub.artifact import Artifact
from harness.models.engine.arithmetic import Arithmetic
from harness.models.engine.build import MEMORY, check_installed, default_settings, is_cpu_build, memory_limit
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.cpu_adapters import SWITCH
from harness.models.engine.environment import compile_caches, without_secrets
from harness.models.engine.process import LOAD, MemoryWatch, kill_with_parent
from harness.secrets import learn

SERVED_NAME = "model"
_MAIN = "from harness.models.engine.process import main; main()"
_START_LIMIT = 30 * 60.0
_SILENCE_LIMIT = 10 * 60.0
"""Seconds without a line in the log of an engine that starts."""
_KEEP_ALIVE_SECONDS = "600"
"""Its clients end idle connections, before it does: else one ends while it is being taken for the next request."""
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
    arithmetic: Arithmetic | None = None
    """None: the default."""
    replicas: int = 1
    """Engines that share this machine."""
    placement: Mapping[str, str] = field(default_factory=dict)
    """Variables that say on which device or cores it runs; none: on all there is."""


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
        self.load()
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

    def load(self) -> None:
        """Say that the files have been checked; the engine does not touch them before. Returns at once."""
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
        """Return the engine's counters of its work so far; empty where it does not report them."""
        text = self._answers("/metrics") or ""
        return "\n".join(line for line in text.splitlines() if line.startswith(_COUNTERS))

    def context(self) -> int | None:
        """Return the most tokens that a prompt and its answer may have, None where the engine does not say."""
        try:
            models = json.loads(self._answers("/v1/models") or "{}").get("data") or [{}]
            return int(models[0]["max_model_len"])
        except (ValueError, KeyError, TypeError):
            return None

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
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": _KEEP_ALIVE_SECONDS,
    }
    defaults, default_environment = default_settings(checkpoint.weights, options.arithmetic, options.replicas)
    arguments += defaults
    environment |= {**default_environment, **options.placement} | ({SWITCH: "1"} if is_cpu_build() else {})
    if options.arithmetic and options.arithmetic.compiled:
        environment |= compile_caches(str(checkpoint.artifact) if options.trust_remote_code else None)
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
    with kill_with_parent(process.pid), watch.watching():
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
    """Return the last meaningful lines of the log, and where the whole log is.

    Frames of tracebacks are left out: threads that a failed start takes down with it would otherwise fill the tail.
    """
    lines = [line.rstrip() for line in _FRAME.sub("", log.read_text(errors="replace")).splitlines() if line.strip()]
    tail = "\n  ".join(lines[-_LOG_TAIL:]) or "(empty)"
    return f"Its last lines:\n  {tail}\nThe whole log: {log}"


class SharedEngine:
    """At most one running server, for all that need one; it is stopped at the end of the block."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._stack = ExitStack()
        self._served: Artifact | None = None
        self._server: Server | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serves(self, artifact: Artifact) -> bool:
        """Whether a server on this model was started."""
        return self._served == artifact

    def serve(self, checkpoint: Checkpoint, log: Path) -> Server:
        """Return a server on the model: the one that runs already, or a new one that loads and writes to `log`.

        Raises EngineError where it is not installed, or has ended by itself.
        """
        if self._server is not None and self.serves(checkpoint.artifact):
            self._server.check_alive()
            return self._server
        self.close()
        self._server = self._stack.enter_context(serving(checkpoint, self._options, log))
        self._served = checkpoint.artifact
        return self._server

    def check_alive(self) -> None:
        """Raise EngineError where the server has ended by itself."""
        if self._server is not None:
            self._server.check_alive()

    def close(self) -> None:
        """Stop the server; it can be started again."""
        self._served = self._server = None
        self._stack.close()
