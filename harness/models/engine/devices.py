"""Where the engines of one run go: each on a GPU of its own, or on its share of the processor's cores."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.models.engine.build import SPREAD, is_cpu_build
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.server import EngineOptions, Server, serving

CORES = "VLLM_CPU_OMP_THREADS_BIND"
GPUS = "CUDA_VISIBLE_DEVICES"


def start_engines(checkpoint: Checkpoint, options: EngineOptions, log: Path, stack: ExitStack) -> list[Server]:
    """Start engines on a model, which the stack stops; the first writes to `log`, others to files beside it."""
    return [
        stack.enter_context(
            serving(
                checkpoint,
                replace(options, placement=place),
                log if number == 1 else log.with_stem(f"{log.stem}-{number}"),
            )
        )
        for number, place in enumerate(placements(options.replicas, options.extra_args), start=1)
    ]


def placements(replicas: int, engine_args: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the variables that place each of several engines; one has all there is, and none.

    Raises UsageError where there are fewer devices than engines, or where the user has placed engines otherwise.
    """
    if replicas == 1:
        return [{}]
    flags = (word.partition("=")[0].replace("_", "-") for word in engine_args)
    spread = next((flag for flag in flags if flag in SPREAD), None)
    if spread:
        raise UsageError(f"{spread} spreads one engine over devices, --replicas gives each engine one; leave one out")
    if is_cpu_build():
        if CORES in os.environ:
            raise UsageError(f"{CORES} binds an engine to cores, and so does --replicas; unset the variable")
        return [{CORES: ",".join(map(str, cores))} for cores in share_cores(_cores(), replicas)]
    gpus = _gpus(os.environ)
    if len(gpus) < replicas:
        raise UsageError(
            f"--replicas {replicas} takes as many GPUs, this machine has {len(gpus)}; give --replicas {len(gpus) or 1}"
        )
    return [{GPUS: gpu} for gpu in gpus[:replicas]]


def share_cores(cores: Sequence[int], replicas: int) -> list[Sequence[int]]:
    """Return neighbouring cores for each engine, their numbers as equal as can be; UsageError for too few."""
    if len(cores) < replicas:
        raise UsageError(
            f"--replicas {replicas} takes a core for each, this process has {len(cores)}; give --replicas {len(cores)}"
        )
    ends = [len(cores) * number // replicas for number in range(replicas + 1)]
    return [cores[start:end] for start, end in itertools.pairwise(ends)]


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]


def _gpus(environment: Mapping[str, str]) -> list[str]:
    """Return the GPUs that this process may use, as CUDA names them."""
    if GPUS in environment:
        return [name for name in environment[GPUS].split(",") if name.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]
