"""The environment of processes that load a model's files: what they need, and no secrets."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

FURTHER = "TFT_ENGINE_ENV"
"""Names of further variables to hand on, with commas between them."""

_NAMES = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "COLUMNS", "CC", "CXX", "CPATH", "LIBRARY_PATH"),
        *("NO_PROXY", "no_proxy", "MASTER_ADDR", "MASTER_PORT"),
    )
)
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_MODULES_CACHE", "TRANSFORMERS_CACHE")
_KINDS = (
    *("LC_", "LD_", "DYLD_", "PYTHON", "XDG_"),
    *("CUDA", "NVIDIA_", "NCCL_", "HIP_", "HSA_", "ROC", "GPU_", "ZE_", "ONEAPI_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GLOO_", "UCX_", "MALLOC_"),
    *("VLLM_", "TORCH", "PYTORCH_", "TRITON_", "FLASHINFER_", "TOKENIZERS_", "TIKTOKEN_"),
)
"""How the names of variables begin that set up Python, devices, threads and the engine itself."""
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_TOKENIZERS = ("TOKENIZERS_", "VLLM_TOKENIZER", "VLLM_MAX_TOKEN")
"""These are about another kind of token."""


def without_secrets() -> dict[str, str]:
    """Return the environment for a process that loads untrusted files: it downloads nothing."""
    further = {name.strip() for name in os.environ.get(FURTHER, "").split(",")}
    kept = {name: value for name, value in os.environ.items() if _needed(name) or name in further}
    return kept | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "DO_NOT_TRACK": "1"}


def _needed(name: str) -> bool:
    if any(word in name.upper() for word in _SECRET) and not name.startswith(_TOKENIZERS):
        return False
    return name in _NAMES or name in _CACHES or name.startswith(_KINDS)


def compile_caches(apart: str | None) -> dict[str, str]:
    """Return the variables for folders of compiled code that are the user's own; an engine runs what it finds there.

    `apart` names a model that runs code of its own: what that has left is found by this model only. Raises EngineError
    for a folder in which others can write.
    """
    from harness.errors import EngineError

    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tft" / "engine"
    place = root / (re.sub(r"[^A-Za-z0-9._@-]", "-", apart) if apart else "shared")
    for folder in (root, place):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise EngineError(
                f"{folder} may hold code that others have compiled: expected a folder of your own in which nobody else "
                "can write; remove it, and it is made again"
            )
    names = ("VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
    return {name: str(place / name.partition("_")[0].lower()) for name in names}


def limit(name: str, default: float, environment: Mapping[str, str] = os.environ) -> float:
    """Return a limit that a variable of the environment may set; UsageError where that is not a positive number."""
    from harness.errors import UsageError

    text = environment.get(name)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(f"the variable {name} is {text!r}; set it to a number above 0, or unset it")
    return number
