"""batch_size=auto: as many examples of a step per forward pass as memory holds, and fewer where it runs out later.

A batch of the order has all examples of an optimizer step. They are computed in parts, and the gradient is the sum of
theirs: how large the parts are changes the result by rounding only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any

import torch

from harness.models.engine.build import available_memory
from harness.terminal import say
from harness.training.examples import Example
from harness.training.memory import doubling, fitting, is_out_of_memory, peak_of
from harness.training.trainer import Trainer

_SPARE = 0.04
"""Share of a device's memory that is kept free while sizes are tried: later batches leave gaps elsewhere."""
_COUNTS = ("items", "tokens", "computed")


def divide(examples: Sequence[Example], size: int) -> list[list[Example]]:
    """Return the examples in as few parts of at most `size` as there can be, equally many in each, by length."""
    ordered = sorted(examples, key=_length, reverse=True)
    parts = math.ceil(len(ordered) / size)
    places = [len(ordered) * number // parts for number in range(parts + 1)]
    return [ordered[start:end] for start, end in pairwise(places)]


def _length(example: Example) -> int:
    return len(example.input_ids)


class AutoBatchTrainer(Trainer):
    """Computes the examples of an optimizer step in as many forward passes as memory asks for."""

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Return the batch of an optimizer step, and the items it carries on all processes together."""
        if self.size is None:
            self.size = self._find_size()
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    def lay_out(self, examples: list[Example]) -> dict[str, Any]:
        """Return the batches of the parts of these examples, with the sums of their counts."""
        parts = [self.work.collator(part) for part in divide(examples, self.size or 1)]
        counts = {name: sum(part.pop(name) for part in parts) for name in _COUNTS}
        return {"examples": examples, "parts": parts, **counts}

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Return the loss of the step, its gradient computed; where memory runs out, again with half as many."""
        while True:
            try:
                return self._add_up(model, inputs["parts"], num_items_in_batch)
            except (MemoryError, RuntimeError) as error:
                largest = max(len(part) for part in divide(inputs["examples"], self.size or 1))
                # Another process would wait for the gradients of this one.
                if not is_out_of_memory(error) or largest == 1 or self.args.world_size > 1:
                    raise
            self.size = largest // 2
            say(
                f"memory ran out at step {self.state.global_step + 1} with {largest} conversations per forward pass; "
                f"the step begins again with at most {self.size}"
            )
            self._forget(model)
            again = self.lay_out(inputs["examples"])
            self.count(
                tokens=0, computed=again["computed"] - sum(part["input_ids"].numel() for part in inputs["parts"])
            )
            inputs = again

    def _add_up(self, model: Any, parts: Sequence[dict[str, Any]], items: Any) -> torch.Tensor:
        losses = []
        for place, part in enumerate(parts, start=1):
            # Processes exchange gradients with the last part only, so that each can have another number of parts.
            with nullcontext() if place == len(parts) else self.accelerator.no_sync(model):
                losses.append(super().training_step(model, part, items))
        return torch.stack(losses).sum()

    def _find_size(self) -> int:
        """Return how many examples fit into a pass, tried with the longest ones of the data."""
        most = min(self.work.order.batch_size, len(self.work.items))
        longest = sorted(self.work.items, key=_length, reverse=True)[:most]
        device = self.args.device
        cuda = device.type == "cuda"
        with torch.random.fork_rng(devices=[device] if cuda else []):
            size = 1 if most == 1 else self._try(longest) if cuda else self._estimate(longest)
        self._forget(self.model_wrapped)
        if self.args.world_size > 1:
            size = int(self.accelerator.gather(torch.tensor([size], device=device)).min())
        if self.is_world_process_zero():
            say(f"conversations per forward pass: at most {size} of the {most} of a step, as memory allows")
        return size

    def _try(self, longest: Sequence[Example]) -> int:
        """Return how many fit on the device, found by computing twice as many each time until they do not."""
        fits = 0
        for size in doubling(len(longest)):
            try:
                with self._reserved():
                    self._compute(longest[:size])
            except RuntimeError as error:
                if not is_out_of_memory(error) or not fits:
                    raise
                break
            fits = size
        return fits

    def _estimate(self, longest: Sequence[Example]) -> int:
        """Return how many fit into main memory, estimated from what one and two take: too many would be the end."""
        free = available_memory() - self._optimizer_bytes()
        found = [peak_of(partial(self._compute, longest[:number])) for number in (1, 2)]
        if None in found:
            say("this system does not say how much memory a forward pass takes, so each has one conversation")
            return 1
        (before, one), (_, two) = (pair for pair in found if pair)
        return fitting(len(longest), free=free, one=one - before, two=two - before)

    def _compute(self, examples: Sequence[Example]) -> None:
        """Compute loss and gradient of examples in one pass, for nothing."""
        part = self.work.collator(examples)
        counts = {name: part.pop(name) for name in _COUNTS}
        with self.accelerator.no_sync(self.model_wrapped):
            super().training_step(self.model_wrapped, part, torch.tensor(max(counts["items"], 1)))

    @contextmanager
    def _reserved(self) -> Iterator[None]:
        """Hold what the optimizer will take after its first step, and something to spare."""
        spare = int(_SPARE * torch.cuda.get_device_properties(self.args.device).total_memory)
        held = torch.empty(self._optimizer_bytes() + spare, dtype=torch.uint8, device=self.args.device)
        yield
        del held

    def _optimizer_bytes(self) -> int:
        """Return what the optimizer has still to take: two moments of each weight that is trained, in float32."""
        weights = (weight.numel() for weight in self.model.parameters() if weight.requires_grad)
        return 0 if self.optimizer.state else 8 * sum(weights)

    def _forget(self, model: Any) -> None:
        """Give back the gradients and what else the device holds for nothing."""
        model.zero_grad(set_to_none=True)
        if self.args.device.type == "cuda":
            torch.cuda.empty_cache()
