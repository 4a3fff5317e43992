"""Trains a student on examples with TRL and PEFT: resumable, deterministic on the CPU, on one device or several."""

from __future__ import annotations

import atexit
import math
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, ModelError, UsageError
from harness.models.engine.arithmetic import processor_has_bfloat16
from harness.models.engine.guard_child import shown
from harness.terminal import progress, say
from harness.training.checkpoints import Checkpoints, identify
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.log import LogEntry, TrainingLog, describe_batches, quiet_libraries
from harness.training.memory import freed_memory_kept, is_out_of_memory, memory_explained

if TYPE_CHECKING:
    from trl import SFTConfig

__all__ = ["LogEntry", "Trained", "train"]

LOG = "log.jsonl"
CHECKPOINTS = "checkpoints"
_RESULT = {"lora": "adapter", "full": "weights"}
_RESULT_FILES = (
    "adapter_config.json",
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
)
SHARED = "computed once per batch"
_SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished training."""

    folder: Path
    """The adapter, or all weights with their configuration."""
    log: tuple[LogEntry, ...]
    steps: int
    tokens: int
    """Tokens of all steps, prompts included, padding not."""
    computed: int | None
    """Those that the model computed: with padding, and what a batch shares once; None where a run that an earlier
    version had begun did not count them."""
    sharing: str | None
    """Whether the examples of a batch shared the tokens that they begin with, in words; None where they were not to."""
    batches: str | None
    """How many examples went into a forward pass, in words, where memory decided that (batch_size=auto)."""
    precision: str
    """What it computed in: float32 or bfloat16."""
    seconds: float
    """Wall time of the steps that led to the result and of their checkpoints; what a kill undid does not count."""


def train(
    base: Path, examples: TrainingExamples, config: TrainConfig, folder: Path, *, pad_token_id: int, resume: bool
) -> Trained:
    """Train the model in `base` (config.json and safetensors) and write the result under `folder`.

    `folder` gets `checkpoints/`, `log.jsonl`, and `adapter/` (LoRA) or `weights/` (all weights). On the CPU
    the same arguments give the same weights, also after kills: with `resume` the last whole checkpoint is gone
    on from. In several processes (`accelerate launch`) each calls this; only the first one writes. Raises
    DataError without examples, UsageError where `folder` holds a run that this one must not touch, ModelError
    where the base cannot be trained so, TrainingError where memory runs out or the loss is not a number.
    """
    if not examples.items:
        why = "; ".join(f"{reason}: {count}" for reason, count in examples.skipped.items())
        raise DataError(
            f"there is nothing to train on: no example was made{f' ({why})' if why else ''}; check the data"
        )
    if not list(base.glob("*.safetensors")):
        raise ModelError(f"{base} has no safetensors file; other formats can run code when loaded: convert the weights")
    with quiet_libraries(), memory_explained(config):
        args = _arguments(config, folder / CHECKPOINTS)
        if args.world_size > 1:
            atexit.register(args.distributed_state.destroy_process_group)  # else a CPU process hangs when it ends
        main = args.process_index == 0
        checkpoints = Checkpoints(folder / CHECKPOINTS)
        if main:
            start = checkpoints.begin(identify(base, examples, config, args.world_size), resume=resume)
            TrainingLog(folder / LOG).keep_until(start.step if start else 0)
        args.distributed_state.wait_for_everyone()
        _train(base, examples, config, args, pad_token_id)
        return _finish(folder, config, args)


def _train(base: Path, examples: TrainingExamples, config: TrainConfig, args: SFTConfig, pad_token_id: int) -> None:
    """Train from the last checkpoint, or from the start, to the end of the schedule."""
    from harness.training.batches import BatchOrder, Collator

    folder = Path(args.output_dir).parent
    checkpoints = Checkpoints(folder / CHECKPOINTS)
    start = checkpoints.last()
    order = BatchOrder(
        examples=len(examples.items),
        batch_size=config.most_per_pass,
        seed=config.seed,
        lengths=[len(example.input_ids) for example in examples.items] if config.group_by_length else None,
        processes=args.world_size,
        process=args.process_index,
    )
    steps = math.ceil(config.epochs * math.ceil(len(order) / config.passes_per_step))
    if start and start.step >= steps:
        return
    from harness.training.auto_batch import AutoBatchTrainer
    from harness.training.trainer import Trainer, Work

    done = start.step if start else 0
    model = _load(base, config, args)
    sharing = _share(model.to(args.device), examples, config, pad_token_id)
    if sharing not in (None, SHARED) and args.process_index == 0:
        say(f"the tokens that all conversations of a batch begin with are {sharing}")
    layout = {"equal_turns": config.equal_turns, "packed": config.packing, "shared": sharing == SHARED}
    showing = progress("training", steps, done=done) if args.process_index == 0 else nullcontext(_show_nothing)
    with showing as advance:
        work = Work(
            items=examples.items,
            order=order,
            collator=Collator(pad_token_id=pad_token_id, **layout),
            journal=TrainingLog(folder / LOG),
            checkpoints=checkpoints,
            start=start,
            save_every=config.save_every,
            advance=advance,
            sharing=sharing,
            autocast=config.autocast,
        )
        kind = AutoBatchTrainer if config.batch_size == "auto" else Trainer
        trainer = kind(model, args, work, peft_config=_adapter(config))
        keeps = args.use_cpu and config.batch_size != "auto"  # which measures what examples take
        with freed_memory_kept() if keeps else nullcontext():
            trainer.train(resume_from_checkpoint=str(start.path) if start else None)


def _finish(folder: Path, config: TrainConfig, args: SFTConfig) -> Trained:
    """Take the result out of the last checkpoint, whole or not at all."""
    done = Checkpoints(folder / CHECKPOINTS).whole()[-1]
    result = folder / _RESULT[config.method]
    if args.process_index == 0:
        partial = result.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for path in (path for pattern in _RESULT_FILES for path in done.path.glob(pattern)):
            shutil.copyfile(path, partial / path.name)
        shutil.rmtree(result, ignore_errors=True)
        partial.replace(result)
    args.distributed_state.wait_for_everyone()
    log = TrainingLog(folder / LOG).read()
    return Trained(
        folder=result,
        log=log,
        steps=done.step,
        tokens=done.tokens,
        computed=done.computed,
        sharing=done.sharing,
        batches=describe_batches(log),
        precision="bfloat16" if args.bf16 else "float32",
        seconds=done.seconds,
    )


def _arguments(config: TrainConfig, folder: Path) -> SFTConfig:
    """Return the trainer's settings; UsageError where the machine cannot follow them."""
    import torch
    from trl import SFTConfig

    from harness.training.recompute import keep_products

    again: dict[str, Any] = {"use_reentrant": False}
    if config.gradient_checkpointing == "selective":
        again["context_fn"] = keep_products(config.lora_rank if config.method == "lora" else 0)
    cuda = torch.cuda.is_available()
    half = _computes_half(config.precision, cuda)
    args = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=config.most_per_pass,
        gradient_accumulation_steps=config.passes_per_step,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type=_SCHEDULES[config.schedule],
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch_fused" if cuda else "adamw_torch",
        bf16=half,
        use_cpu=not cuda,
        seed=config.seed,
        gradient_checkpointing=bool(config.gradient_checkpointing),
        gradient_checkpointing_kwargs=again if config.gradient_checkpointing else None,
        ddp_find_unused_parameters=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",  # our own callback asks for checkpoints
        report_to="none",
        disable_tqdm=True,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    if args.n_gpu > 1:
        raise UsageError(
            f"{args.n_gpu} GPUs are visible to one process; start with `accelerate launch --num_processes {args.n_gpu}`"
            ", or show one of them (CUDA_VISIBLE_DEVICES=0)"
        )
    return args


