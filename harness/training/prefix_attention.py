"""Attention of continuations to a prefix that they share, on the CPU: in two parts that no mask is needed for.

All continuations together see the prefix, and each one sees itself. The parts are joined by the logarithms of their
softmax sums, as blockwise attention does it (Dao et al., 2022, arXiv:2205.14135, section 3.1). The backward pass of a
part needs the joint result and the joint sums only. Nothing is padded, no key is copied for each continuation, and
half of what a causal mask would throw away is never computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch

_FORWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
"""What `scaled_dot_product_attention` runs on the CPU. It does not return the sums, so they are called by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the tokens of a row are, and the scale of attention; None: one over the root of the width."""

    shared: int
    rests: Sequence[int]
    """The lengths of the continuations."""
    scale: float | None

    @property
    def parts(self) -> tuple[slice, slice, list[slice]]:
        """Return the places of the prefix, of all after it, and of each continuation."""
        ends = list(accumulate(self.rests, initial=self.shared))
        return slice(0, self.shared), slice(self.shared, ends[-1]), [slice(*pair) for pair in pairwise(ends)]


class PrefixAttention(torch.autograd.Function):  # type: ignore[misc]  # untyped
    """Attention of shape (1, heads, tokens, width), for one row: a prefix, then the continuations, end to end."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Return attention; key and value may have fewer heads than query."""
        keys, values = _for_each_head(query, key), _for_each_head(query, value)
        out, sums = torch.empty_like(query), _sums_like(query)

        def attention(rows: slice, columns: slice, *, causal: bool) -> tuple[torch.Tensor, torch.Tensor]:
            found: tuple[torch.Tensor, torch.Tensor] = _FORWARD(
                query[:, :, rows], keys[:, :, columns], values[:, :, columns], 0.0, causal, scale=layout.scale
            )
            return found

        prefix, after, own = layout.parts
        for rows in [prefix, *own] if layout.shared else own:
            out[:, :, rows], sums[:, :, rows] = attention(rows, rows, causal=True)
        if layout.shared:
            part, part_sums = attention(after, prefix, causal=False)
            joint = torch.logaddexp(sums[:, :, after], part_sums)
            own_share, share = ((one - joint).exp()[..., None] for one in (sums[:, :, after], part_sums))
            out[:, :, after] = out[:, :, after] * own_share + part * share
            sums[:, :, after] = joint
        ctx.save_for_backward(query, key, value, out, sums)
        ctx.layout = layout
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """Return the gradients of query, key and value."""
        query, key, value, out, sums = ctx.saved_tensors
        layout: Layout = ctx.layout
        keys, values = _for_each_head(query, key), _for_each_head(query, value)
        found = [torch.empty_like(states) for states in (query, keys, values)]

        def parts(rows: slice, columns: slice, *, causal: bool) -> Any:
            block = [states[:, :, places] for states, places in ((query, rows), (keys, columns), (values, columns))]
            # The kernel reads the sums in the order in which it writes them.
            joint = _sums_like(block[0]).copy_(sums[:, :, rows])
            return _BACKWARD(gradients[0][:, :, rows], *block, out[:, :, rows], joint, 0.0, causal, scale=layout.scale)

        prefix, after, own = layout.parts
        for rows in [prefix, *own] if layout.shared else own:
            for whole, part in zip(found, parts(rows, rows, causal=True), strict=True):
                whole[:, :, rows] = part
        if layout.shared:
            for whole, part, places in zip(
                found, parts(after, prefix, causal=False), (after, prefix, prefix), strict=True
            ):
                whole[:, :, places] += part
        groups = (key.shape[1], query.shape[1] // key.shape[1])
        of_keys, of_values = (states.unflatten(1, groups).sum(2) for states in found[1:])
        return found[0], of_keys, of_values, None


def _for_each_head(query: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Return keys or values once for each head of the query."""
    return states.repeat_interleave(query.shape[1] // states.shape[1], dim=1)


def _sums_like(query: torch.Tensor) -> torch.Tensor:
    """Return room for one sum per head and token, in float32, as the kernel lays it out: the tokens' heads together."""
    _, heads, tokens, _ = query.shape
    return torch.empty(1, tokens, heads).transpose(1, 2)
