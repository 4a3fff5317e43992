"""`tft evaluate` against vLLM's own server answering the same prompts, start-up included in both, in one run.

The bare side starts the server with the same arguments, sends the same token ids with the same limit, and does nothing
else: no Hub, no log, no parsing, no scores. Prints seconds and the ratio; exit status 1 if the ratio is above 1.25 or
less than 0.85 of the prompt tokens come from the prefix cache.

    TFT_SOURCES=... python tests/benchmarks/evaluation.py [--rounds 2] [--max-tokens 64]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evaluation_inputs import STUDENT, push_inputs

from harness.data.tasks import TestSet, pull_test_set
from harness.hub.client import Hub
from harness.hubd.embedded import running
from harness.models.backends._vllm_client import Asked, VllmBackend
from harness.models.engine.checkpoint import pull_checkpoint
from harness.models.engine.server import EngineOptions, serving
from harness.models.prompts import Prompt, fitting_renderer, load_tokenizer

LIMIT, SHARE, CONCURRENCY = 1.25, 0.85, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name, running(Path(name) / "hub") as hub:
        scratch = Path(name)
        os.environ |= {"HF_TOKEN": hub.token, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(scratch / "cache")}
        client = Hub.connect(hub.url)
        dataset = push_inputs(client, scratch)
        bare, ours = [], []
        for number in range(options.rounds):
            bare.append(run_bare(client, dataset, scratch, options.max_tokens))
            seconds, report = run_ours(dataset, scratch / f"run-{number}", options.max_tokens)
            ours.append(seconds)
            print(f"round {number + 1}: bare server {bare[-1]:.1f} s, tft evaluate {ours[-1]:.1f} s", flush=True)
    ratio = statistics.median(b / a for a, b in zip(bare, ours, strict=True))
    share = report["tokens"]["cached_share"]
    pairs = report["rows"]["model"]["staged_tool_call"]["n"]
    print(f"{pairs} pairs; ratio {ratio:.3f} (limit {LIMIT}); prefix-cache share {share:.3f} (at least {SHARE})")
    sys.exit(ratio > LIMIT or share < SHARE)


def prompts_of(client: Hub, test_set: TestSet, model: str = STUDENT) -> list[Prompt]:
    checkpoint = pull_checkpoint(client, client.resolve("model", model))
    tokenizer = load_tokenizer(checkpoint.folder, model)
    return fitting_renderer(tokenizer, test_set.task, model, test_set.pairs).prompts(test_set.pairs)


def run_bare(client: Hub, dataset: str, scratch: Path, max_tokens: int) -> float:
    """Seconds for a bare server to start and answer; the prompts are made before the clock starts."""
    prompts = prompts_of(client, pull_test_set(client, dataset))
    checkpoint = pull_checkpoint(client, client.resolve("model", STUDENT))
    start = time.monotonic()
    with serving(checkpoint, EngineOptions(), scratch / "bare.log") as server:
        server.wait_until_ready()
        VllmBackend(server, Asked(max_tokens=max_tokens), CONCURRENCY).ask(prompts, lambda _: None)
    return time.monotonic() - start


def run_ours(dataset: str, out: Path, max_tokens: int) -> tuple[float, dict]:
    """Seconds for the whole command, from process start to exit, and its report."""
    command = [sys.executable, "-m", "harness.cli", "evaluate", STUDENT, "--dataset", dataset, "--no-push", "--json"]
    command += ["--out", str(out), "--max-tokens", str(max_tokens), "--concurrency", str(CONCURRENCY)]
    start = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return time.monotonic() - start, json.loads(done.stdout)["report"]


if __name__ == "__main__":
    main()
