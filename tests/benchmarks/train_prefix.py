"""Training with what a batch begins with computed once, against padded batches: tokens of an epoch, time of a step.

Tokens are counted over all traces of S1 (direct) with TFT_SOURCES, the sample task without. Steps are those of `train`
in float32 with LoRA, on a student with random weights, taken in turn in one process. Exit status 1 if a promise does
not hold.

    TFT_SOURCES=... python tests/benchmarks/train_prefix.py [--params 30000000] [--batches 4 8] [--steps 1] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from train_inputs import create_base, examples, inputs, ours_run

from harness.training.batches import BatchOrder, Collator
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples

FEWER_TOKENS = {4: 0.6, 8: 0.53}
"""Batch size -> promised share of the computed tokens."""
LESS_TIME = 1.5
LAYOUTS = {"auto": Collator(pad_token_id=0, shared=True), "off": Collator(pad_token_id=0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=int, default=30_000_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 8], help="conversations per batch")
    parser.add_argument("--steps", type=int, default=1, help="steps of a run")
    parser.add_argument("--rounds", type=int, default=3, help="runs with and without; 0 only counts tokens")
    options = parser.parse_args()
    status = 0
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        scratch = Path(name)
        task, conversations = inputs(10**6)
        create_base(scratch / "base", task, conversations, options.params)
        data = examples(scratch / "base", task, conversations, expand=False)
        print(f"{len(data.items)} conversations, {data.tokens:,} tokens")
        for size in options.batches:
            status |= count(data, size)
            if options.rounds:
                some = TrainingExamples(items=data.items[: size * options.steps], skipped={})
                status |= time_steps(scratch, some, size, options.rounds)
    sys.exit(status)


def count(data: TrainingExamples, size: int) -> int:
    """Print how many tokens an epoch computes; return the exit status."""
    order = BatchOrder(examples=len(data.items), batch_size=size, seed=0)
    batches = [[data.items[place] for place in batch] for batch in order]
    shared, padded = (sum(layout(batch)["computed"] for batch in batches) for layout in LAYOUTS.values())
    print(f"batches of {size}: {shared:,} tokens computed per epoch, {padded:,} padded")
    limit = FEWER_TOKENS.get(size, 1.0)
    print(f"batches of {size}: {shared / data.tokens:.3f} of the tokens of the conversations")
    return _check(f"tokens computed, shared to padded, batches of {size}", shared / padded, limit)


def time_steps(scratch: Path, data: TrainingExamples, size: int, rounds: int) -> int:
    """Print the seconds of an epoch over these conversations with and without, and how far losses differ."""
    seconds: dict[str, list[float]] = {way: [] for way in LAYOUTS}
    losses: dict[str, list[float]] = {}
    for number in range(rounds):
        for way in LAYOUTS:
            config = TrainConfig(epochs=1, batch_size=size, precision="float32", shared_prefix=way)
            run = ours_run(scratch / "base", data, config, scratch / f"{way}-{size}-{number}")
            seconds[way].append(sum((entry.tokens or 0) / entry.tokens_per_second for entry in run.log))
            losses[way] = [entry.loss for entry in run.log]
            print(f"  {way}: {seconds[way][-1]:.1f} s, {run.sharing or 'not shared'}", flush=True)
    ratios = [off / auto for auto, off in zip(seconds["auto"], seconds["off"], strict=True)]
    apart = max(abs(a - b) / b for a, b in zip(losses["auto"], losses["off"], strict=True))
    print(f"batches of {size}: {statistics.median(ratios):.2f} times faster ({', '.join(f'{r:.2f}' for r in ratios)})")
    print(f"batches of {size}: losses differ by at most {apart:.1e}")
    return _check(f"seconds, shared to padded, batches of {size}", 1 / statistics.median(ratios), 1 / LESS_TIME)


def _check(what: str, value: float, limit: float) -> int:
    print(f"{'ok    ' if value <= limit else 'FAILED'}  {what}: {value:.3f} (promised <= {limit:.3f})")
    return value > limit


if __name__ == "__main__":
    main()
