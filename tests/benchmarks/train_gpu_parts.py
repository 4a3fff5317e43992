"""The parts of train_gpu.py: each is a function that takes a measurement and prints it."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train_gpu_inputs import first, steady_rate, step_flops
from train_inputs import bare_run, our_settings, ours_run

from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.loop import Trained
from harness.training.merge import merge

PEAK = 989e12
"""Dense bfloat16 operations a second of an H100 or H200 by the datasheet."""
TOLERANCE, PROBES, PROBE_TOKENS = 1e-4, 4, 512
"""Of the merge, as `tft train` has them."""
WHOLE, EXPANDED = "whole", "expanded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the parts share."""

    scratch: Path
    tokenizer: Path
    data: dict[str, TrainingExamples]
    shape: Any
    cuda: bool

    @property
    def base(self) -> Path:
        return self.scratch / "student"


def device(bench: Bench) -> None:
    """A large matrix product and a large copy: what the card gives here."""
    import torch

    if not bench.cuda:
        return
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    source = torch.empty(2**30, device="cuda")
    target = torch.empty_like(source)
    product = _seconds(lambda: torch.mm(a, b))
    copy = _seconds(lambda: target.copy_(source))
    print(f"  product {2 * 8192**3 / product / 1e12:.0f} TFLOP/s, copy {8 * 2**30 / copy / 1e12:.2f} TB/s")


def warm_up(bench: Bench) -> None:
    """Two conversations, so that the next part starts warm."""
    ours_run(bench.base, first(bench.data[WHOLE], 2), TrainConfig(epochs=1), bench.scratch / "warm-up")


def repeat(bench: Bench) -> None:
    """Two runs with one seed, and two with PyTorch's deterministic algorithms."""
    import torch

    data, config = first(bench.data[WHOLE], 16), TrainConfig(epochs=1)
    for deterministic in (False, True):
        torch.use_deterministic_algorithms(deterministic)
        try:
            name = f"repeat-{deterministic}"
            runs = [ours_run(bench.base, data, config, bench.scratch / f"{name}-{n}") for n in range(2)]
        finally:
            torch.use_deterministic_algorithms(False)
        losses = [[entry.loss for entry in run.log] for run in runs]
        gap = max(abs(a - b) for a, b in zip(*losses, strict=True))
        adapters = {(run.folder / "adapter_model.safetensors").read_bytes() for run in runs}
        rate = statistics.mean(steady_rate(run.log, data, config) for run in runs)
        print(
            f"  deterministic {deterministic}: losses {'equal' if gap == 0 else f'differ by up to {gap:.2g}'}, "
            f"adapters {'equal' if len(adapters) == 1 else 'differ'}, {rate:,.0f} tokens/s, "
            f"loss {losses[0][0]:.4f} to {losses[0][-1]:.4f}"
        )


def against_trl(bench: Bench) -> None:
    """Our settings in a bare TRL script, then TRL's defaults."""
    data, config = first(bench.data[WHOLE], 32), TrainConfig(epochs=1)
    ours = ours_run(bench.base, data, config, bench.scratch / "ours")
    print(f"  ours, batch 1: {ours.seconds:.1f} s an epoch with its checkpoint")
    for name, settings in (("our settings", our_settings(config)), ("TRL's defaults", {})):
        fresh(cuda=bench.cuda)
        try:
            bare = bare_run(bench.base, bench.tokenizer, data, settings, bench.scratch / f"bare-{len(settings)}")
        except RuntimeError as error:
            print(f"  TRL with {name}: {str(error)[:200]}")
            continue
        print(
            f"  TRL with {name}: {bare.seconds:.1f} s, {data.tokens / bare.seconds:,.0f} tokens/s, "
            f"peak {bare.memory_bytes / 2**30:.1f} GiB, ours to it {ours.seconds / bare.seconds:.3f}"
        )


def profile(bench: Bench) -> None:
    """How much of a step the GPU works, and at what."""
    import torch
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity

    if not bench.cuda:
        return
    for size in (1, 4):
        data, config = first(bench.data[WHOLE], 6 * size), TrainConfig(epochs=1, batch_size=size)
        with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as found:
            ours = ours_run(bench.base, data, config, bench.scratch / f"profile-{size}")
        # The copies are the model's way to the device and the checkpoint's back.
        kernels = (event for event in found.key_averages() if event.device_type == DeviceType.CUDA)
        events = [event for event in kernels if not event.key.startswith("Memcpy")]
        busy = sum(event.self_device_time_total for event in events) / 1e3 / ours.steps
        launches = sum(event.count for event in events) / ours.steps
        print(f"  batch {size}: {launches:,.0f} kernels a step, {busy:.0f} ms on the GPU")
        for event in sorted(events, key=lambda event: -event.self_device_time_total)[:8]:
            share = event.self_device_time_total / 1e3 / ours.steps / busy
            print(f"  {share:6.1%} {event.count / ours.steps:7.0f} a step  {event.key[:90]}")


