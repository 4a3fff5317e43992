"""Training with what a batch begins with computed once, against padded batches: tokens of an epoch, time of a step.

Tokens are counted over all traces of S1 (direct) with TFT_SOURCES, the sample task without. Loss and gradient of one
batch are computed in float32 with LoRA, with and without in turn, by random weights in layers of SmolLM2-135M's shape,
8 of 30, with an output layer as much smaller. Beside other processes, threads wait for each
other, and only --threads 1 tells. Exit status 1 if a promise does not hold.

    TFT_SOURCES=... python tests/benchmarks/train_prefix.py [--layers 8] [--batches 4 8] [--rounds 3] [--threads N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from train_inputs import create_base, examples, inputs

from harness.training.batches import BatchOrder, Collator, weighted_loss
from harness.training.config import TrainConfig
from harness.training.examples import Example, TrainingExamples
from harness.training.shared_prefix import share_prefix

FEWER_TOKENS = {4: 0.6, 8: 0.53}
"""Batch size -> promised share of the computed tokens."""
LESS_TIME = 1.5
LAYOUTS = {"auto": Collator(pad_token_id=0, shared=True), "off": Collator(pad_token_id=0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 8], help="conversations per batch")
    parser.add_argument("--rounds", type=int, default=3, help="steps with and without; 0 only counts tokens")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    status = 0
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        scratch = Path(name)
        task, conversations = inputs(10**6)
        create_base(scratch / "base", task, conversations, 1_000_000)
        data = examples(scratch / "base", task, conversations, expand=False)
        print(f"{len(data.items)} conversations, {data.tokens:,} tokens")
        for size in options.batches:
            status |= count(data, size)
            if options.rounds:
                first = next(iter(BatchOrder(examples=len(data.items), batch_size=size, seed=0)))
                status |= time_steps(_model(options.layers), [data.items[place] for place in first], options.rounds)
    sys.exit(status)


def count(data: TrainingExamples, size: int) -> int:
    """Print how many tokens an epoch computes; return the exit status."""
    order = BatchOrder(examples=len(data.items), batch_size=size, seed=0)
    shared, padded = (computed(data, order, layout) for layout in LAYOUTS.values())
    grouped = computed(data, replace(order, lengths=[len(item.input_ids) for item in data.items]), LAYOUTS["off"])
    for how, tokens in (("as they come", padded), ("grouped by length", grouped)):
        print(f"batches of {size}: {1 - data.tokens / tokens:.1%} padding in padded batches {how}")
    print(f"batches of {size}: {shared:,} tokens computed per epoch, {padded:,} padded")
    limit = FEWER_TOKENS.get(size, 1.0)
    print(f"batches of {size}: {shared / data.tokens:.3f} of the tokens of the conversations")
    return _check(f"tokens computed, shared to padded, batches of {size}", shared / padded, limit)


def computed(data: TrainingExamples, order: BatchOrder, layout: Collator) -> int:
    """Return how many tokens an epoch of these batches computes."""
    return sum(layout([data.items[place] for place in batch])["computed"] for batch in order)


def _model(layers: int) -> Any:
    """Return a student with adapters; it has as many tokens as the tokenizer of the data can have."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3}
    shape = LlamaConfig(vocab_size=8192, num_hidden_layers=layers, tie_word_embeddings=True, **sizes)
    rank = TrainConfig().lora_rank
    adapter = LoraConfig(task_type="CAUSAL_LM", r=rank, target_modules="all-linear", init_lora_weights=False)
    return get_peft_model(LlamaForCausalLM(shape), adapter)


def time_steps(model: Any, items: Sequence[Example], rounds: int) -> int:
    """Print the time of a step over these conversations with and without, and how far gradients differ."""
    times: list[list[float]] = []
    sizes = {way: layout(items)["computed"] for way, layout in LAYOUTS.items()}
    print(f"the first batch of {len(items)}: {sizes['auto']:,} tokens, {sizes['off']:,} padded")
    for number in range(rounds + 1):  # the first one loads kernels
        plain = _step(model, LAYOUTS["off"](items))
        if reason := share_prefix(model.get_base_model(), items, 0):
            sys.exit(f"not shared: {reason}")
        shared = _step(model, LAYOUTS["auto"](items))
        model.get_base_model().set_attn_implementation("sdpa")
        times += [[off / on for off, on in zip(plain[:2], shared[:2], strict=True)]] if number else []
        print(f"  padded {plain[0]:.1f} s ({plain[1]:.1f} of the processor), shared {shared[0]:.1f} ({shared[1]:.1f})")
    wall, processor = (statistics.median(ratios) for ratios in zip(*times, strict=True))
    error = max(float((a - b).norm() / a.norm()) for a, b in zip(plain[2], shared[2], strict=True))
    print(f"batches of {len(items)}: {wall:.2f} times faster, {processor:.2f} times less of the processor's time")
    print(f"batches of {len(items)}: the gradient of an adapter's matrix differs by at most {error:.1e} of its norm")
    return _check(f"time, shared to padded, batches of {len(items)}", 1 / wall, 1 / LESS_TIME)


def _step(model: Any, batch: dict[str, Any]) -> tuple[float, float, list[torch.Tensor]]:
    """Return the seconds of loss and gradient by the clock and of the processor, and the gradients."""
    model.zero_grad()
    clock, processor = time.monotonic(), time.process_time()
    weighted_loss(model, batch, items=batch["items"]).backward()
    taken = time.monotonic() - clock, time.process_time() - processor
    return *taken, [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


def _check(what: str, value: float, limit: float) -> int:
    print(f"{'ok    ' if value <= limit else 'FAILED'}  {what}: {value:.3f} (promised <= {limit:.3f})")
    return value > limit


if __name__ == "__main__":
    main()
