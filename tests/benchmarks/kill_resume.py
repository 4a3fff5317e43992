"""kill -9 at random points of `tft evaluate`, resumed each time: the rows equal those of an uninterrupted run.

The evaluation uses real vLLM. One run is killed while the engine starts, while it answers and while answers are scored,
at points drawn by `--seed`, and resumed until it is done. Exit status 1 if its rows differ from those of the
uninterrupted run, a pair is missing or duplicated, or an engine outlives its evaluation.

    TFT_SOURCES=... python tests/benchmarks/kill_resume.py [--kills 20] [--limit 359] [--seed 0]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from evaluation_inputs import STUDENT, push_inputs

from harness.data.formats.jsonl import read_jsonl
from harness.hub.client import Hub
from harness.hubd.embedded import running

STARTING, DONE_WAITING = 25.0, 900.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--limit", type=int, default=359)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name, running(Path(name) / "hub") as hub:
        scratch = Path(name)
        os.environ |= {"HF_TOKEN": hub.token, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(scratch / "cache")}
        dataset = push_inputs(Hub.connect(hub.url), scratch)
        command = [sys.executable, "-m", "harness.cli", "evaluate", STUDENT, "--dataset", dataset, "--no-push"]
        command += ["--max-tokens", "48", "--limit", str(options.limit), "--resume", "--out"]
        subprocess.run([*command, str(scratch / "whole")], check=True, capture_output=True)
        share = options.limit / options.kills
        for number in range(1, options.kills + 1):
            print(f"kill {number}: {kill_once([*command, str(scratch / 'killed')], draw, share)}", flush=True)
        subprocess.run([*command, str(scratch / "killed")], check=True, capture_output=True)
        sys.exit(compare(scratch / "whole", scratch / "killed"))


def kill_once(command: list[str], draw: random.Random, share: float) -> str:
    """Run until a moment that is drawn, and kill; return what was reached."""
    log = Path(command[-1]) / "answers.jsonl"
    before = lines(log)
    patience = draw.uniform(0, STARTING) if draw.random() < 0.2 else None
    wanted = before + draw.randint(1, max(1, round(1.5 * share)))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    start = time.monotonic()
    while process.poll() is None and time.monotonic() - start < DONE_WAITING:
        waited = time.monotonic() - start
        if waited > patience if patience is not None else lines(log) >= wanted:
            time.sleep(draw.uniform(0, 0.3))
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    engines_end(os.environ["HF_HUB_CACHE"])
    return f"after {time.monotonic() - start:.1f} s, {lines(log) - before} answers more, {lines(log)} in all"


def lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.is_file() else 0


def engines_end(cache: str) -> None:
    """Wait until no engine on our models is left; exit with 1 where one outlives its evaluation by a minute."""
    for _ in range(60):
        found = subprocess.run(["pgrep", "-f", f"api_server --model {cache}"], capture_output=True, check=False)
        if found.returncode:
            return
        time.sleep(1)
    sys.exit("an engine outlived its evaluation")


def compare(whole: Path, killed: Path) -> bool:
    """Return whether something differs, and print what."""
    expected, found = ((folder / "data" / "test.jsonl").read_bytes() for folder in (whole, killed))
    asked = Counter(row["pair_id"] for _, row in read_jsonl(killed / "answers.jsonl"))
    rows = Counter(row["pair_id"] for _, row in read_jsonl(killed / "data" / "test.jsonl"))
    twice = sum(count > 1 for count in (*asked.values(), *rows.values()))
    print(f"{len(rows)} rows, {twice} pairs answered or scored twice, rows equal: {expected == found}")
    return expected != found or bool(twice)


if __name__ == "__main__":
    main()
