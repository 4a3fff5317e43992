"""`tft evaluate --fast` against the bare engine, vLLM's `LLM` class in its best settings; starts included, in one run.

The bare side is a process of its own that loads the model, answers the same prompts (token ids that were made before)
with the same limit, and ends: no Hub, no log, no parsing, no scores. Each side compiles into a folder of its own; the
first round finds nothing compiled, later ones do. Prints seconds, and the ratio of each round; exit status 1 if the
median of the later rounds (with one round: that of the only one) is above 1.05.

    TFT_SOURCES=... python tests/benchmarks/evaluate_fast.py                     # SmolLM2, all 359 pairs
    TFT_SOURCES=... python tests/benchmarks/evaluate_fast.py FOLDER --limit 20 --rounds 1
    TFT_SOURCES=... python tests/benchmarks/evaluate_fast.py --bare block_size=128 --bare VLLM_CPU_NUM_OF_RESERVED_CPU=0

Without TFT_SOURCES the test set is the sample task's. MODEL is a folder with a model as transformers saves it, or a
repository on the Hub (HF_ENDPOINT); by default SmolLM2 as `tft student fetch` has it.
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation import CONCURRENCY, prompts_of
from evaluation_inputs import push_test_set

from harness.data.tasks import pull_test_set
from harness.hub.client import Hub
from harness.hub.publishing import push_folder
from harness.hubd.embedded import running
from harness.models.engine.arithmetic import processor_has_bfloat16
from harness.models.engine.checkpoint import pull_checkpoint

LIMIT = 1.05
MODEL = "local/bench-model"
BARE = """
import json, sys
from vllm import LLM, SamplingParams

if __name__ == "__main__":
    settings, prompts, max_tokens = json.load(open(sys.argv[1]))
    engine = LLM(**settings)
    asked = [{"prompt_token_ids": prompt} for prompt in prompts]
    found = engine.generate(asked, SamplingParams(temperature=0, max_tokens=max_tokens), use_tqdm=False)
    print(json.dumps(sum(len(one.outputs[0].token_ids) for one in found)))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="MODEL")
    parser.add_argument("--limit", type=int, help="only the first N pairs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument(
        "--bare",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of LLM, its value as JSON; or in capitals, a variable of the bare engine's environment",
    )
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY, help="of our side; the bare one has no limit")
    parser.add_argument("--engine-arg", action="append", default=[], metavar="KEY=VALUE", help="of our side")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        scratch = Path(name)
        found = fetched(options.model) if options.model else None  # from the caller's own Hub
        with running(scratch / "hub") as hub:
            os.environ |= {"HF_TOKEN": hub.token, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(scratch / "cache")}
            client = Hub.connect(hub.url)
            push_model(client, found)
            dataset = push_test_set(client, scratch)
            written = write_bare(client, dataset, scratch, options)
            ratios = [measure(number, dataset, scratch, written, options) for number in range(options.rounds)]
    later = statistics.median(ratios[1:] or ratios)
    print(f"ratio {later:.3f} (limit {LIMIT}); {os.cpu_count()} processors, bfloat16 {processor_has_bfloat16()}")
    sys.exit(later > LIMIT)


def fetched(model: str) -> Path:
    """Return the folder of a model: the one that is named, or a repository's."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(model))


def push_model(client: Hub, folder: Path | None) -> None:
    if folder:
        push_folder(client, "model", MODEL, folder, message="model")
    else:
        tft("student", "fetch", "smollm2", "--to", MODEL)


def write_bare(client: Hub, dataset: str, scratch: Path, options: argparse.Namespace) -> Path:
    """Write settings and prompts of the bare side to a file; the prompts are made before the clock starts."""
    prompts = prompts_of(client, pull_test_set(client, dataset, options.limit), MODEL)
    checkpoint = pull_checkpoint(client, client.resolve("model", MODEL))
    settings: dict[str, Any] = {
        "model": str(checkpoint.folder),
        "dtype": "bfloat16" if processor_has_bfloat16() else "float32",  # slower where the processor lacks it
        "block_size": 32,  # more of the prompts comes from the prefix cache than with 128
        "kv_cache_memory_bytes": (1 << 30) + 8 * checkpoint.weights,
        **{key: json.loads(value) for key, value in chosen(options.bare).items() if not key.isupper()},
    }
    path = scratch / "bare.json"
    path.write_text(json.dumps([settings, [list(prompt.token_ids) for prompt in prompts], options.max_tokens]))
    (scratch / "bare.py").write_text(BARE)
    print(f"{len(prompts)} prompts; bare engine: {settings}")
    return path


def chosen(words: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words)


def measure(number: int, dataset: str, scratch: Path, written: Path, options: argparse.Namespace) -> float:
    """Return how many times as long as the bare engine our command takes."""
    caches = {"VLLM_CACHE_ROOT": str(scratch / "compiled"), "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor")}
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    variables = {key: value for key, value in chosen(options.bare).items() if key.isupper()}
    bare, tokens = timed([sys.executable, str(scratch / "bare.py"), str(written)], caches | offline | variables)
    words = [
        "evaluate",
        MODEL,
        "--fast",
        "--dataset",
        dataset,
        "--no-push",
        "--json",
        "--out",
        f"{scratch}/run-{number}",
    ]
    words += ["--max-tokens", str(options.max_tokens), "--concurrency", str(options.concurrency)]
    words += [f"--engine-arg={argument}" for argument in options.engine_arg]
    words += ["--limit", str(options.limit)] if options.limit else []
    ours, text = timed([sys.executable, "-m", "harness.cli", *words], {"XDG_CACHE_HOME": str(scratch / "user")})
    report = json.loads(text)["report"]
    print(
        f"round {number + 1}: bare engine {bare:.1f} s ({tokens.strip()} tokens), tft evaluate --fast {ours:.1f} s "
        f"({report['tokens']['completion']:.0f} tokens, {report['run']['config']['arithmetic']}, "
        f"{report['run']['timings']}), ratio {ours / bare:.3f}",
        flush=True,
    )
    return ours / bare


def tft(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "harness.cli", *words], check=True, stdout=subprocess.DEVNULL)


def timed(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, str]:
    """Return the seconds from a command's start to its end, and the last line that it printed."""
    start = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})
    took = time.monotonic() - start
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{done.stderr[-3000:]}")
    return took, done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
