"""In which arithmetic the engine answers: the default on the CPU, faster ones, and what runs have recorded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ARITHMETIC = "arithmetic"
"""In a run's settings, where `--fast` chose another than the default."""
DEFAULT = "the default arithmetic"
"""float32, not compiled, attention not split: on the CPU. Records that say nothing of their engine count as it."""
CUDA = "what the engine chooses on CUDA"
USUAL = frozenset((DEFAULT, CUDA))
"""What an evaluation computes in that nobody asked for another arithmetic."""
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""What PyTorch calls a processor's instructions for bfloat16, on x86 and on ARM."""
_DECIDING = frozenset(
    (
        *("dtype", "enforce-eager", "no-enforce-eager", "compilation-config", "optimization-level"),
        *("quantization", "kv-cache-dtype", "attention-backend", "attention-config"),
    )
)
"""Arguments of the engine that change its arithmetic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What decides how the CPU build's answers are rounded."""

    dtype: str = "float32"
    compiled: bool = False
    split_attention: bool = False

    def __str__(self) -> str:
        compiled = "compiled" if self.compiled else "not compiled"
        return f"{self.dtype}, {compiled}, attention {'split' if self.split_attention else 'not split'}"


def processor_has_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16; without them it is slower than float32."""
    import torch

    return any(torch.cpu.get_capabilities().get(name) for name in _BFLOAT16)


def recorded_arithmetic(config: Mapping[str, Any]) -> str:
    """Return in which arithmetic a run of our engine answered, by the run's settings, which may be of any version."""
    if named := config.get(ARITHMETIC):
        return str(named)
    words = [[str(word) for word in config.get(key) or ()] for key in ("engine_defaults", "engine_args")]
    defaults, chosen = (list(deciding_args(one)) for one in words)
    usual = DEFAULT if defaults or "engine_defaults" not in config else CUDA
    return ", ".join(f"{name} {value}".strip() for name, value in chosen if (name, value) not in defaults) or usual


def deciding_args(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield those of an engine's argument words that change its arithmetic: name and value, "" for a flag."""
    for word, following in itertools.pairwise([*words, ""]):
        flag, _, value = word.partition("=")
        name = flag.removeprefix("--").replace("_", "-")
        if flag.startswith("--") and name.partition(".")[0] in _DECIDING:
            yield name, value or ("" if following.startswith("--") else following)
