"""Training: whole conversations against single turns, our step against bare TRL, the merge, and repeatability.

All in one run on one device with the same data: the published S1 direct traces with TFT_SOURCES, otherwise the sample
task. Exit status 1 if a promise does not hold. For GPUs, see train_gpu.py.

    TFT_SOURCES=... python tests/benchmarks/train.py [--conversations 6] [--params 4000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from train_inputs import bare_run, create_base, examples, inputs, our_settings, ours_run

from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.loop import Trained
from harness.training.merge import merge

FEWER_TOKENS, LESS_TIME, STEP_RATIO, LOGITS = 6.0, 5.0, 1.05, 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=6)
    parser.add_argument("--params", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side of the comparison of steps")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        scratch = Path(name)
        task, conversations = inputs(options.conversations)
        create_base(scratch / "base", task, conversations, options.params)
        whole, expanded = (examples(scratch / "base", task, conversations, expand=expand) for expand in (False, True))
        sys.exit(compare(scratch, whole, expanded, options.rounds))


def compare(scratch: Path, whole: TrainingExamples, expanded: TrainingExamples, rounds: int) -> int:
    """Print all that is promised; return the exit status."""
    base, config = scratch / "base", TrainConfig(epochs=1)
    ours: list[Trained] = []
    bares: list[float] = []
    ours_run(base, TrainingExamples(items=whole.items[:1], skipped={}), config, scratch / "warm-up")
    for number in range(rounds):
        ours.append(ours_run(base, whole, config, scratch / f"ours-{number}"))
        bares.append(bare_run(base, base, whole, our_settings(config), scratch / f"bare-{number}").seconds)
    slow = ours_run(base, expanded, config, scratch / "expanded")
    fast = statistics.median(run.seconds for run in ours)
    adapters = {(run.folder / "adapter_model.safetensors").read_bytes() for run in ours}
    probes = [example.input_ids for example in whole.items[:3]]
    difference = merge(base, ours[0].folder, scratch / "merged", probes=probes, tolerance=1.0)
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


if __name__ == "__main__":
    main()