def _computes_half(precision: str, cuda: bool) -> bool:
    """Return whether to compute in bfloat16; what was wished for and is not to be had is said."""
    import torch

    if precision in ("float32", "bfloat16"):
        return precision == "bfloat16"
    if cuda:
        return bool(torch.cuda.is_bf16_supported())
    if precision == "auto":
        return False
    if not (found := processor_has_bfloat16()):
        say("this processor has no instructions for bfloat16: the training computes in float32")
    return found


def _load(base: Path, config: TrainConfig, args: SFTConfig) -> Any:
    """Return the model. An adapter's base is frozen, so it can be held in the precision that it computes in."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import is_flash_attn_2_available

    frozen_half = args.bf16 and config.method == "lora"
    settings: dict[str, Any] = {"dtype": torch.bfloat16 if frozen_half else torch.float32}
    # A shared prefix takes another attention.
    if config.packing and not config.may_share and args.bf16 and is_flash_attn_2_available():
        settings["attn_implementation"] = "flash_attention_2"
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base, use_safetensors=True, trust_remote_code=False, local_files_only=True, **settings
        )
    except Exception as error:  # what a model is made of is decided by its files
        if is_out_of_memory(error):
            raise
        raise ModelError(f"the model in {base} cannot be loaded to be trained ({shown(error)})") from error
    if config.packing and getattr(model, "_is_stateful", False):
        raise ModelError(
            f"{type(model).__name__} has recurrent layers, which would mix the packed examples; train without packing"
        )
    return model


def _share(model: Any, examples: TrainingExamples, config: TrainConfig, pad_token_id: int) -> str | None:
    """Let the model compute what a batch shares once, where it can; return what happens to it, None for no sharing."""
    if not config.may_share:
        return None
    from harness.training.shared_prefix import share_prefix

    reason = share_prefix(model, examples.items, pad_token_id)
    return f"computed for each one: {reason}" if reason else SHARED


def _adapter(config: TrainConfig) -> Any:
    if config.method == "full":
        return None
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear",
    )


def _show_nothing(**_: Any) -> None:
    """Take the place of a bar where another process shows it."""
