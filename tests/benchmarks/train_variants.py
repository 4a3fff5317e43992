"""Ways to train Qwen3-1.7B's shape on one CUDA device, side by side: computed tokens/s, MFU, peak memory, first losses.

Random weights and made-up conversations of the real lengths: 1,050 tokens that all begin with, 900 of their own, 19 %
of all with loss. Every variant is a process of its own and takes the same conversations per optimizer step, so that the
losses have to agree; one that runs out of memory or time is a row that says so. The whole takes at most --seconds.

MFU: computed tokens' operations in 989 TFLOP/s (an H100's or H200's dense bfloat16). Of a token these are 4 x frozen
weights, 6 x adapters', 12 x layers x width of attention x tokens before it, and 4 x the output layer where it carries
loss. Padding counts, as it is computed; what is computed again for the backward pass does not.

    python tests/benchmarks/train_variants.py [--seconds 345] [--limit 60] [--only TEXT;...] [--out FILE] [--tiny]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train_gpu_inputs import QWEN3_1_7B, TINY, layer_flops
from train_gpu_parts import PEAK
from train_inputs import bare_run, our_settings, ours_run

from harness.training.batches import BatchOrder, Collator
from harness.training.config import TrainConfig
from harness.training.examples import Example, TrainingExamples

REAL = {"step": 32, "steps": 4, "prefix": 1050, "own": (450, 1350)}
SMALL = {"step": 4, "steps": 3, "prefix": 40, "own": (20, 60)}
TURNS, LEARNED = 9, 0.19
STEADY = 1
"""Steps that do not count for rates: they load kernels and find sizes."""
AGREE = 0.02
"""Largest relative difference of the first two losses from the first variant's: rounding of bfloat16."""

