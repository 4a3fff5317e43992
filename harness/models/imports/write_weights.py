"""Weights written in a dtype in which the model still answers as its source, by its first greedy tokens."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness.models.engine.guard_child import doing

if TYPE_CHECKING:
    from transformers import PreTrainedModel

COMPARED = 16
"""Greedy tokens of each prompt that are compared."""
_SHARD = "2GB"


def write_weights(
    model: PreTrainedModel, dtypes: Sequence[str], prompts: Sequence[Sequence[int]], out: Path, name: str
) -> tuple[str, list[str]]:
    """Write a model that is in float32 in the first of the dtypes in which it answers the prompts as before.

    Returns that dtype, and those that were tried before it. Raises ModelError where it answers otherwise in all.
    """
    import torch
    from transformers import AutoModelForCausalLM

    before = _answers(model, prompts, name)
    tried: list[str] = []
    for dtype in dtypes:
        doing("the weights")
        for left in out.glob("model*.safetensors*"):
            left.unlink()
        copy.deepcopy(model).to(getattr(torch, dtype)).save_pretrained(out, max_shard_size=_SHARD)
        again = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, local_files_only=True)
        if _answers(again, prompts, name) == before:
            return dtype, tried
        tried.append(dtype)
    advice = "import it with --dtype float32" if "float32" not in tried else "convert the model again"
    raise ModelError(f"{name}, written as {' and '.join(tried)}, gives other greedy tokens than before; {advice}")


def _answers(model: PreTrainedModel, prompts: Sequence[Sequence[int]], name: str) -> list[list[int]]:
    """Return the first greedy tokens for each prompt; ModelError where the model computes something else than numbers.

    Without the model's own settings for generating, which may be anything.
    """
    import torch
    from transformers import GenerationConfig

    doing("the answers")
    own = model.generation_config
    model.generation_config = GenerationConfig(max_new_tokens=COMPARED, do_sample=False, pad_token_id=0)
    answers = []
    with torch.inference_mode():
        for prompt in prompts:
            made = model.eval().generate(torch.tensor([prompt]), output_logits=True, return_dict_in_generate=True)
            if not all(bool(logits.isfinite().all()) for logits in made.logits):
                raise ModelError(f"{name} computes infinities, or no numbers; its weights are damaged: get them again")
            answers.append(made.sequences[0, len(prompt) :].tolist())
    model.generation_config = own
    return answers
