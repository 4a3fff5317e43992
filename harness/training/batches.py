"""Batches of examples: which make which batch, how they are laid out, and the loss with its weight per token."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.training.examples import Example

if TYPE_CHECKING:
    import torch

    from harness.training.varlen_attention import Sequences


_WINDOW = 32
"""Batches whose examples are sorted by length together."""


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
    lengths: Sequence[int] | None = None
    """Lengths of the examples, for batches of similar ones. None: they are as they come."""
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
        batches = self._cut(places)
        batches += [[self.examples]] * (len(self) * self.processes - len(batches))
        yield from batches[self.process :: self.processes]

    def _cut(self, places: list[int]) -> list[list[int]]:
        """Return the batches of places in a random order; where `lengths` count, sorted by them within a window."""
        lengths = self.lengths
        if lengths is not None:
            window = _WINDOW * self.batch_size
            windows = (places[start : start + window] for start in range(0, self.examples, window))
            places = [place for part in windows for place in sorted(part, key=lambda place: lengths[place])]
        batches = [places[start : start + self.batch_size] for start in range(0, self.examples, self.batch_size)]
        if lengths is not None:
            random.Random(f"{self.seed}:{self.epoch}:batches").shuffle(batches)  # noqa: S311
        return batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Collator:
    """Lays examples out as one batch.

    Padded on the right: causal attention never looks there, so no mask is needed. Packed: end to end in one
    row, with positions that start again at 0; attention stays inside an example. Shared: in one row too, but the
    tokens that all examples begin with come once, before the rest of each; for a model that `share_prefix` has changed.
    """

    pad_token_id: int
    equal_turns: bool = False
    """The tokens of a turn share a weight of 1, instead of having 1 each."""
    packed: bool = False
    shared: bool = False

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return `input_ids` and `weights` of shape (rows, length), and what else the loss needs.

        `columns` are the places that carry loss in any row, `items` is the sum of the weights (tokens, or
        turns), `tokens` the number of tokens of the examples, `computed` that of `input_ids`, padding included. Shared
        batches have `rows` and `unshared`, see `Continuations`.
        """
        import torch

        ids = [torch.tensor(example.input_ids) for example in examples]
        weights = [self._weights(example) for example in examples]
        batch: dict[str, Any] = {}
        if self.shared:
            batch = _share(ids, weights, shared_length(examples))
        elif self.packed:
            batch["position_ids"] = torch.cat([torch.arange(len(row)) for row in ids])[None]
            batch |= {"input_ids": torch.cat(ids)[None], "weights": torch.cat(weights)[None]}
        else:
            pad = torch.nn.utils.rnn.pad_sequence
            batch["input_ids"] = pad(ids, batch_first=True, padding_value=self.pad_token_id)
            batch["weights"] = pad(weights, batch_first=True)
        batch["columns"] = batch["weights"].any(0).nonzero().flatten()
        batch["items"] = sum(self._items(example) for example in examples)
        batch["tokens"] = sum(map(len, ids))
        batch["computed"] = batch["input_ids"].numel()
        return batch

    def _weights(self, example: Example) -> torch.Tensor:
        import torch

        weights = torch.zeros(len(example.input_ids))
        for start, end in _learned(example):
            weights[start:end] = 1 / (end - start) if self.equal_turns else 1.0
        return weights

    def _items(self, example: Example) -> int:
        return sum(1 if self.equal_turns else end - start for start, end in _learned(example))


def _share(ids: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], shared: int) -> dict[str, Any]:
    """Return a batch in one row: the first `shared` tokens of all examples, which carry no loss, and then each rest."""
    import torch

    rests = [len(row) - shared for row in ids]
    column = torch.arange(max(rests))
    starts = torch.tensor([shared + sum(rests[:number]) for number in range(len(rests))])
    real = column < torch.tensor(rests)[:, None]
    places = [torch.arange(shared), *(torch.arange(shared, len(row)) for row in ids)]
    return {
        "input_ids": torch.cat([ids[0][:shared], *(row[shared:] for row in ids)])[None],
        "weights": torch.cat([weights[0][:shared], *(row[shared:] for row in weights)])[None],
        "position_ids": torch.cat(places)[None],
        "rows": torch.where(real, starts[:, None] + column, 0),
        "unshared": real.flatten().nonzero().flatten(),
    }