VARIANTS: dict[str, dict[str, Any]] = {
    "TRL script, batches of 4": {"bare": True, "batch_size": 4},
    "ours, padded, 4": {"batch_size": 4, "shared_prefix": "off"},
    "shared prefix, 4": {"batch_size": 4},
    "shared prefix, 8": {"batch_size": 8},
    "shared prefix, auto": {"batch_size": "auto"},
    "shared prefix, auto, selective checkpointing": {"batch_size": "auto", "gradient_checkpointing": "selective"},
    "shared prefix, auto, no autocast": {"batch_size": "auto", "autocast": False},
    "all: shared prefix, auto, selective checkpointing, no autocast": {
        "batch_size": "auto",
        "gradient_checkpointing": "selective",
        "autocast": False,
    },
    "shared prefix, auto, checkpointing": {"batch_size": "auto", "gradient_checkpointing": True},
    "TRL script, batches of 8": {"bare": True, "batch_size": 8},
    "ours, padded, 8": {"batch_size": 8, "shared_prefix": "off"},
    "ours, padded, auto": {"batch_size": "auto", "shared_prefix": "off"},
    "ours, padded, 4, layers compiled": {"compiled": True, "batch_size": 4, "shared_prefix": "off"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a variant has shown."""

    rate: float
    """Computed tokens/s."""
    own_rate: float
    """Tokens of the conversations per second."""
    mfu: float
    memory_gib: float
    losses: tuple[float, ...]
    note: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=345, help="for everything")
    parser.add_argument("--limit", type=int, default=60, help="seconds a variant may take")
    parser.add_argument("--only", help="variants whose names hold one of these, separated by semicolons")
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    parser.add_argument("--tiny", action="store_true", help="a tiny student, on any machine")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    chosen = [name for name in VARIANTS if not options.only or any(t in name for t in options.only.split(";"))]
    found: dict[str, Any] = {}
    shared_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared_memory if shared_memory.is_dir() else None) as scratch:
        context = begin(Path(scratch), options.tiny)
        print("| variant | computed tokens/s | conversations' tokens/s | MFU | peak memory | first losses | |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for name in chosen:
            left = min(options.limit, end - time.monotonic())
            found[name] = measured(context, Path(scratch), name, left) if left > 10 else "no time left"
            print(line(name, found[name]), flush=True)
    rows = {name: row for name, row in found.items() if isinstance(row, Row)}
    if options.out:
        options.out.write_text(json.dumps({n: asdict(r) if isinstance(r, Row) else r for n, r in found.items()}))
    sys.exit(not rows or disagree(rows))


def begin(folder: Path, tiny: bool) -> Any:
    """Make what the variants need in a process as they will have; return the context that starts such processes."""
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # else asking for a device keeps forked processes from it
    for method in ("forkserver", "spawn"):
        context = multiprocessing.get_context(method)
        context.set_forkserver_preload(["harness.training.auto_batch", "trl", "peft", "datasets"])  # saves seconds each
        process = context.Process(target=prepare, args=(folder, tiny))
        process.start()
        process.join()
        if not process.exitcode:
            return context
    sys.exit("the student could not be made; nothing was measured")


def prepare(folder: Path, tiny: bool) -> None:
    """Write the student with random weights, a tokenizer that TRL asks for, and the shape of the work."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    cuda = torch.cuda.is_available()
    if not cuda and not tiny:
        sys.exit("needs a CUDA device (--tiny tries the script without)")
    sizes = TINY if tiny else QWEN3_1_7B
    shape = Qwen3Config(**sizes, tie_word_embeddings=True, max_position_embeddings=40960, dtype="bfloat16")
    torch.manual_seed(0)
    with torch.device("cuda" if cuda else "cpu"):
        Qwen3ForCausalLM(shape).to(torch.bfloat16).save_pretrained(folder / "base")
    words = Tokenizer(models.WordLevel({"<end>": 0, "<pad>": 1}, unk_token="<end>"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", pad_token="<pad>").save_pretrained(
        folder / "base"
    )
    (folder / "work.json").write_text(json.dumps(SMALL if tiny else REAL))
    name = torch.cuda.get_device_name() if cuda else "CPU"
    print(f"{name}, torch {torch.__version__}, {REAL['step'] if not tiny else SMALL['step']} conversations per step")


def made(work: dict[str, Any], vocabulary: int) -> TrainingExamples:
    """Return conversations of these lengths in the order in which steps take them."""
    draw = random.Random(0)
    prefix = tuple(draw.randrange(2, vocabulary) for _ in range(work["prefix"]))
    items = []
    for number in range(work["step"] * work["steps"]):
        own = draw.randint(*work["own"])
        ids = prefix + tuple(draw.randrange(2, vocabulary) for _ in range(own))
        span = max(1, int(LEARNED * len(ids) / TURNS))
        turns = tuple((end - span, end) for end in (len(prefix) + own * turn // TURNS for turn in range(1, TURNS + 1)))
        items.append(Example(input_ids=ids, turns=turns, source=str(number)))
    return TrainingExamples(items=tuple(items), skipped={})


def measured(context: Any, folder: Path, name: str, seconds: float) -> Row | str:
    """Run a variant in a process of its own; return what it has shown, or why it has not."""
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    process = context.Process(target=variant, args=(folder, name, result))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return f"took more than {seconds:.0f} s"
    if not result.is_file():
        return f"ended with status {process.exitcode} and no word"
    values = json.loads(result.read_text())
    return values if isinstance(values, str) else Row(**{**values, "losses": tuple(values["losses"])})


def variant(folder: Path, name: str, result: Path) -> None:
    """Train, and write what was measured, or the reason why nothing was."""
    settings = dict(VARIANTS[name])
    if settings.pop("compiled", False):
        names = ("BACKEND", "USE_REGIONAL_COMPILATION", "USE_DYNAMIC")
        values = ("inductor", "true", "true")
        os.environ |= {f"ACCELERATE_DYNAMO_{key}": value for key, value in zip(names, values, strict=True)}
    bare = settings.pop("bare", False)
    work = json.loads((folder / "work.json").read_text())
    if settings["batch_size"] != "auto":
        settings["batch_size"] = min(settings["batch_size"], work["step"])
    passes = work["step"] if settings["batch_size"] == "auto" else work["step"] // settings["batch_size"]
    config = TrainConfig(epochs=1, accumulation=passes, precision="bfloat16", **settings)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        try:
            shown: Any = asdict((_bare if bare else _ours)(folder / "base", work, config, Path(scratch)))
        except Exception as error:  # a row of the table, whatever it is
            memory = "memory ran out" in str(error) or "out of memory" in str(error)
            shown = "out of memory" if memory else f"{type(error).__name__}: {str(error)[:300]}"
            if not memory:
                traceback.print_exc()
    result.write_text(json.dumps(shown))


def _bare(base: Path, work: dict[str, Any], config: TrainConfig, folder: Path) -> Row:
    shape, data = _inputs(base, work)
    order = BatchOrder(examples=len(data.items), batch_size=config.most_per_pass, seed=config.seed)
    ordered = TrainingExamples(items=tuple(data.items[place] for batch in order for place in batch), skipped={})
    settings = {**our_settings(config), "train_sampling_strategy": "sequential"}
    run = bare_run(base, base, ordered, settings, folder)
    parts = [[data.items[place] for place in batch] for batch in order]
    laid_out = Collator(pad_token_id=1)
    if sum(run.computed) != sum(laid_out(part)["computed"] for part in parts):
        raise RuntimeError("TRL has made other batches than ours")
    return _row(shape, config, parts, laid_out, run.step_seconds, run.losses, run.memory_bytes, "")


def _ours(base: Path, work: dict[str, Any], config: TrainConfig, folder: Path) -> Row:
    from harness.training.auto_batch import divide

    shape, data = _inputs(base, work)
    run = ours_run(base, data, config, folder)
    order = BatchOrder(examples=len(data.items), batch_size=config.most_per_pass, seed=config.seed)
    parts = [
        part
        for number, batch in enumerate(order)
        for part in divide(
            [data.items[place] for place in batch],
            run.log[number // config.passes_per_step].batch_size or config.most_per_pass,
        )
    ]
    seconds = [(entry.tokens or 0) / entry.tokens_per_second for entry in run.log]
    laid_out = Collator(pad_token_id=1, shared=config.may_share)
    if run.computed != sum(laid_out(part)["computed"] for part in parts):
        raise RuntimeError(f"other batches were computed than expected; the shared prefix is {run.sharing}")
    losses = [entry.loss for entry in run.log]
    return _row(shape, config, parts, laid_out, seconds, losses, run.log[-1].memory_bytes, run.batches or "")


def _inputs(base: Path, work: dict[str, Any]) -> tuple[Any, TrainingExamples]:
    from transformers import AutoConfig

    shape = AutoConfig.from_pretrained(base)
    return shape, made(work, shape.vocab_size)


def _row(
    shape: Any,
    config: TrainConfig,
    parts: list[list[Example]],
    layout: Collator,
    seconds: Any,
    losses: Any,
    memory: int,
    note: str,
) -> Row:
    """Return the figures of the steps but the first ones; `parts` are those of all passes, in order."""
    steps = len(seconds)
    each = -(-len(parts) // steps)
    steady = [layout(part) for part in parts[STEADY * each :]]
    time_taken = sum(seconds[STEADY:])
    operations = sum(_operations(shape, batch, config.lora_rank) for batch in steady)
    return Row(
        rate=sum(batch["computed"] for batch in steady) / time_taken,
        own_rate=sum(batch["tokens"] for batch in steady) / time_taken,
        mfu=operations / time_taken / PEAK,
        memory_gib=memory / 2**30,
        losses=tuple(losses[:3]),
        note=note,
    )


def _operations(shape: Any, batch: dict[str, Any], rank: int) -> float:
    """Return the FLOPs of a batch, see above."""
    import torch

    rows, length = batch["input_ids"].shape
    positions = batch["position_ids"] if "position_ids" in batch else torch.arange(length).repeat(rows)
    seen = float(positions.sum()) + batch["computed"]
    attention = 12 * shape.num_hidden_layers * shape.num_attention_heads * shape.head_dim * seen
    learned = int((batch["weights"] > 0).sum())
    layers = batch["computed"] * layer_flops(shape, rank)
    return layers + attention + 4 * shape.vocab_size * shape.hidden_size * learned


def line(name: str, row: Row | str) -> str:
    """Return a line of the table."""
    if isinstance(row, str):
        return f"| {name} | {row} | | | | | |"
    losses = " ".join(f"{loss:.3f}" for loss in row.losses)
    return (
        f"| {name} | {row.rate:,.0f} | {row.own_rate:,.0f} | {row.mfu:.1%} | {row.memory_gib:.1f} GiB | {losses} "
        f"| {row.note} |"
    )


def disagree(rows: dict[str, Row]) -> bool:
    """Say which variants' first two losses are not those of the first one; return whether any."""
    name, reference = next(iter(rows.items()))
    status = False
    for other, row in rows.items():
        gap = max(abs(a - b) / b for a, b in zip(row.losses[:2], reference.losses[:2], strict=True))
        status |= gap > AGREE
        print(f"{'ok    ' if gap <= AGREE else 'FAILED'}  losses of {other} to those of {name}: {gap:.4f}")
    return status


if __name__ == "__main__":
    main()
