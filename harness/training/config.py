"""The settings of a training run: published ones as defaults, unknown ones refused."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

_UNITS = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}


def parse_count(text: str) -> int:
    """Return the number of parameters that a text such as `4M` says; ValueError for another one."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMB]?)", text.strip().upper())
    if not match or not float(match[1]):
        raise ValueError(f"{text!r} is not a number of parameters; write one like 4M, 500K or 4000000")
    return int(float(match[1]) * _UNITS[match[2]])


_LATER = ("passes", "group_by_length")
"""Settings that earlier versions did not have."""


class TrainConfig(BaseModel):
    """How a student is trained. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["lora", "full"] = "lora"
    """Low-rank adapters on all linear layers, or all weights."""
    lora_rank: PositiveInt = 64
    lora_alpha: PositiveInt = 64
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    epochs: float = Field(default=4, gt=0)
    passes: PositiveInt | None = None
    """Conversations to train on in all, repetitions counted, in place of `epochs`: the same work for little data and
    for much."""
    learning_rate: float = Field(default=5e-5, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    batch_size: int | Literal["auto"] = 1
    """Examples per device and forward pass. auto: as many of the `accumulation` examples of a step as memory holds."""
    accumulation: PositiveInt = 1
    """Forward passes per optimizer step; with batch_size=auto examples per device and optimizer step."""
    expand_turns: bool = False
    """One example for every turn, the published way, instead of one for every conversation."""
    equal_turns: bool = False
    """Every turn counts the same, however long: the objective of expanded turns."""
    packing: bool = False
    """The examples of a batch end to end in one row, instead of padded."""
    shared_prefix: Literal["auto", "off"] = "auto"
    """auto: tokens that all examples of a batch begin with are computed once, where the model allows it. The batch is
    then one row without padding, whatever `packing` says."""
    group_by_length: bool = False
    """Batches of examples of similar lengths, so that there is less padding: the order stays random by its batches."""
    limit: PositiveInt | None = None
    """Most conversations, the first ones of the data. None: all."""
    max_length: PositiveInt | None = None
    """Longest example in tokens; longer ones are dropped and counted. None: the model's context."""
    precision: Literal["auto", "float32", "bfloat16", "native"] = "auto"
    """auto: bfloat16 on a GPU that computes in it, else float32. native: bfloat16 also on a processor that does."""
    autocast: bool = True
    """Compute in bfloat16 by PyTorch's autocast. False: adapters are cast once per forward pass, the base has that type
    as it is."""
    gradient_checkpointing: Literal[False, True, "selective"] = False
    """Compute layers again in the backward pass, instead of keeping what they computed: all of it, or with selective
    all but the large matrix products."""
    save_every: PositiveInt | None = None
    """Steps between checkpoints; None: at the end of each epoch."""
    seed: int = 0

    @field_validator("batch_size", mode="before")
    @classmethod
    def _check_batch_size(cls, value: Any) -> Any:
        if value != "auto" and (isinstance(value, bool) or not re.fullmatch("0*[1-9][0-9]*", str(value))):
            raise ValueError(f"{value!r} is neither a whole number from 1 on nor auto")
        return value if value == "auto" else int(value)

    @model_validator(mode="after")
    def _check_autocast(self) -> TrainConfig:
        if not self.autocast and self.method == "full":
            raise ValueError("autocast=false is for adapters, method=lora; all weights are trained with autocast")
        return self

    @property
    def most_per_pass(self) -> int:
        """Most examples per device and forward pass."""
        return self.accumulation if self.batch_size == "auto" else self.batch_size

    @property
    def passes_per_step(self) -> int:
        """Forward passes per optimizer step, where memory holds the most examples per pass."""
        return 1 if self.batch_size == "auto" else self.accumulation

    @property
    def may_share(self) -> bool:
        """Whether the examples of a batch are to share what they begin with."""
        return self.shared_prefix == "auto" and self.most_per_pass > 1

    def deciding(self) -> dict[str, Any]:
        """Return the settings without what changes the result by rounding only.

        A shared prefix does no more than that, unless there is dropout: then the examples of a batch share that too.
        Neither do autocast and batch_size=auto, which stands for all examples of a step in one pass. A setting that
        came later and is not used is left out as well, so that earlier results are found.
        """
        excluded = {"autocast"} | (set() if self.may_share and self.lora_dropout else {"shared_prefix"})
        excluded |= {name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default}
        settings = self.model_dump(exclude=excluded)
        return settings | {"batch_size": self.most_per_pass, "accumulation": self.passes_per_step}

    def with_passes(self, conversations: int) -> TrainConfig:
        """Return the settings with the epochs that `passes` means for so many conversations."""
        if self.passes is None or not conversations:
            return self
        return self.model_copy(update={"epochs": self.passes / conversations})
