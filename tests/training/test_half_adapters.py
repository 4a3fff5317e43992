"""Adapters that are cast once per forward pass: the same training in bfloat16 as with autocast."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from harness.training import half_adapters
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.loop import Trained, train

CONFIG = TrainConfig(lora_rank=4, lora_alpha=4, epochs=2, learning_rate=1e-2, batch_size=3, precision="bfloat16")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shared_prefix": "off", "accumulation": 2},
        {"gradient_checkpointing": True, "lora_dropout": 0.1},
        {"gradient_checkpointing": "selective"},
    ],
    ids=str,
)
def test_training_is_that_with_autocast(
    small_base: Path, small_examples: TrainingExamples, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Loss curve, gradients and the adapter, which is in float32 both times."""

    def run(*, autocast: bool) -> Trained:
        config = CONFIG.model_copy(update={**settings, "autocast": autocast})
        folder = tmp_path / str(autocast)
        return train(small_base, small_examples, config, folder, pad_token_id=0, resume=False)

    with_it, without = run(autocast=True), run(autocast=False)
    assert with_it.precision == without.precision == "bfloat16"
    assert [entry.loss for entry in without.log] == pytest.approx([entry.loss for entry in with_it.log], rel=2e-3)
    norms = [[entry.grad_norm for entry in one.log] for one in (without, with_it)]
    assert norms[0] == pytest.approx(norms[1], rel=3e-2)
    found, expected = (load_file(one.folder / "adapter_model.safetensors") for one in (without, with_it))
    assert {weight.dtype for weight in found.values()} == {torch.float32}
    assert found.keys() == expected.keys()


def test_autocast_is_off_where_adapters_compute(
    small_base: Path, small_examples: TrainingExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()

    def multiply(states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        seen.add((torch.is_autocast_enabled("cpu"), states.dtype, weight.dtype))
        return torch.nn.functional.linear(states, weight)

    monkeypatch.setattr(half_adapters, "linear", multiply)
    config = CONFIG.model_copy(update={"autocast": False, "epochs": 0.3})
    train(small_base, small_examples, config, tmp_path, pad_token_id=0, resume=False)
    assert seen == {(False, torch.bfloat16, torch.bfloat16)}


def test_resumed_it_ends_with_the_same_bytes(
    small_base: Path, small_examples: TrainingExamples, tmp_path: Path
) -> None:
    """The float32 weights and the optimizer are what a checkpoint holds; autocast is no part of what the run is."""
    config = CONFIG.model_copy(update={"autocast": False})
    one = train(small_base, small_examples, config, tmp_path, pad_token_id=0, resume=False)
    whole = (one.folder / "adapter_model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "checkpoints" / "checkpoint-6")
    again = train(small_base, small_examples, config, tmp_path, pad_token_id=0, resume=True)
    assert (again.folder / "adapter_model.safetensors").read_bytes() == whole
    assert train(small_base, small_examples, CONFIG, tmp_path, pad_token_id=0, resume=True).log == again.log


def test_it_is_for_adapters() -> None:
    with pytest.raises(ValueError, match="autocast=false is for adapters"):
        TrainConfig(method="full", autocast=False)
