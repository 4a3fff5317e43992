"""Which examples make which batch: an order that depends on the seed and the epoch only, shared by all processes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Order:
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
