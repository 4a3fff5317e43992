"""TRL's trainer with our batches, our objective, our log and checkpoints that survive a kill. Importing it is slow."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from accelerate.utils import AutocastKwargs
from datasets import Dataset
from peft.helpers import disable_input_dtype_casting
from tokenizers import Tokenizer, models
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerFast, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from harness.errors import TrainingError
from harness.statistics.formatting import number
from harness.terminal import Advance
from harness.training.batches import BatchOrder, Collator, keeps_columns, weighted_loss
from harness.training.checkpoints import Checkpoints, TrainingCheckpoint
from harness.training.examples import Example
from harness.training.half_adapters import HalfAdapters
from harness.training.log import LogEntry, TrainingLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a trainer trains on, and where it reports."""

    items: tuple[Example, ...]
    order: BatchOrder
    collator: Collator
    journal: TrainingLog
    checkpoints: Checkpoints
    start: TrainingCheckpoint | None
    save_every: int | None
    advance: Advance
    autocast: bool = True
    """False: what computes in bfloat16 does so without it, see `HalfAdapters`."""
    sharing: str | None
    """See `TrainingCheckpoint`."""


class Trainer(SFTTrainer):  # type: ignore[misc]  # untyped
    """Trains on examples that are already token ids."""

    loss_is_scaled_for_ga = True
    size: int | None = None
    """Most examples per forward pass, where memory decides."""

    def __init__(self, model: Any, args: SFTConfig, work: Work, *, peft_config: Any = None) -> None:
        # The base class asks for a dataset and a tokenizer and prepares the one with the other. Here is nothing left
        # to prepare: it gets stand-ins, and no tokenizer that it would save or align the model's special tokens with.
        super().__init__(
            model,
            args,
            train_dataset=Dataset.from_dict({"place": range(len(work.items))}),
            processing_class=PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE())),
            data_collator=work.collator,
            peft_config=peft_config,
            callbacks=[_SaveOften(work.save_every)],
        )
        self.processing_class = None
        self.remove_callback(PrinterCallback)
        self.work = work
        self.tokens = work.start.tokens if work.start else 0
        self.computed = work.start.computed if work.start else 0
        self._before = work.start.seconds if work.start else 0.0
        self._started = time.monotonic()
        self._step = (self._started, 0, 0)
        base = self.model.get_base_model() if peft_config else self.model
        self._keeps = keeps_columns(base)
        self._adapters = None if work.autocast or not args.bf16 else HalfAdapters(self.model)
        if self._adapters:
            self.accelerator.autocast_handler = AutocastKwargs(enabled=False)

    @property
    def seconds(self) -> float:
        """Time spent on the steps so far, those before the checkpoint that this process started from included."""
        return self._before + time.monotonic() - self._started

    def train(self, *args: Any, **settings: Any) -> Any:
        """Train to the end of the schedule, from the checkpoint of the work if it has one."""
        self._started = time.monotonic()
        # The adapters are held in float32, and PEFT converts what goes into them to that. Autocast then converts it
        # back: with it, the detour costs time and memory and changes nothing.
        with disable_input_dtype_casting(self.model, active=self.args.bf16):
            return super().train(*args, **settings)

    def get_train_dataloader(self) -> Any:
        """Return the batches of this process; they are dealt out by the order, not by accelerate."""
        nothing = Example(input_ids=self.work.items[0].input_ids[:2], turns=(), source="none")
        items: Any = (*self.work.items, nothing)
        pinned = self.args.device.type == "cuda"
        return _Loader(items, batch_sampler=self.work.order, collate_fn=self.lay_out, pin_memory=pinned)

    def lay_out(self, examples: list[Example]) -> dict[str, Any]:
        """Return the batch of these examples, see `Collator`."""
        return self.work.collator(examples)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Return the batches of an optimizer step, and the items they carry on all processes together."""
        start = time.monotonic()
        batches = list(islice(epoch_iterator, num_batches))
        counted = ("items", "tokens", "computed")
        counts = torch.tensor([[batch.pop(key) for batch in batches] for key in counted]).sum(1)
        if self.args.world_size > 1:
            counts = self.accelerator.gather(counts.to(device)[None]).sum(0)
        items, tokens, computed = counts.tolist()
        self._step = (start, 0, 0)
        self.count(tokens=tokens, computed=computed)
        return batches, torch.tensor(max(items, 1), device=device)

    def count(self, *, tokens: int, computed: int) -> None:
        """Count tokens of this step; see `TrainingCheckpoint`."""
        start, *before = self._step
        self._step = (start, before[0] + tokens, before[1] + computed)
        self.tokens += tokens
        self.computed = None if self.computed is None else self.computed + computed

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: ARG002
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Return this process' part of the loss of the step; DDP averages gradients, so it counts once per process."""
        if self._adapters:
            self._adapters.cast()
        share = num_items_in_batch / self.args.world_size
        return weighted_loss(model, inputs, items=share, keep=self._keeps)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:  # noqa: ARG002
        """Write the entry of a step; TrainingError where its loss or gradient is not a number."""
        if "loss" not in logs:  # the summary at the end
            return
        loss, norm, step = logs["loss"], logs.get("grad_norm"), self.state.global_step
        if not math.isfinite(loss) or (norm is not None and not math.isfinite(norm)):
            raise TrainingError(self._not_a_number(loss, norm))
        start, tokens, computed = self._step
        if self.is_world_process_zero():
            entry = LogEntry(
                step=step,
                epoch=self.state.epoch,
                loss=loss,
                learning_rate=logs["learning_rate"],
                tokens_per_second=round(tokens / (time.monotonic() - start), 1),
                memory_bytes=_peak_memory(self.args.device),
                grad_norm=norm,
                tokens=tokens,
                computed=computed,
                batch_size=self.size,
            )
            self.work.journal.append(entry)
            self.work.advance(note=f"step {step}, loss {number(loss)}")

    def _not_a_number(self, loss: float, norm: float | None) -> str:
        step = self.state.global_step
        found = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        # The weights of the step before are the ones that gave this loss.
        good = [checkpoint for checkpoint in self.work.checkpoints.whole() if checkpoint.step < step - 1]
        where = f"the last good checkpoint is {good[-1].path}" if good else "there is no good checkpoint before it"
        return (
            f"training stopped at step {step}: {found}; {where}. "
            "Lower the learning rate, lengthen the warm-up, or train in float32, in another folder"
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint, and declare it whole when every process has written its part."""
        step = self.state.global_step
        if any(checkpoint.step == step for checkpoint in self.work.checkpoints.whole()):
            return
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            work = {"tokens": self.tokens, "computed": self.computed, "sharing": self.work.sharing}
            self.work.checkpoints.finish(step=step, seconds=self.seconds, **work)
        self.accelerator.wait_for_everyone()

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: the harness renders its own."""

    def floating_point_ops(self, *_: Any, **__: Any) -> int:
        """Return 0: the estimate of the base class walks over all weights in every step, and nothing reads it."""
        return 0

    def _send_telemetry(self) -> None:
        """Send nothing."""


class _Loader(DataLoader):  # type: ignore[misc]  # untyped
    def set_epoch(self, epoch: int) -> None:
        """Shuffle again; the trainer calls it before each epoch."""
        self.batch_sampler.set_epoch(epoch)


class _SaveOften(TrainerCallback):  # type: ignore[misc]  # untyped
    """Asks for a checkpoint every `save_every` steps, and at the end of each epoch."""

    def __init__(self, save_every: int | None) -> None:
        self.save_every = save_every

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        if self.save_every and state.global_step % self.save_every == 0:
            control.should_save = True

    def on_epoch_end(self, _: Any, __: Any, control: Any, **___: Any) -> None:
        control.should_save = True


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
