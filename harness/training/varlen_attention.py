"""Attention to a shared prefix on CUDA: PyTorch's kernel for sequences of different lengths, without mask or padding.

The shared part is a sequence; so is each rest, whose keys are the shared ones and its own. A query sees the keys up to
its own place from the end, as flash attention has it (Dao, 2023, arXiv:2307.08691).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from harness.models.engine.guard_child import shown
from harness.terminal import say

Kernel = Callable[..., torch.Tensor]
_HALF = (torch.bfloat16, torch.float16)
_WIDEST = 256
"""Of a head, for flash attention."""
_TOLERANCE = 0.02
"""Largest relative error of results and gradients that rounding to bfloat16 may make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """The sequences of a row: what is shared, if anything, and then each rest."""

    places: torch.Tensor
    """Places in the row of the keys of all sequences, of shape (keys,)."""
    query_ends: torch.Tensor
    key_ends: torch.Tensor
    """Where each sequence ends among the queries and the keys, after a 0; 32-bit integers."""
    most: tuple[int, int]
    """Queries and keys of the longest sequences."""

    @classmethod
    def make(cls, shared: int, rests: list[int], device: torch.device) -> Sequences:
        """Return the sequences of a row of `shared` tokens and then of rests of these lengths."""
        prefix = torch.arange(shared)
        own = [torch.arange(*ends) for ends in pairwise(accumulate(rests, initial=shared))]
        keys = [prefix] * bool(shared) + [torch.cat([prefix, places]) for places in own]
        lengths = [*([shared] if shared else []), *rests], [len(places) for places in keys]
        ends = (torch.tensor([0, *accumulate(some)], dtype=torch.int32, device=device) for some in lengths)
        query_ends, key_ends = ends
        most = max(lengths[0]), max(lengths[1])
        return cls(places=torch.cat(keys).to(device), query_ends=query_ends, key_ends=key_ends, most=most)


def varlen_attention(
    states: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    sequences: Sequences,
    kernel: Kernel,
    *,
    window: int | None,
    scale: float | None,
) -> torch.Tensor:
    """Return attention of shape (1, tokens, heads, width), for query, key and value of shape (1, heads, tokens, width).

    Key and value may have fewer heads. With `window` a query sees so many keys, its own included.
    """
    query, key, value = (one[0].transpose(0, 1) for one in states)
    found = kernel(
        query.contiguous(),
        key.index_select(0, sequences.places),
        value.index_select(0, sequences.places),
        sequences.query_ends,
        sequences.key_ends,
        *sequences.most,
        scale=scale,
        window_size=(-1 if window is None else window - 1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return found[None]


def masked(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *ends: Any, **settings: Any) -> torch.Tensor:
    """Return what the kernel has to for the same arguments, computed with a mask for each sequence."""
    found = []
    before = settings["window_size"][0]
    for queries, keys in zip(*(pairwise(some.tolist()) for some in ends[:2]), strict=True):
        places = torch.arange(keys[1] - keys[0], device=query.device)
        own = places[len(places) - (queries[1] - queries[0]) :, None]
        seen = (places <= own) & (places >= (own - before if before >= 0 else 0))
        rows = ((query, queries), (key, keys), (value, keys))
        q, k, v = (one[slice(*some)].transpose(0, 1)[None] for one, some in rows)
        same = {name: settings[name] for name in ("scale", "enable_gqa")}
        attention = scaled_dot_product_attention(q, k, v, attn_mask=seen, **same)
        found.append(attention[0].transpose(0, 1))
    return torch.cat(found)


def find_kernel(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, settings: dict[str, Any]) -> Kernel | None:
    """Return PyTorch's kernel where it computes attention of these states with these settings of a layer, else None."""
    unusual = settings.get("dropout") or settings.get("position_bias") is not None
    alike = query.dtype == key.dtype == value.dtype and query.shape[-1] == value.shape[-1]
    if query.device.type != "cuda" or query.dtype not in _HALF or not alike or unusual:
        return None
    width = query.shape[-1]
    return None if width % 8 or width > _WIDEST else _tried(query.device, query.dtype, width)


@cache
def _tried(device: torch.device, dtype: torch.dtype, width: int) -> Kernel | None:
    """Return the kernel where results and gradients are right on this device; where not, say why, once."""
    try:
        from torch.nn.attention.varlen import varlen_attn

        # Gradient checkpointing is not to count what is saved here as the layer's: that is not computed again with it.
        unseen = torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, lambda saved: saved)
        with torch.enable_grad(), torch.autocast(device.type, enabled=False), unseen:
            error = max(difference(varlen_attn, device, dtype, width, window) for window in (None, 9))
        reason = "" if error <= _TOLERANCE else f"its results differ by {error:.2g} of their size"
    except Exception as failure:  # an older PyTorch, another build of it, an older device
        reason = shown(failure)
    if reason:
        say(f"PyTorch's attention to sequences of different lengths is not used here, masks are ({reason})")
    return None if reason else varlen_attn


def difference(kernel: Kernel, device: torch.device, dtype: torch.dtype, width: int, window: int | None) -> float:
    """Return how far result and gradients are from those with masks in float32, relative to their norm."""
    generator = torch.Generator(device).manual_seed(0)
    sequences = Sequences.make(40, [17, 1, 70], device)
    shapes = [(1, heads, 128, width) for heads in (4, 2, 2)]
    drawn = [torch.randn(shape, device=device, generator=generator).to(dtype) for shape in shapes]
    found = []
    for way, exact in ((kernel, dtype), (masked, torch.float32)):
        states = [one.detach().to(exact).requires_grad_() for one in drawn]
        result = varlen_attention((states[0], states[1], states[2]), sequences, way, window=window, scale=None)
        (result.float() * torch.linspace(-1, 1, width, device=device)).sum().backward()
        found.append([result.detach(), *(one.grad for one in states)])
    return max(float((a.float() - b).norm() / b.norm()) for a, b in zip(*found, strict=True))
