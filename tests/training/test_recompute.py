"""Selective checkpointing: the same gradients and the same training, little computed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from harness.training.batches import Collator, weighted_loss
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.loop import train
from harness.training.recompute import keep_products
from harness.training.shared_prefix import share_prefix

CONFIG = TrainConfig(lora_rank=4, lora_alpha=4, epochs=1, learning_rate=1e-2, batch_size=3)
KEPT = {False: None, True: {"use_reentrant": False}}


@pytest.mark.parametrize("shared", [False, True])
def test_gradients_are_equal_and_products_are_not_computed_again(
    small_base: Path, small_examples: TrainingExamples, shared: bool
) -> None:
    """Of adapters; the operations are few more than without checkpointing, and many fewer than with all of it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    ways: dict[Any, Any] = {**KEPT, "selective": {"use_reentrant": False, "context_fn": keep_products(4)}}
    gradients, operations = {}, {}
    for way, settings in ways.items():
        torch.manual_seed(0)
        base = AutoModelForCausalLM.from_pretrained(small_base, dtype=torch.float32)
        assert not shared or share_prefix(base, small_examples.items, 0) is None
        lora = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
        model = get_peft_model(base, lora).train()
        if settings:
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=settings)
        batch = Collator(pad_token_id=0, shared=shared)(small_examples.items[:3])
        with FlopCounterMode(display=False) as counter:
            weighted_loss(model, batch, items=batch["items"]).backward()
        operations[way] = counter.get_total_flops()
        gradients[way] = torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])
    for way in (True, "selective"):
        assert float((gradients[way] - gradients[False]).norm() / gradients[False].norm()) < 1e-6
    again, most = (operations[way] - operations[False] for way in ("selective", True))
    assert 0 < again < most / 3


def test_training_is_the_same(small_base: Path, small_examples: TrainingExamples, tmp_path: Path) -> None:
    logs = []
    for way in (False, "selective"):
        config = CONFIG.model_copy(update={"gradient_checkpointing": way})
        logs.append(train(small_base, small_examples, config, tmp_path / str(way), pad_token_id=0, resume=False).log)
    assert [entry.loss for entry in logs[1]] == pytest.approx([entry.loss for entry in logs[0]], rel=1e-5)


def test_what_is_kept_is_one_of_three_ways() -> None:
    for way in (False, True, "selective"):
        assert TrainConfig.model_validate({"gradient_checkpointing": way}).gradient_checkpointing is way
    with pytest.raises(ValueError, match="Input should be False, True or 'selective'"):
        TrainConfig.model_validate({"gradient_checkpointing": "some"})
