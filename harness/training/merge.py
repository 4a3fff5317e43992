"""Merges an adapter into its base, and checks by their logits that both are the same model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError
from harness.training.log import quiet_libraries

if TYPE_CHECKING:
    import torch

_USUAL = 20.0
"""Largest logit that models usually have."""


@quiet_libraries()
def merge(base: Path, adapter: Path, out: Path, *, probes: Sequence[Sequence[int]], tolerance: float) -> float:
    """Write base and adapter as one model to `out` (config, generation config, safetensors in the base's type).

    Merged and compared in float32 on the CPU. Returns the largest absolute difference between a logit of base and
    adapter and one of the merged weights, over all places of the `probes` (token ids). Raises ModelError above
    `tolerance`, and writes nothing then; rounding goes with the size of what is rounded, so above logits of
    `_USUAL` more is allowed in proportion. What the base's type rounds away is not in it.
    """
    from peft import PeftModel

    together = PeftModel.from_pretrained(_load(base), adapter).eval()
    before = [_logits(together, probe) for probe in probes]
    merged = together.merge_and_unload()
    difference = _largest(before, [_logits(merged, probe) for probe in probes])
    allowed = tolerance * max(1.0, max(float(logits.abs().max()) for logits in before) / _USUAL)
    if not difference <= allowed:  # a NaN is no agreement
        raise ModelError(
            f"merged weights and base with adapter differ by up to {difference:.3g} in a logit, more than {allowed:.3g}"
            "; serve the adapter itself, or train it again in float32"
        )
    merged.to(_type_of(base)).save_pretrained(out, max_shard_size="1TB")
    for path in out.glob("*.safetensors"):
        shutil.copymode(out / "config.json", path)  # written for its owner only
    return difference


def _load(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True
    )


def _type_of(folder: Path) -> torch.dtype:
    """Return the type that the base's weights are stored in."""
    import torch
    from transformers import AutoConfig

    found = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True).dtype
    return found if isinstance(found, torch.dtype) else torch.float32


def _logits(model: Any, probe: Sequence[int]) -> torch.Tensor:
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([list(probe)])).logits[0]


def _largest(some: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    import torch

    if not some:
        raise ModelError("a merge is checked on prompts, and none was given; give at least one probe")
    return float(torch.stack([(a - b).abs().max() for a, b in zip(some, others, strict=True)]).max())
