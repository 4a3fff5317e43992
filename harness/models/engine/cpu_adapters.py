"""LoRA adapters on the CPU as matrix products: vLLM's own functions copy an adapter's weights for every token.

vLLM calls `register` in each of its processes, as a plugin; nothing changes unless `SWITCH` is set, as it is for the
harness's own engines.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SWITCH = "TFT_ADAPTER_PRODUCTS"
_MODULES = ("vllm.lora.ops.torch_ops.lora_ops", "vllm.lora.ops.torch_ops", "vllm.lora.punica_wrapper.punica_cpu")
"""Where vLLM has its functions, and where it has imported them."""


def register() -> None:
    """Put the functions below in the place of vLLM's, where the environment asks for it and vLLM has them."""
    if not os.environ.get(SWITCH):
        return
    from importlib import import_module

    for name in _MODULES:
        try:
            module = import_module(name)
        except ModuleNotFoundError:  # of another version of vLLM, whose adapters stay as they are
            continue
        for function in (bgmv_shrink, bgmv_expand, bgmv_expand_slice):
            if hasattr(module, function.__name__):
                setattr(module, function.__name__, function)


def bgmv_shrink(inputs: Tensor, weights: Tensor, output: Tensor, adapters: Tensor, scaling: float = 1.0) -> None:
    """Write `scaling` times the products with the first matrices of each token's adapter; shapes as in vLLM.

    `inputs` is (tokens, width), `weights` (adapters, [1,] rank, width), `adapters` (tokens), -1 for none.
    """
    found = _products(inputs, weights, output, adapters)
    output[:, : found.shape[1]] = scaling * found


def bgmv_expand(inputs: Tensor, weights: Tensor, output: Tensor, adapters: Tensor, add_inputs: bool = True) -> None:
    """Add the products with the second matrices of each token's adapter to `output`, or write them there."""
    common = min(weights.shape[-2], output.shape[1])
    bgmv_expand_slice(inputs, weights[..., :common, :], output, adapters, 0, common, add_inputs)


def bgmv_expand_slice(inputs: Tensor, weights: Tensor, output: Tensor, adapters: Tensor, *how: int) -> None:
    """Do as `bgmv_expand` for some columns of `output`: the first one, their number, and False to write there."""
    start, size, add_inputs = (*how, True)[:3]
    found, place = _products(inputs, weights, output, adapters), slice(start, start + size)
    rows = slice(0, 1 if len(found) == 1 else len(output))
    if add_inputs:
        output[:, place] += found[rows]
    else:
        output[:, place] = found[rows]


def _products(inputs: Tensor, weights: Tensor, output: Tensor, adapters: Tensor) -> Tensor:
    """Return each token's product with the matrix of its adapter, zeros for tokens without one."""
    matrices = weights.squeeze(1) if weights.dim() == 4 else weights
    inputs = inputs.to(output.dtype)
    used = adapters.unique().tolist()
    if len(used) == 1 and used[0] >= 0 and len(adapters) == len(inputs):
        return inputs @ matrices[used[0]].to(output.dtype).T
    found = inputs.new_zeros(len(adapters), matrices.shape[1])
    for adapter in used:
        if adapter >= 0:
            rows = (adapters == adapter).nonzero().squeeze(1)
            found[rows] = inputs[rows] @ matrices[adapter].to(output.dtype).T
    return found
