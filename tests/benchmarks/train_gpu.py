"""Training and merging Qwen3-1.7B's shape with the published settings on one CUDA device: rates, memory, repeatability.

Random weights, the published S1 direct traces (TFT_SOURCES; otherwise the sample task), and a tokenizer trained on
them. Each part prints its figures when it ends; one that fails or takes too long says so, and the others continue.
`--prepare` only makes the data, on a machine without a GPU. `--tiny` tries the script itself, on any machine.

    TFT_SOURCES=... python tests/benchmarks/train_gpu.py [--data DIR] [--prepare] [--only PART;...] [--tiny]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from train_gpu_inputs import QWEN3_1_7B, TINY, prepare, read_examples, step_flops
from train_gpu_parts import PARTS, Bench, fresh

from harness.training.config import TrainConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data; made there if it has none")
    parser.add_argument("--conversations", type=int, default=128)
    parser.add_argument("--prepare", action="store_true", help="make the data, and stop")
    parser.add_argument("--only", help="parts whose names start with one of these, separated by semicolons")
    parser.add_argument("--limit", type=int, default=120, help="seconds a part may take")
    parser.add_argument("--tiny", action="store_true", help="a tiny student, on any machine")
    options = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses to be deterministic
    import torch

    cuda = torch.cuda.is_available()
    if not cuda and not options.prepare and not options.tiny:
        print("needs a CUDA device; nothing was measured (--tiny tries the script without)")
        return
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        folder = options.data or Path(name)
        if not (folder / "examples.json").is_file():
            prepare(folder, options.conversations)
        if options.prepare:
            return
        bench = start(Path(name), folder, tiny=options.tiny, cuda=cuda)
        sys.exit(run(bench, options.only.split(";") if options.only else [""], options.limit))


def start(scratch: Path, folder: Path, *, tiny: bool, cuda: bool) -> Bench:
    """Write the student with random weights, and say what is measured on what."""
    import peft
    import torch
    import transformers
    import trl
    from transformers import Qwen3Config, Qwen3ForCausalLM

    shape = Qwen3Config(
        **(TINY if tiny else QWEN3_1_7B), tie_word_embeddings=True, max_position_embeddings=40960, dtype="bfloat16"
    )
    torch.manual_seed(0)
    with torch.device("cuda" if cuda else "cpu"):
        student = Qwen3ForCausalLM(shape).to(torch.bfloat16)
    bench = Bench(scratch=scratch, tokenizer=folder / "base", data=read_examples(folder), shape=shape, cuda=cuda)
    student.save_pretrained(bench.base)
    print(
        f"{torch.cuda.get_device_name() if cuda else 'CPU'}, {student.num_parameters():,} parameters, "
        f"torch {torch.__version__}, transformers {transformers.__version__}, "
        f"peft {peft.__version__}, trl {trl.__version__}"
    )
    for kind, data in bench.data.items():
        flops = step_flops(shape, data, TrainConfig().lora_rank)
        print(f"{kind}: {len(data.items)} examples, {data.tokens:,} tokens, {flops / 1e9:.2f}e9 FLOPs a token")
    return bench


def run(bench: Bench, only: list[str], limit: int) -> int:
    """Run the parts, each under a limit in seconds; return the exit status."""
    status = 0
    for name, part in PARTS.items():
        if not any(name.startswith(beginning) for beginning in only):
            continue
        fresh(cuda=bench.cuda)
        started = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            with _limit(limit):
                part(bench)
        except Exception:  # the others go on, and the status says it
            status = 1
            traceback.print_exc(limit=-6, file=sys.stdout)
        print(f"   ({time.monotonic() - started:.0f} s)", flush=True)
    return status


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    main()