def merging(bench: Bench) -> None:
    """The merge with its check, as `tft train` makes it on the CPU, and on the GPU."""
    import torch

    adapter = next(bench.scratch.glob("*/adapter"), None)
    if adapter is None:
        warm_up(bench)
        adapter = bench.scratch / "warm-up" / "adapter"
    probes = [example.input_ids[:PROBE_TOKENS] for example in bench.data[WHOLE].items[:PROBES]]
    for where in ("cuda", "cpu") if bench.cuda else ("cpu",):
        fresh(cuda=bench.cuda)
        start = time.monotonic()
        with torch.device(where):
            difference = merge(bench.base, adapter, bench.scratch / "merged", probes=probes, tolerance=TOLERANCE)
        print(f"  on {where}: {time.monotonic() - start:.1f} s, largest logit difference {difference:.2g}")


def generate(bench: Bench) -> None:
    """Greedy answers of the merged model with transformers: a lower bound for an inference engine."""
    import torch
    from transformers import AutoModelForCausalLM

    if not (bench.scratch / "merged").is_dir():
        merging(bench)
    where = "cuda" if bench.cuda else "cpu"
    model = AutoModelForCausalLM.from_pretrained(bench.scratch / "merged", dtype=torch.bfloat16).to(where).eval()
    prompts = [list(example.input_ids[:1024]) for example in bench.data[WHOLE].items if len(example.input_ids) >= 1024]
    for size in (1, 32):
        ids = torch.tensor((prompts * size)[:size], device=where)
        started = time.monotonic()
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=64, max_new_tokens=64)
        if bench.cuda:
            torch.cuda.synchronize()
        seconds = time.monotonic() - started
        print(f"  batch {size}, 1,024 tokens of prompt: {seconds:.2f} s, {64 * size / seconds:,.0f} new tokens/s")


def compiled(bench: Bench) -> None:
    """With torch.compile of each layer, through accelerate's environment."""
    names = ("BACKEND", "USE_REGIONAL_COMPILATION", "USE_DYNAMIC")
    values = dict(zip((f"ACCELERATE_DYNAMO_{name}" for name in names), ("inductor", "true", "true"), strict=True))
    os.environ |= values
    try:
        rated(WHOLE, 48)(bench)
    finally:
        for name in values:
            del os.environ[name]


def fresh(*, cuda: bool) -> None:
    """Give back what earlier parts held on the device, and count its memory anew."""
    gc.collect()
    if cuda:
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _seconds(work: Callable[[], Any]) -> float:
    """Return the median time of a piece of work on the device."""
    import torch

    times = []
    for _ in range(12):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(times[2:])


def rated(kind: str, number: int, **settings: Any) -> Callable[[Bench], None]:
    """Return the part that trains with these settings and prints rate, share of the peak and memory."""

    def part(bench: Bench) -> None:
        data, config = first(bench.data[kind], number), TrainConfig(epochs=1, **settings)
        name = "-".join([kind, *(f"{key}-{value}" for key, value in settings.items())])
        ours = ours_run(bench.base, data, config, bench.scratch / name)
        _print(bench, data, config, ours)

    return part


def _print(bench: Bench, data: TrainingExamples, config: TrainConfig, ours: Trained) -> None:
    rate = steady_rate(ours.log, data, config)
    share = rate * step_flops(bench.shape, data, config.lora_rank) / PEAK
    mean = data.tokens / len(data.items)
    learned = sum(end - start for example in data.items for start, end in example.turns)
    print(
        f"  {len(data.items)} examples of {mean:,.0f} tokens, loss on {learned / data.tokens:.1%}: "
        f"{rate:,.0f} tokens/s, {rate / mean:.2f} examples/s, MFU {share:.1%}, "
        f"peak memory {ours.log[-1].memory_bytes / 2**30:.1f} GiB; {ours.seconds:.1f} s with start and checkpoint"
    )


PARTS: dict[str, Callable[[Bench], None]] = {
    "device": device,
    "warm-up": warm_up,
    "whole, batch 1 (published batch)": rated(WHOLE, 48),
    "turns one by one, batch 1 (the published way)": rated(EXPANDED, 96),
    "whole, batch 4, padded": rated(WHOLE, 96, batch_size=4),
    "whole, batch 4, packed": rated(WHOLE, 96, batch_size=4, packing=True),
    "turns one by one, batch 4, padded": rated(EXPANDED, 128, batch_size=4),
    "whole, batch 1, gradient checkpointing": rated(WHOLE, 48, gradient_checkpointing=True),
    "whole, batch 8, padded, gradient checkpointing": rated(WHOLE, 128, batch_size=8, gradient_checkpointing=True),
    "repeat": repeat,
    "profile": profile,
    "against TRL": against_trl,
    "merge": merging,
    "generate": generate,
    "compiled": compiled,
}
"""In batches of 8 whole conversations, padded or packed, memory runs out on 80 GB without gradient checkpointing."""
