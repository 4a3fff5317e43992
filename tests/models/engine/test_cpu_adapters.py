"""Adapters as matrix products give what vLLM's own functions give, and nothing for tokens without an adapter."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
import torch

from harness.models.engine import cpu_adapters

vllm = pytest.importorskip("vllm.lora.ops.torch_ops.lora_ops")

TOKENS, WIDTH, RANK, OUT, ADAPTERS = 12, 24, 4, 40, 3
MIXED = torch.tensor([0, 2, 1, 1, 0, 2, 2, 0, 1, 0, 0, 2])


@pytest.mark.parametrize("adapters", [MIXED, torch.ones_like(MIXED)], ids=["mixed", "one"])
@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_those_of_vllm(adapters: torch.Tensor, stacked: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    first, second = torch.randn(ADAPTERS, RANK, WIDTH, dtype=dtype), torch.randn(ADAPTERS, OUT, RANK, dtype=dtype)
    if stacked:
        first, second = first[:, None], second[:, None]
    inputs = torch.randn(TOKENS, WIDTH, dtype=dtype)
    found = []
    for functions in (vllm, cpu_adapters):
        low = torch.zeros(TOKENS, RANK)
        functions.bgmv_shrink(inputs, first, low, adapters, 0.5)
        added, written = torch.ones(TOKENS, OUT + 3, dtype=dtype), torch.ones(TOKENS, OUT + 3, dtype=dtype)
        functions.bgmv_expand(low, second, added, adapters)
        functions.bgmv_expand(low, second, written, adapters, add_inputs=False)
        functions.bgmv_expand_slice(low, second, added, adapters, 3, OUT)
        found.append((low, added, written))
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_tokens_without_an_adapter_get_nothing() -> None:
    weights, output = torch.randn(ADAPTERS, OUT, RANK), torch.zeros(2, OUT)
    cpu_adapters.bgmv_expand(torch.randn(2, RANK), weights, output, torch.tensor([-1, 1]))
    assert not output[0].any()
    assert output[1].any()


def test_vllm_is_told_of_it_and_only_the_harness_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    [plugin] = [one for one in entry_points(group="vllm.general_plugins") if one.name == "tft_adapters"]
    assert plugin.load() is cpu_adapters.register
    before = vllm.bgmv_shrink
    monkeypatch.setattr(vllm, "bgmv_shrink", before)
    monkeypatch.delenv(cpu_adapters.SWITCH, raising=False)
    cpu_adapters.register()
    assert vllm.bgmv_shrink is before
