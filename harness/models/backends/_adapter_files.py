"""The files of a LoRA adapter, read in the guarded child process (`harness.models.engine.guard`)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.models.engine.model_files import check_sizes, read_object, shapes

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values of vLLM's --max-lora-rank."""
_NOT_SERVED = ("use_dora", "lora_bias", "modules_to_save", "layer_replication", "alora_invocation_tokens")
"""Settings of PEFT that vLLM does not implement; the rarer rest it refuses itself."""
_FACTOR = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?:embedding_)?(?P<side>[AB])(?:\.weight)?")
_LAYER = re.compile(r"(?P<stack>.*\blayers\.)\d+(?=\.)")


def read_adapter(root: Path, place: str, name: str) -> dict[str, Any]:
    """Return the configuration of an adapter; ModelError where it cannot be read, or vLLM does not serve its kind."""
    check_sizes(root, name)
    config = read_object(root / place, CONFIG, name)
    merge = "merge it into its base, and evaluate that"
    if config.get("peft_type") != "LORA":
        raise ModelError(
            f"the adapter of {name} is of type {str(config.get('peft_type'))[:80]!r}, vLLM serves LORA; {merge}"
        )
    patterns = config.get("rank_pattern") or {}
    ranks = [config.get("r"), *(patterns.values() if isinstance(patterns, dict) else [patterns])]
    if any(not isinstance(rank, int) or not 1 <= rank <= RANKS[-1] for rank in ranks):
        shown = ", ".join(str(rank)[:80] for rank in ranks[:8])
        raise ModelError(f"the adapter of {name} has rank {shown}, vLLM serves 1 to {RANKS[-1]}; {merge}")
    alpha, targets = config.get("lora_alpha", 1), config.get("target_modules")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise ModelError(f"the adapter of {name} has {str(alpha)[:80]} as lora_alpha, expected a number; push it again")
    if not isinstance(targets, str | list | None):
        raise ModelError(f"the adapter of {name} has no names as target_modules; push it again")
    unserved = [key for key in _NOT_SERVED if config.get(key)]
    if config.get("bias", "none") != "none":
        unserved.append("bias")
    if unserved:
        raise ModelError(f"the adapter of {name} uses {', '.join(unserved)}, which vLLM does not serve; {merge}")
    return config


def misfit(weights: Path, name: str, base: Path, base_name: str, quantized: bool) -> str | None:
    """Return the first difference between what an adapter changes and what the base has, None without one.

    The weight [out, in] of a linear module gets the product of B [out, rank] and A [rank, in]; an embedding's may lie
    the other way round, so sizes are compared without their order. Modules under other names are left to the engine.
    """
    if quantized:  # packed weights have other shapes than what they stand for
        return None
    tensors: dict[str, list[int]] = {}
    for path in sorted(base.glob("*.safetensors")):
        tensors |= shapes(path, base_name)
    known = [match for match in map(_LAYER.match, tensors) if match]
    stacks, layers = {match["stack"] for match in known}, {match[0] for match in known}
    for module, got in _sizes(weights, name).items():
        layer, expected = _LAYER.match(module), sorted(tensors.get(f"{module}.weight", got))
        if layer and layer["stack"] in stacks and layer[0] not in layers:
            return f"the base has no {layer[0]}"
        if expected != got:
            return f"{module} is {_by(expected)} in the base and {_by(got)} in the adapter"
    return None


def _sizes(weights: Path, name: str) -> dict[str, list[int]]:
    """Return what each module of an adapter takes and gives, sorted."""
    sizes: dict[str, list[int]] = {}
    for tensor, shape in shapes(weights, name).items():
        if (match := _FACTOR.fullmatch(tensor)) and len(shape) == 2:
            sizes.setdefault(match["module"], []).append(shape[1] if match["side"] == "A" else shape[0])
    return {module: sorted(found) for module, found in sizes.items()}


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