def shared_length(examples: Sequence[Example]) -> int:
    """Return how many tokens all examples begin with, as far as a batch can have them once.

    That ends before the token that predicts the first learned one of any example, and before the end of the shortest.
    """
    if len(examples) < 2:
        return 0
    first, last = (choose(example.input_ids for example in examples) for choose in (min, max))  # all others between
    equal = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    ends = (min([len(example.input_ids), *(start for start, _ in _learned(example))]) for example in examples)
    return min(equal, *(end - 1 for end in ends))


def _learned(example: Example) -> list[tuple[int, int]]:
    """Return the spans that can carry loss: nothing comes before the first token, so nothing predicts it."""
    return [(max(start, 1), end) for start, end in example.turns if end > max(start, 1)]


@dataclass(kw_only=True)
class Continuations:
    """Where the examples of a batch go on in its row of tokens, after what they share."""

    rows: torch.Tensor
    """Of shape (examples, longest rest): the place in the row of each token; 0 past the end of an example."""
    unshared: torch.Tensor
    """Of shape (tokens not shared,): their places in `rows`, flattened, in the order of the row."""
    layers: int = 0
    """How many layers have computed attention with it."""
    _masks: dict[tuple[int, int, int | None], torch.Tensor] = field(default_factory=dict)

    @cached_property
    def rests(self) -> list[int]:
        """Return how many tokens each example has after what is shared."""
        examples, longest = self.rows.shape
        lengths: list[int] = (self.unshared // longest).bincount(minlength=examples).tolist()
        return lengths

    @cached_property
    def sequences(self) -> Sequences:
        """Return the row as the sequences that attention of different lengths takes."""
        from harness.training.varlen_attention import Sequences

        return Sequences.make(int(self.rows[0, 0]), self.rests, self.rows.device)

    def mask(self, queries: int, before: int, window: int | None) -> torch.Tensor | None:
        """Return which of `before + queries` keys each query sees, of shape (1, 1, queries, keys).

        None: all up to its own, and there is none before.
        """
        import torch

        if not before and (window is None or window >= queries):
            return None
        if (queries, before, window) not in self._masks:
            own = torch.arange(queries, device=self.rows.device)[:, None]
            keys = torch.arange(-before, queries, device=self.rows.device)
            seen = keys <= own if window is None else (keys <= own) & (keys > own - window)
            self._masks[queries, before, window] = seen[None, None]
        return self._masks[queries, before, window]


def model_inputs(batch: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return what a model's `forward` takes of a batch."""
    inputs: dict[str, Any] = {key: batch[key] for key in ("input_ids", "position_ids") if key in batch}
    if "rows" in batch:
        inputs["shared_prefix"] = Continuations(rows=batch["rows"], unshared=batch["unshared"])
    return inputs


def logits_at(model: Any, inputs: dict[str, Any], columns: torch.Tensor, *, keep: bool = True) -> torch.Tensor:
    """Return the logits at these columns of all rows, of shape (rows, columns, vocabulary).

    The output layer runs on them only, where the model can be told so (`keep`, see `keeps_columns`).
    """
    logits: torch.Tensor = model(**inputs, **({"logits_to_keep": columns} if keep else {}), use_cache=False).logits
    return logits if keep else logits[:, columns]


def keeps_columns(model: Any) -> bool:
    """Whether the model can be told for which tokens to compute logits."""
    return "logits_to_keep" in inspect.signature(type(model).forward).parameters


def weighted_loss(model: Any, batch: dict[str, torch.Tensor], *, items: float, keep: bool = True) -> torch.Tensor:
    """Return the sum over learned tokens of weight times negative log-likelihood, divided by `items`.

    Logits are computed for the places that carry loss only (a fifth of a conversation), see `logits_at`.
    """
    from torch.nn.functional import cross_entropy

    columns = batch["columns"]
    logits = logits_at(model, model_inputs(batch), columns - 1, keep=keep)
    targets = batch["input_ids"][:, columns].flatten()
    losses = cross_entropy(logits.flatten(0, 1).float(), targets, reduction="none")
    return (losses * batch["weights"][:, columns].flatten()).sum() / items
