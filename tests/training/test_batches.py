"""What is learned: the loss, its weights, and that every layout of the same examples has the same gradient."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import log_softmax

from harness.training.batches import BatchOrder, Collator, weighted_loss
from harness.training.config import TrainConfig
from harness.training.examples import Example, TrainingExamples


@pytest.fixture(scope="module")
def model(small_base: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(small_base, dtype=torch.float32)


def gradient(model: Any, batches: Sequence[Sequence[Example]], collator: Collator) -> torch.Tensor:
    """Return the gradient of an optimizer step over these batches."""
    model.zero_grad()
    laid_out = [collator(batch) for batch in batches]
    items = sum(batch["items"] for batch in laid_out)
    for batch in laid_out:
        weighted_loss(model, batch, items=items).backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters()])


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def expand(example: Example) -> list[Example]:
    """Return one example for each turn, cut after it."""
    return [
        Example(input_ids=example.input_ids[:end], turns=((start, end),), source="") for start, end in example.turns
    ]


def test_equal_turns_is_the_objective_of_expanded_turns(model: Any, small_examples: TrainingExamples) -> None:
    """Gradient of whole conversations with equal turns against the mean over rows of one turn each, row by row."""
    whole = gradient(model, [[example] for example in small_examples.items], Collator(pad_token_id=0, equal_turns=True))
    rows = [row for example in small_examples.items for row in expand(example)]
    single = [gradient(model, [[row]], Collator(pad_token_id=0)) for row in rows]
    assert relative(whole, torch.stack(single).double().mean(0).float()) < 1e-5


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_layout_of_batches_does_not_change_the_gradient(
    model: Any, small_examples: TrainingExamples, equal: bool, packed: bool
) -> None:
    """One example a pass, padded batches, packed ones: the same step."""
    items = small_examples.items
    alone = gradient(model, [[example] for example in items], Collator(pad_token_id=0, equal_turns=equal))
    together = gradient(model, [items[:4], items[4:]], Collator(pad_token_id=0, equal_turns=equal, packed=packed))
    assert relative(together, alone) < 1e-5


def test_loss_is_the_mean_over_learned_tokens(model: Any, small_examples: TrainingExamples) -> None:
    """Against log-probabilities taken one by one from all logits, the end of every span included."""
    example = small_examples.items[0]
    with torch.no_grad():
        logits = log_softmax(model(torch.tensor([example.input_ids])).logits[0], -1)
    expected = [-logits[j - 1, example.input_ids[j]] for start, end in example.turns for j in range(start, end)]
    batch = Collator(pad_token_id=0)([example])
    assert batch["items"] == len(expected)
    for keep in (True, False):  # a model that cannot skip places gives the same
        loss = weighted_loss(model, batch, items=batch["items"], keep=keep)
        assert loss.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-5)


def test_only_the_spans_carry_loss(small_examples: TrainingExamples) -> None:
    """Every token of a span, its last one included, moves the loss; no other does, and no label outside is read."""
    example = small_examples.items[0]
    batch = Collator(pad_token_id=0)([example])
    learned = {place for start, end in example.turns for place in range(start, end)}
    asked: list[torch.Tensor] = []

    class Fixed:
        """Logits that do not depend on the input, so that only the labels matter."""

        def __call__(self, logits_to_keep: torch.Tensor, **_: Any) -> Any:
            asked.append(logits_to_keep)
            rows = torch.arange(199.0).expand(1, len(logits_to_keep), 199) / 199
            return type("Output", (), {"logits": rows})

    def loss(ids: torch.Tensor) -> float:
        return float(weighted_loss(Fixed(), {**batch, "input_ids": ids}, items=1))

    ids = batch["input_ids"]
    before = loss(ids)
    for place in range(len(example.input_ids)):
        other = ids.clone()
        other[0, place] = (other[0, place] + 100) % 199
        assert (loss(other) != before) == (place in learned), place
    assert {int(place) + 1 for place in asked[0]} == learned


def test_first_token_is_never_learned() -> None:
    """Nothing predicts it; a span from 0 on has the rest of its tokens, with weights that add up."""
    collator = Collator(pad_token_id=0, equal_turns=True)
    batch = collator(
        [Example(input_ids=(5, 6, 7), turns=((0, 3),), source=""), Example(input_ids=(5,), turns=((0, 1),), source="")]
    )
    assert batch["weights"].tolist() == [[0, 0.5, 0.5], [0, 0, 0]]
    assert batch["items"] == 1


def test_order_deals_every_example_once_and_the_same_steps_to_any_number_of_processes() -> None:
    whole = BatchOrder(examples=11, batch_size=2, seed=3)
    alone = list(whole)
    assert sorted(place for batch in alone for place in batch) == list(range(11))
    dealt = [list(replace(whole, processes=4, process=rank)) for rank in range(4)]
    steps = [[batch for rank in dealt for batch in [rank[step]] if batch != [11]] for step in range(2)]
    assert [batch for step in steps for batch in step] == alone
    assert {len(batches) for batches in dealt} == {len(replace(whole, processes=4))} == {math.ceil(6 / 4)}
    whole.set_epoch(1)
    assert list(whole) != alone


def test_batches_of_similar_lengths_have_little_padding_and_a_random_order() -> None:
    """Each example once, the same batches for any number of processes, other ones in another epoch."""
    draw = random.Random(0)
    lengths = [draw.randint(1200, 2600) for _ in range(301)]
    plain = BatchOrder(examples=301, batch_size=4, seed=3)
    grouped = replace(plain, lengths=lengths)

    def padding(order: BatchOrder) -> float:
        rows = [[lengths[place] for place in batch] for batch in order]
        return 1 - sum(map(sum, rows)) / sum(len(row) * max(row) for row in rows)

    batches = list(grouped)
    assert sorted(place for batch in batches for place in batch) == list(range(301))
    assert padding(plain) > 0.15
    assert padding(grouped) < 0.02
    means = [sum(lengths[place] for place in batch) / len(batch) for batch in batches]
    rising = sum(a < b for a, b in pairwise(means))
    assert 25 < rising < 50
    dealt = [list(replace(grouped, processes=2, process=rank)) for rank in range(2)]
    assert [batch for pair in zip(*dealt, strict=True) for batch in pair] == batches
    grouped.set_epoch(1)
    assert {tuple(sorted(batch)) for batch in grouped} != {tuple(sorted(batch)) for batch in batches}


def test_batches_of_similar_lengths_are_another_training() -> None:
    """And fingerprints of trainings without them stay what they were."""
    assert TrainConfig(group_by_length=True).deciding()["group_by_length"]
    assert "group_by_length" not in TrainConfig().deciding()
