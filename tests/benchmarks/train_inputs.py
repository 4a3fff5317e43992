"""Shared by the training benchmarks: the data, and runs of our training and of a bare TRL script."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import scenarios, sources
from harness.data.formats.messages import dump_conversation
from harness.data.formats.task import read_task
from harness.data.records import Conversation, Task
from harness.data.sample import sample_conversations, sample_task
from harness.data.scenarios import read_dialogues
from harness.stages.collect import TASK_FILE
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples, make_examples
from harness.training.log import quiet_libraries
from harness.training.loop import Trained, train
from harness.training.rendering import choose_rendering
from harness.training.small_model import create_student, prepare_to_learn


def inputs(number: int) -> tuple[Task, list[Conversation]]:
    """Return a task and traces of it: S1 of the benchmark with TFT_SOURCES, the sample task without."""
    if not os.environ.get("TFT_SOURCES"):
        return sample_task(), sample_conversations(number)
    found = sources.locate()
    traces = scenarios.get(1).conversations(read_dialogues(found), "direct")
    return read_task(found.folder / TASK_FILE), traces[:number]


def create_base(folder: Path, task: Task, conversations: list[Conversation], parameters: int) -> None:
    """Write a student with a tokenizer made of the conversations, with weights that can learn."""
    texts = [json.dumps(dump_conversation(conversation)) for conversation in conversations]
    create_student(folder, texts=[task.description, json.dumps(task.tools), *texts], parameters=parameters)
    prepare_to_learn(folder, seed=0)


def examples(base: Path, task: Task, conversations: list[Conversation], *, expand: bool) -> TrainingExamples:
    """Return what the conversations give to learn from, whole or turn by turn."""
    from transformers import AutoTokenizer

    rendering = choose_rendering(AutoTokenizer.from_pretrained(base), task, "student", conversations)
    return make_examples(conversations, rendering, expand_turns=expand, max_length=None)


def ours_run(base: Path, data: TrainingExamples, config: TrainConfig, folder: Path) -> Trained:
    """Train with the harness."""
    return train(base, data, config, folder, pad_token_id=0, resume=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRun:
    """A training by a short script."""

    seconds: float
    """From the start of the first step to the end, the checkpoint included, as `Trained` counts."""
    memory_bytes: int
    """The most that was held on the device; 0 without one."""
    losses: tuple[float, ...]
    """Of each step."""
    step_seconds: tuple[float, ...]
    computed: tuple[int, ...]
    """Tokens of each forward pass, padding included."""


def bare_run(base: Path, tokenizer: Path, data: TrainingExamples, settings: dict[str, Any], folder: Path) -> BareRun:
    """Train with TRL as a short script does: its defaults but for `settings` and for its truncation to 1,024 tokens."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.start = self.before = time.monotonic()
            self.steps: list[float] = []
            self.losses: list[float] = []

        def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
            if "loss" in logs:  # one step's, which has waited for the device
                now = time.monotonic()
                self.steps.append(now - self.before)
                self.losses.append(logs["loss"])
                self.before = now

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self.seconds = time.monotonic() - self.start

    cuda = torch.cuda.is_available()
    args = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=1,
        bf16=cuda,
        use_cpu=not cuda,
        max_length=None,
        save_strategy="epoch",
        report_to="none",
        disable_tqdm=True,
        **settings,
    )
    config = TrainConfig()
    rank = {"r": config.lora_rank, "lora_alpha": config.lora_alpha, "lora_dropout": config.lora_dropout}
    clock = Clock()
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with quiet_libraries(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = SFTTrainer(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16 if cuda else torch.float32),
            args,
            train_dataset=Dataset.from_list(list(_rows(data))),
            processing_class=AutoTokenizer.from_pretrained(tokenizer),
            peft_config=LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **rank),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        collate, computed = trainer.data_collator, []

        def counting(rows: list[Any]) -> dict[str, Any]:
            batch = collate(rows)
            computed.append(batch["input_ids"].numel())
            return dict(batch)

        trainer.data_collator = counting
        trainer.train()
    return BareRun(
        seconds=clock.seconds,
        memory_bytes=torch.cuda.max_memory_allocated() if cuda else 0,
        losses=tuple(clock.losses),
        step_seconds=tuple(clock.steps),
        computed=tuple(computed),
    )


def our_settings(config: TrainConfig) -> dict[str, Any]:
    """Return the settings of ours as TRL calls them."""
    return {
        "per_device_train_batch_size": config.most_per_pass,
        "gradient_accumulation_steps": config.passes_per_step,
        "learning_rate": config.learning_rate,
        "warmup_steps": config.warmup,
        "weight_decay": config.weight_decay,
        "gradient_checkpointing": bool(config.gradient_checkpointing),
        "logging_steps": 1,
        "seed": config.seed,
    }


def _rows(data: TrainingExamples) -> Iterator[dict[str, list[int]]]:
    for example in data.items:
        labels = [-100] * len(example.input_ids)
        for start, end in example.turns:
            labels[start:end] = example.input_ids[start:end]
        yield {"input_ids": list(example.input_ids), "labels": labels}
