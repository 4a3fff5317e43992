"""Inputs of train_gpu.py, and the compute cost per token."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from train_inputs import create_base, examples, inputs

from harness.training.batches import BatchOrder
from harness.training.config import TrainConfig
from harness.training.examples import Example, TrainingExamples
from harness.training.log import LogEntry

QWEN3_1_7B: dict[str, Any] = {
    "vocab_size": 151936,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
TINY: dict[str, Any] = {
    "vocab_size": 8192,
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
"""For trying the script itself on the CPU."""
EXPANDED_SHARE = 8
"""One in so many conversations is also taken turn by turn, which gives eight times the tokens."""


def prepare(folder: Path, number: int) -> None:
    """Write a tokenizer and the examples of `number` conversations to `folder`; needs no GPU."""
    task, conversations = inputs(number)
    create_base(folder / "base", task, conversations, 1_000_000)
    some = conversations[: max(1, number // EXPANDED_SHARE)]
    made = {
        "whole": examples(folder / "base", task, conversations, expand=False),
        "expanded": examples(folder / "base", task, some, expand=True),
    }
    text = json.dumps({name: [asdict(example) for example in data.items] for name, data in made.items()})
    (folder / "examples.json").write_text(text, encoding="utf-8")


def read_examples(folder: Path) -> dict[str, TrainingExamples]:
    """Return the examples that `prepare` wrote, whole and expanded."""
    found = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
    return {name: TrainingExamples(items=tuple(map(_example, rows)), skipped={}) for name, rows in found.items()}


def _example(row: dict[str, Any]) -> Example:
    turns = tuple((start, end) for start, end in row["turns"])
    return Example(input_ids=tuple(row["input_ids"]), turns=turns, source=row["source"])


def first(data: TrainingExamples, number: int) -> TrainingExamples:
    """Return the first examples."""
    return TrainingExamples(items=data.items[:number], skipped={})


def steady_rate(log: tuple[LogEntry, ...], data: TrainingExamples, config: TrainConfig) -> float:
    """Return tokens/s over the steps of an epoch but its first tenth, at least three: they load kernels."""
    order = BatchOrder(examples=len(data.items), batch_size=config.batch_size, seed=config.seed)
    tokens = [sum(len(data.items[place].input_ids) for place in batch) for batch in order]
    steps = list(zip(tokens, log, strict=True))[min(max(3, len(log) // 10), len(log) - 1) :]
    return sum(number for number, _ in steps) / sum(number / entry.tokens_per_second for number, entry in steps)


def step_flops(shape: Any, data: TrainingExamples, rank: int) -> float:
    """Return FLOPs a token, mean over the tokens of the data.

    4 x frozen weights (forward, and the gradient of what goes through them), 6 x adapter weights, 6 x layers x width
    of attention x length for causal attention (half of 12, forward and backward), and 4 x the output layer for the
    tokens that carry loss. Padding, and what is computed twice or for nothing, does not count.
    """
    lengths = [len(example.input_ids) for example in data.items]
    length = sum(n * n for n in lengths) / sum(lengths)
    learned = sum(end - start for example in data.items for start, end in example.turns) / sum(lengths)
    attention = 6 * shape.num_hidden_layers * shape.num_attention_heads * shape.head_dim * length
    return layer_flops(shape, rank) + attention + 4 * shape.vocab_size * shape.hidden_size * learned


def layer_flops(shape: Any, rank: int) -> float:
    """Return FLOPs a token in the weights of all layers: 4 x frozen ones and 6 x those of adapters."""
    width, attention = shape.hidden_size, shape.num_attention_heads * shape.head_dim
    keys, inner = shape.num_key_value_heads * shape.head_dim, shape.intermediate_size
    linear = [(width, attention), *[(width, keys)] * 2, (attention, width), *[(width, inner)] * 2, (inner, width)]
    frozen = sum(a * b for a, b in linear)
    adapter = sum(rank * (a + b) for a, b in linear)
    return shape.num_hidden_layers * (4 * frozen + 6 * adapter)
