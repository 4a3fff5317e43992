"""Training: whole conversations against turns one by one, our step against bare TRL, the merge, and repeatability.

All on one device with the same data in one run: the published S1 direct traces with TFT_SOURCES, the sample task
without. Exits with 1 where a promise does not hold. `--gpu` measures instead, on a CUDA device, Qwen3-1.7B's shape with
random weights: tokens/s, share of the peak and peak memory, ours packed against TRL with its defaults.

    TFT_SOURCES=... python tests/benchmarks/train.py [--conversations 6] [--params 4000000] [--rounds 3]
    TFT_SOURCES=... python tests/benchmarks/train.py --gpu [--conversations 327] [--batch 8] [--peak-tflops 989]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import scenarios, sources
from harness.records import Conversation, Task
from harness.sample import sample_conversations, sample_task
from harness.scenarios import read_dialogues
from harness.stages.collect import TASK_FILE
from harness.student import create_student, prepare_to_learn
from harness.training.config import TrainConfig
from harness.training.examples import Examples, make_examples
from harness.training.loop import Trained, train
from harness.training.merge import merge
from harness.training.quiet import quiet
from harness.training.rendering import choose_rendering
from harness.wire.messages import dump_conversation
from harness.wire.published import read_task

FEWER_TOKENS, LESS_TIME, STEP_RATIO, LOGITS = 6.0, 5.0, 1.05, 1e-4
QWEN3_1_7B: dict[str, Any] = {
    "vocab_size": 151936,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int)
    parser.add_argument("--params", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side of the comparison of steps")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--batch", type=int, default=8, help="conversations in a packed row, with --gpu")
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="dense bfloat16; 989 is an H100's or H200's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        scratch = Path(name)
        task, conversations = inputs(options.conversations or (327 if options.gpu else 6))
        texts = [json.dumps(dump_conversation(conversation)) for conversation in conversations]
        create_student(
            scratch / "base",
            texts=[task.description, json.dumps(task.tools), *texts],
            parameters=options.params,
        )
        prepare_to_learn(scratch / "base", seed=0)
        whole, expanded = (examples(scratch / "base", task, conversations, expand=expand) for expand in (False, True))
        if options.gpu:
            gpu(scratch, whole, options.batch, options.peak_tflops * 1e12)
        else:
            sys.exit(cpu(scratch, whole, expanded, options.rounds))


def inputs(number: int) -> tuple[Task, list[Conversation]]:
    """Return a task and traces of it."""
    if not os.environ.get("TFT_SOURCES"):
        return sample_task(), sample_conversations(number)
    found = sources.locate()
    traces = scenarios.get(1).conversations(read_dialogues(found), "direct")
    return read_task(found.folder / TASK_FILE), traces[:number]


def examples(base: Path, task: Task, conversations: list[Conversation], *, expand: bool) -> Examples:
    from transformers import AutoTokenizer

    rendering = choose_rendering(AutoTokenizer.from_pretrained(base), task, "student", conversations)
    return make_examples(conversations, rendering, expand_turns=expand, max_length=None)


def cpu(scratch: Path, whole: Examples, expanded: Examples, rounds: int) -> int:
    """Print all that is promised on the CPU; return the exit status."""
    config = TrainConfig(epochs=1)
    ours: list[Trained] = []
    bares: list[float] = []
    ours_run(scratch, "warm-up", Examples(items=whole.items[:1], skipped={}), config)
    for number in range(rounds):
        ours.append(ours_run(scratch, f"ours-{number}", whole, config))
        bares.append(bare_run(scratch, f"bare-{number}", whole, config)[0])
    slow = ours_run(scratch, "expanded", expanded, config)
    fast = statistics.median(run.seconds for run in ours)
    adapters = {(run.folder / "adapter_model.safetensors").read_bytes() for run in ours}
    probes = [example.input_ids for example in whole.items[:3]]
    difference = merge(scratch / "base", ours[0].folder, scratch / "merged", probes=probes, tolerance=1.0)
    tokens = ours[0].tokens
    print(
        f"{len(whole.items)} conversations, {len(expanded.items)} turns, {tokens:,} and {slow.tokens:,} tokens an epoch"
    )
    bare = statistics.median(bares)
    print(f"whole {fast:.1f} s ({tokens / fast:,.0f} tokens/s), by turns {slow.seconds:.1f} s, bare TRL {bare:.1f} s")
    checks = [
        ("tokens, turns one by one to whole conversations", slow.tokens / tokens, ">=", FEWER_TOKENS),
        ("time of an epoch, the same", slow.seconds / fast, ">=", LESS_TIME),
        ("time of an epoch, ours to bare TRL", fast / bare, "<=", STEP_RATIO),
        ("largest logit difference of the merge", difference, "<=", LOGITS),
        ("different weights among runs with one seed", len(adapters), "<=", 1),
    ]
    status = 0
    for what, value, sign, limit in checks:
        holds = value >= limit if sign == ">=" else value <= limit
        status |= not holds
        print(f"{'ok    ' if holds else 'FAILED'}  {what}: {value:.3g} (promised {sign} {limit:g})")
    return status


def ours_run(scratch: Path, name: str, data: Examples, config: TrainConfig, base: str = "base") -> Trained:
    return train(scratch / base, data, config, scratch / name, pad_token_id=0, resume=False)


def bare_run(
    scratch: Path, name: str, data: Examples, config: TrainConfig, base: str = "base", *, defaults: bool = False
) -> tuple[float, int]:
    """Train with TRL as a short script does; return seconds and peak memory on the device in bytes.

    With our settings, or with its `defaults`, but without its truncation to 1,024 tokens.
    """
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.start = time.monotonic()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self.seconds = time.monotonic() - self.start

    cuda = torch.cuda.is_available()
    same: dict[str, Any] = {
        "per_device_train_batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "warmup_steps": config.warmup,
        "weight_decay": config.weight_decay,
        "gradient_checkpointing": config.gradient_checkpointing,
        "logging_steps": 1,
        "seed": config.seed,
    }
    args = SFTConfig(
        output_dir=str(scratch / name),
        num_train_epochs=config.epochs,
        bf16=cuda,
        use_cpu=not cuda,
        max_length=None,
        save_strategy="epoch",
        report_to="none",
        disable_tqdm=True,
        **({} if defaults else same),
    )
    rank = {"r": config.lora_rank, "lora_alpha": config.lora_alpha, "lora_dropout": config.lora_dropout}
    clock = Clock()
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(scratch / base, dtype=torch.bfloat16 if cuda else torch.float32)
        trainer = SFTTrainer(
            model,
            args,
            train_dataset=Dataset.from_list(list(rows(data))),
            processing_class=AutoTokenizer.from_pretrained(scratch / "base"),
            peft_config=LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", **rank),
            callbacks=[clock],
        )
        trainer.train()
    return clock.seconds, torch.cuda.max_memory_allocated() if cuda else 0


def rows(data: Examples) -> Iterator[dict[str, list[int]]]:
    for example in data.items:
        labels = [-100] * len(example.input_ids)
        for start, end in example.turns:
            labels[start:end] = example.input_ids[start:end]
        yield {"input_ids": list(example.input_ids), "labels": labels}


def gpu(scratch: Path, data: Examples, batch: int, peak: float) -> None:
    """Print tokens/s, share of the peak and memory of ours (packed) and of TRL with its defaults.

    FLOPs of a token: 4 x frozen weights (forward, and the gradient of what goes through them), 6 x adapter weights,
    6 x layers x width of attention x length for causal attention (half of 12, forward and backward), and 4 x the output
    layer for the tokens that carry loss. What TRL computes besides does not count for it.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    if not torch.cuda.is_available():
        sys.exit("--gpu needs a CUDA device")
    shape = Qwen3Config(**QWEN3_1_7B, max_position_embeddings=40960, dtype="bfloat16")
    torch.manual_seed(0)
    with torch.device("cuda"):
        Qwen3ForCausalLM(shape).to(torch.bfloat16).save_pretrained(scratch / "large")
    torch.cuda.empty_cache()
    config = TrainConfig(epochs=1, batch_size=batch, packing=True)
    flops, tokens = step_flops(shape, data, config.lora_rank), data.tokens
    torch.cuda.reset_peak_memory_stats()
    ours = ours_run(scratch, "ours", data, config, "large")
    speed = statistics.median(entry.tokens_per_second for entry in ours.log[2:])
    memory = ours.log[-1].memory_bytes
    torch.cuda.empty_cache()
    seconds, bare_memory = bare_run(scratch, "bare", data, config, "large", defaults=True)
    print(f"{torch.cuda.get_device_name()}, {len(data.items)} conversations, {tokens:,} tokens, batch {batch}")
    for name, rate, most in (("ours", speed, memory), ("TRL", tokens / seconds, bare_memory)):
        print(f"{name:5}{rate:9,.0f} tokens/s, MFU {rate * flops / peak:.1%}, peak memory {most / 2**30:.1f} GiB")
    minutes = 2000 * 4 * tokens / len(data.items) / speed / 60
    print(f"{flops / 1e9:.2f}e9 FLOPs a token; 2,000 conversations x 4 epochs would take {minutes:.0f} min")


def step_flops(shape: Any, data: Examples, rank: int) -> float:
    """Return FLOPs a token, mean over the tokens of the data."""
    width, attention = shape.hidden_size, shape.num_attention_heads * shape.head_dim
    keys, inner = shape.num_key_value_heads * shape.head_dim, shape.intermediate_size
    linear = [
        (width, attention),
        (width, keys),
        (width, keys),
        (attention, width),
        *[(width, inner)] * 2,
        (inner, width),
    ]
    frozen = shape.num_hidden_layers * sum(a * b for a, b in linear)
    adapter = shape.num_hidden_layers * sum(rank * (a + b) for a, b in linear)
    lengths = [len(example.input_ids) for example in data.items]
    length = sum(n * n for n in lengths) / sum(lengths)
    learned = sum(end - start for example in data.items for start, end in example.turns) / sum(lengths)
    output = 4 * shape.vocab_size * width * learned
    return 4 * frozen + 6 * adapter + 6 * shape.num_hidden_layers * attention * length + output


if __name__ == "__main__":
    main()
