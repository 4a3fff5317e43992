"""Adapters that compute in bfloat16 and are held in float32: cast once per forward pass, in one operation.

Autocast casts each of some hundred matrices by itself, and looks at the types of every operation besides. Here the base
is in bfloat16 as it is. The optimizer and the checkpoints see the float32 weights only, and their gradients.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch.nn.functional import linear


class _Cast(torch.autograd.Function):  # type: ignore[misc]  # untyped
    """Weights in bfloat16; their gradients come back in float32."""

    @staticmethod
    def forward(_: Any, *weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return _copies(weights, torch.bfloat16)

    @staticmethod
    def backward(_: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return _copies(gradients, torch.float32)


def _copies(tensors: tuple[torch.Tensor, ...], dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    made = [torch.empty_like(tensor, dtype=dtype) for tensor in tensors]
    torch._foreach_copy_(made, list(tensors))
    return tuple(made)


class HalfAdapters:
    """The matrices of a model's adapters, which compute with what `cast` has made of them last."""

    def __init__(self, model: Any) -> None:
        layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        groups = [group for layer in layers for group in (layer.lora_A, layer.lora_B)]
        self._matrices = [matrix for group in groups for matrix in group.values()]
        for matrix in self._matrices:
            matrix.forward = partial(_multiply, matrix)

    def cast(self) -> None:
        """Take the weights as they are now, for the next forward pass and its backward pass."""
        weights = _Cast.apply(*(matrix.weight for matrix in self._matrices))
        for matrix, weight in zip(self._matrices, weights, strict=True):
            matrix.cast_weight = weight


def _multiply(matrix: Any, states: torch.Tensor) -> torch.Tensor:
    return linear(states, matrix.cast_weight)
