"""Memory: what a piece of work takes at its peak, what fits into what is free, errors that say there is none left."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import TrainingError
from harness.training.config import TrainConfig

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Of glibc's malloc.h."""
_PROCESS = Path("/proc/self")
_SHARE = 0.7
"""Share of the free memory that is used: a processor's memory is not denied, the process is killed."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; on the CPU and in cuBLAS it is a plain RuntimeError."""
    import torch

    said = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in said)


def doubling(most: int) -> list[int]:
    """Return 1, 2, 4 and so on below `most`, and `most`."""
    return [2**power for power in range((most - 1).bit_length())] + [most]


def peak_of(work: Callable[[], object]) -> tuple[int, int] | None:
    """Do the work; return the bytes of main memory that this process held before it, and at most during it.

    None where the system does not say that: the work is not done then. Linux does, at least.
    """
    try:
        (_PROCESS / "clear_refs").write_text("5")  # the peak so far is forgotten
        before = _resident("VmRSS")
    except OSError:
        return None
    work()
    return before, _resident("VmHWM")


def _resident(kind: str) -> int:
    status = (_PROCESS / "status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{kind}:"))


def fitting(most: int, *, free: int, one: int, two: int) -> int:
    """Return how many examples fit into `free` bytes, a power of two or `most`, where one and two take so many.

    An example is taken to need what the second one added, or half of both where that is more.
    """
    each = max(two - one, two / 2, 1)
    return max(size for size in doubling(most) if size == 1 or size * each <= _SHARE * free)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let glibc keep the memory that tensors free, in place of giving it back and faulting it in at the next step.

    Tensors above 32 MB have a mapping of their own otherwise. Where the C library is another one, nothing changes.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "gnu_get_libc_version"):
        yield
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_MAX, 65536)
        libc.mallopt(_M_TRIM_THRESHOLD, 128 << 10)
        libc.malloc_trim(0)


@contextmanager
def memory_explained(config: TrainConfig) -> Iterator[None]:
    """Turn out-of-memory errors into TrainingError with what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        fixed = config.batch_size != "auto" and config.batch_size > 1
        hints = [
            f"a smaller batch (it is {config.batch_size}; auto finds one)" if fixed else "",
            "" if config.gradient_checkpointing is True else "gradient checkpointing",
            "a smaller --max-length (longer conversations are dropped)",
            "" if config.method == "lora" else "LoRA instead of all weights",
        ]
        raise TrainingError(f"memory ran out while training; try {', or '.join(filter(None, hints))}") from error
