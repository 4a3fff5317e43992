"""A tiny student and random examples, for tests of training itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.training.examples import Example, TrainingExamples


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of 0.1M weights, two layers."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("base")
    config = Qwen3Config(
        vocab_size=199,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def small_examples() -> TrainingExamples:
    """Seven examples of 40 to 90 random tokens with two to four learned turns each."""
    draw = random.Random(0)
    items = []
    for number in range(7):
        length = draw.randint(40, 90)
        places = sorted(draw.sample(range(1, length), 2 * draw.randint(2, 4)))
        turns = tuple(zip(places[::2], places[1::2], strict=True))
        ids = tuple(draw.randrange(199) for _ in range(length))
        items.append(Example(input_ids=ids, turns=turns, source=f"c{number}"))
    return TrainingExamples(items=tuple(items), skipped={})
