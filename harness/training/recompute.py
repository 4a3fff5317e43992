"""Selective checkpointing: large matrix products are kept for the backward pass, everything else is computed again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

_PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)


def keep_products(rank: int) -> Callable[[], Any]:
    """Return the contexts in which a layer is to be computed, and computed again.

    Kept are products with a weight whose two sizes are above `rank`: those of adapters of this rank take as much memory
    and cost little. Attention, norms, rotations and activations are computed again.
    """
    return partial(create_selective_checkpoint_contexts, partial(_policy, rank))


def _policy(rank: int, _: Any, operation: Any, *operands: Any, **__: Any) -> CheckpointPolicy:
    large = operation in _PRODUCTS and min(operands[-1].shape) > rank
    return CheckpointPolicy.MUST_SAVE if large else CheckpointPolicy.PREFER_RECOMPUTE
