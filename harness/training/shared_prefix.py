"""The beginning that the examples of a batch share is computed once: how far it goes, attention, where it holds.

A batch is one row of tokens, the shared ones and then the rest of each example, with the positions that they have in
their examples. All layers but attention treat tokens one by one. Attention is replaced: the rest of an example sees
what is shared and itself. Gradients are those of separate examples, since keys and values are never detached.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from harness.errors import ModelError
from harness.models.engine.guard_child import shown
from harness.training.batches import Collator, Continuations, keeps_columns, logits_at, model_inputs, shared_length
from harness.training.examples import Example
from harness.training.memory import is_out_of_memory
from harness.training.prefix_attention import Layout, PrefixAttention
from harness.training.varlen_attention import find_kernel, varlen_attention

_OURS, _PLAIN = "shared_prefix", "sdpa"
"""Names of implementations of attention, as transformers knows them."""

_KINDS = {"full_attention", "sliding_attention"}
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.04, torch.float16: 0.01}
"""Largest relative error of logits that rounding may make."""

_COMPARED = 16
"""Places compared at either end of what an example does not share."""
_TRIED = 500
"""Examples among which the check looks for two that share much."""


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Return attention of shape (1, tokens, heads, width), for states of shape (1, heads, tokens, width).

    Called by the layers of a model in place of transformers' function, with `shared_prefix`: `Continuations`, and in
    some models `sliding_window`. ModelError where a layer has a mask of its own, or looks ahead.
    """
    batch: Continuations | None = settings.pop("shared_prefix", None)
    if batch is None or attention_mask is not None or not getattr(module, "is_causal", True):
        what = "does not know what is shared" if batch is None else "has a mask of its own"
        raise ModelError(f"attention of {type(module).__name__} {what}; train with shared_prefix=off")
    window: int | None = settings.pop("sliding_window", None)
    batch.layers += 1
    query, key, value = (_as_autocast(states) for states in (query, key, value))
    rows, shared = batch.rows, query.shape[2] - len(batch.unshared)
    if _needs_no_mask(query, value, window, settings):
        layout = Layout(shared=shared, rests=batch.rests, scale=settings.get("scaling"))
        return PrefixAttention.apply(query, key, value, layout).transpose(1, 2), None
    if kernel := find_kernel(query, key, value, settings):
        scale = settings.get("scaling")
        return varlen_attention((query, key, value), batch.sequences, kernel, window=window, scale=scale), None
    seen = shared if window is None else min(shared, window - 1)

    def rest(states: torch.Tensor) -> torch.Tensor:
        by_token = states[0].transpose(0, 1).index_select(0, rows.flatten())
        return by_token.unflatten(0, rows.shape).transpose(1, 2)

    def whole(states: torch.Tensor) -> torch.Tensor:
        before = states[:, :, shared - seen : shared].expand(len(rows), -1, -1, -1)
        return torch.cat([before, rest(states)], dim=2) if seen else rest(states)

    def attention(states: Sequence[torch.Tensor], before: int) -> torch.Tensor:
        mask = batch.mask(states[0].shape[2], before, window)
        return sdpa_attention_forward(module, *states, mask, **settings)[0]

    padded = attention([rest(query), whole(key), whole(value)], seen)
    found = padded.flatten(0, 1).index_select(0, batch.unshared)[None]
    if shared:
        found = torch.cat([attention([states[:, :, :shared] for states in (query, key, value)], 0), found], dim=1)
    return found, None


def _as_autocast(states: torch.Tensor) -> torch.Tensor:
    """Return states in the type that autocast computes in: it knows `scaled_dot_product_attention`, not our kernels.

    Rotated in float32, queries and keys would have another type than values.
    """
    device = states.device.type
    return states.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else states


def _needs_no_mask(query: torch.Tensor, value: torch.Tensor, window: int | None, settings: dict[str, Any]) -> bool:
    """Whether `PrefixAttention` does it: on the CPU, with all tokens before seen, nothing dropped, nothing added."""
    unusual = settings.get("dropout") or settings.get("position_bias") is not None
    return query.device.type == "cpu" and window is None and not unusual and query.shape[-1] == value.shape[-1]


def share_prefix(model: Any, examples: Sequence[Example], pad_token_id: int) -> str | None:
    """Let the model compute what a batch shares once; return why it cannot, None where it now does.

    Tried on the two examples that share most with the longest one: the logits have to be those of each by itself.
    """
    if reason := _unfit(model):
        return reason
    AttentionInterface.register(_OURS, attend)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            reason = _compare(model, _pair(examples), pad_token_id)
    except Exception as error:  # what a model does with it is decided by its code
        if is_out_of_memory(error):
            raise
        reason = f"the model cannot be run so ({shown(error)})"
    model.train(training)
    if reason:
        model.set_attn_implementation(_PLAIN)
    return reason


def _unfit(model: Any) -> str | None:
    """Return what of the model's configuration does not allow it."""
    config = model.config.get_text_config()
    if other := set(getattr(config, "layer_types", None) or ()) - _KINDS:
        return f"the model has layers of another kind ({', '.join(sorted(other))})"
    if model.config._attn_implementation != _PLAIN:
        return f"the model's attention is {model.config._attn_implementation}, not {_PLAIN}"
    dropouts = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    if any([*dropouts, getattr(config, "attention_dropout", 0)]):
        return "the model has dropout of its own, which would be the same for what is shared"
    return None


def _pair(examples: Sequence[Example]) -> list[Example]:
    """Return the longest example, and the one among the first that shares most with it."""
    longest = max(examples, key=lambda example: len(example.input_ids))
    others = [example for example in examples[:_TRIED] if example is not longest]
    return [longest, *sorted(others, key=lambda other: shared_length((longest, other)))[-1:]]


def _compare(model: Any, pair: Sequence[Example], pad_token_id: int) -> str | None:
    """Switch to our attention, and return how its logits differ from those of each example by itself."""
    shared = shared_length(pair)
    expected, columns, start = [], [], shared
    for example in pair:
        rest = len(example.input_ids) - shared
        ends = torch.tensor(sorted({*range(rest)[:_COMPARED], *range(rest)[-_COMPARED:]}))
        expected.append(_logits(model, {"input_ids": torch.tensor([example.input_ids])}, shared + ends))
        columns.append(start + ends)
        start += rest
    model.set_attn_implementation(_OURS)
    inputs = model_inputs(_moved(Collator(pad_token_id=pad_token_id, shared=True)(pair), model.device))
    found, apart = _logits(model, inputs, torch.cat(columns)), torch.cat(expected)
    if (layers := inputs["shared_prefix"].layers) != (of := model.config.get_text_config().num_hidden_layers):
        return f"only {layers} of the model's {of} layers have attention that can be replaced"
    error, size = float((found - apart).norm()), float(apart.norm())
    if not error <= _TOLERANCE.get(model.dtype, 0) * size:  # a NaN is no agreement
        return f"the model's logits would differ by {error:.2g}, where they are {size:.2g}"
    return None


def _logits(model: Any, inputs: dict[str, Any], columns: torch.Tensor) -> torch.Tensor:
    """Return the logits at these columns of the only row, in float32."""
    columns = columns.to(model.device)
    return logits_at(model, _moved(inputs, model.device), columns, keep=keeps_columns(model))[0].float()


def _moved(values: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in values.items()}
