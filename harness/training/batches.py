"""Batches of examples: which make which batch, how they are laid out, and the loss with its weight per token."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.training.examples import Example

if TYPE_CHECKING:
    import torch


@dataclass(slots=True, kw_only=True)
class BatchOrder:
    """The batches of one process, as lists of places in the data. A batch sampler for a `DataLoader`.

    Batches are dealt to the processes in turn, so that an optimizer step of two processes sees what one
    process with twice the accumulation sees. Where they do not come out even, some processes get a batch
    of the place `examples`, one past the end: an example that carries no loss.
    """

    examples: int
    batch_size: int
    seed: int
    processes: int = 1
    process: int = 0
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches of this process in an epoch."""
        return math.ceil(self.examples / self.batch_size / self.processes)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of this process in the current epoch."""
        places = list(range(self.examples))
        random.Random(f"{self.seed}:{self.epoch}").shuffle(places)  # noqa: S311
        batches = [places[start : start + self.batch_size] for start in range(0, self.examples, self.batch_size)]
        batches += [[self.examples]] * (len(self) * self.processes - len(batches))
        yield from batches[self.process :: self.processes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collator:
    """Lays examples out as one batch.

    Padded on the right: causal attention never looks there, so no mask is needed. Packed: end to end in one
    row, with positions that start again at 0; attention stays inside an example.
    """

    pad_token_id: int
    equal_turns: bool = False
    """The tokens of a turn share a weight of 1, instead of having 1 each."""
    packed: bool = False

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return `input_ids` and `weights` of shape (rows, length), and what else the loss needs.

        `columns` are the places that carry loss in any row, `items` is the sum of the weights (tokens, or
        turns), `tokens` the number of tokens without padding.
        """
        import torch

        ids = [torch.tensor(example.input_ids) for example in examples]
        weights = [self._weights(example) for example in examples]
        batch: dict[str, Any] = {}
        if self.packed:
            batch["position_ids"] = torch.cat([torch.arange(len(row)) for row in ids])[None]
            batch |= {"input_ids": torch.cat(ids)[None], "weights": torch.cat(weights)[None]}
        else:
            pad = torch.nn.utils.rnn.pad_sequence
            batch["input_ids"] = pad(ids, batch_first=True, padding_value=self.pad_token_id)
            batch["weights"] = pad(weights, batch_first=True)
        batch["columns"] = batch["weights"].any(0).nonzero().flatten()
        batch["items"] = sum(self._items(example) for example in examples)
        batch["tokens"] = sum(map(len, ids))
        return batch

    def _weights(self, example: Example) -> torch.Tensor:
        import torch

        weights = torch.zeros(len(example.input_ids))
        for start, end in _learned(example):
            weights[start:end] = 1 / (end - start) if self.equal_turns else 1.0
        return weights

    def _items(self, example: Example) -> int:
        return sum(1 if self.equal_turns else end - start for start, end in _learned(example))


def _learned(example: Example) -> list[tuple[int, int]]:
    """Return the spans that can carry loss: nothing comes before the first token, so nothing predicts it."""
    return [(max(start, 1), end) for start, end in example.turns if end > max(start, 1)]


def weighted_loss(model: Any, batch: dict[str, torch.Tensor], *, items: float, keep: bool = True) -> torch.Tensor:
    """Return the sum over learned tokens of weight times negative log-likelihood, divided by `items`.

    The output layer runs on the places that carry loss only (a fifth of a conversation), where the model can
    be told so (`keep`: its `forward` takes `logits_to_keep`).
    """
    from torch.nn.functional import cross_entropy

    columns = batch["columns"]
    layout = {key: batch[key] for key in ("input_ids", "position_ids") if key in batch}
    chosen = {"logits_to_keep": columns - 1} if keep else {}
    logits = model(**layout, **chosen, use_cache=False).logits
    logits = logits if keep else logits[:, columns - 1]
    targets = batch["input_ids"][:, columns].flatten()
    losses = cross_entropy(logits.flatten(0, 1).float(), targets, reduction="none")
    return (losses * batch["weights"][:, columns].flatten()).sum() / items
