"""Attention on CUDA to what a batch shares: its layout, with a stand-in for the kernel, and the kernel on CUDA."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from harness.training.varlen_attention import Sequences, difference, find_kernel, masked, varlen_attention

CPU = torch.device("cpu")
SHARED, RESTS = 24, [5, 17, 1, 30]


@pytest.mark.parametrize("window", [None, 9, 40])
@pytest.mark.parametrize("shared", [SHARED, 0])
def test_attention_and_gradients_are_those_of_separate_sequences(shared: int, window: int | None) -> None:
    torch.manual_seed(0)
    tokens = shared + sum(RESTS)
    states = [torch.randn(1, heads, tokens, 8, dtype=torch.float64, requires_grad=True) for heads in (4, 2, 2)]
    weights = torch.randn(1, tokens, 4, 8, dtype=torch.float64)
    query, key, value = states
    found = varlen_attention((query, key, value), Sequences.make(shared, RESTS, CPU), masked, window=window, scale=0.3)
    together = torch.autograd.grad((found * weights).sum(), states)
    losses = []
    start = shared
    for number, rest in enumerate(RESTS):
        places = torch.tensor([*range(shared), *range(start, start + rest)])
        distance = torch.arange(len(places))[:, None] - torch.arange(len(places))
        seen = (distance >= 0) & (distance < (window or tokens))
        alone = [one[:, :, places] for one in states]
        result = scaled_dot_product_attention(*alone, attn_mask=seen, scale=0.3, enable_gqa=True).transpose(1, 2)
        assert torch.allclose(found[:, places], result)
        counted = slice(shared if number else 0, None)  # the shared part is the same in each, and counts once
        losses.append((result * weights[:, places])[:, counted].sum())
        start += rest
    for one, other in zip(together, torch.autograd.grad(torch.stack(losses).sum(), states), strict=True):
        assert torch.allclose(one, other)


def blind(*states: Any, **settings: Any) -> torch.Tensor:
    """Forget the window."""
    return masked(*states, **{**settings, "window_size": (-1, 0)})


def aligned(query: Any, key: Any, value: Any, query_ends: Any, key_ends: Any, *most: int, **settings: Any) -> Any:
    """Let a sequence's first query see its first key only, as other kernels do."""
    places, ends = [], [0]
    for number in range(len(query_ends) - 1):
        length = int(query_ends[number + 1] - query_ends[number])
        places.append(torch.arange(length) + int(key_ends[number]))
        ends.append(ends[-1] + length)
    kept = torch.cat(places)
    return masked(query, key[kept], value[kept], query_ends, torch.tensor(ends), *most, **settings)


def test_wrong_kernels_are_found() -> None:
    """Results and gradients are compared at the start, where the kernel is to be used."""
    assert difference(masked, CPU, torch.float32, 16, 9) < 1e-6
    assert difference(blind, CPU, torch.float32, 16, None) < 1e-6
    assert difference(blind, CPU, torch.float32, 16, 9) > 0.1
    assert difference(aligned, CPU, torch.float32, 16, None) > 0.1


def test_other_devices_types_and_settings_have_no_kernel() -> None:
    state = torch.zeros(1, 2, 8, 16, dtype=torch.bfloat16)
    assert find_kernel(state, state, state, {}) is None
    on_device = state.to("meta")
    assert find_kernel(on_device, on_device, on_device, {}) is None


@pytest.mark.gpu
def test_kernel_of_this_pytorch_is_right_here() -> None:
    state = torch.zeros(1, 2, 8, 128, dtype=torch.bfloat16, device="cuda")
    assert find_kernel(state, state, state, {}) is not None
    for settings in ({"dropout": 0.1}, {"position_bias": state}):
        assert find_kernel(state, state, state, settings) is None
    assert find_kernel(state.float(), state.float(), state.float(), {}) is None
