"""Two versions of `tft` alternating on one machine: the ratio of their median times for the same command.

    python tests/benchmarks/side_by_side.py OTHER/.venv/bin/tft --help
    python tests/benchmarks/side_by_side.py OTHER/.venv/bin/tft evaluate MODEL --dataset TESTSET --limit 60 --no-push

OTHER is the checkout of another version, set up. The Hub is HF_ENDPOINT. Each run starts in an empty folder.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROUNDS = 5


def main() -> None:
    if len(sys.argv) < 3:
        print("side by side: left out, it needs the tft of another version and a command")
        return
    other, *words = sys.argv[1:]
    versions = {"other": Path(other).absolute(), "this": Path(sys.executable).parent / "tft"}
    seconds: dict[str, list[float]] = {name: [] for name in versions}
    for _ in range(ROUNDS):
        for name, program in versions.items():
            seconds[name].append(run(program, words))
    for name, times in seconds.items():
        print(f"{name}: median {median(times):.2f} s of {', '.join(f'{one:.2f}' for one in times)}")
    print(f"this / other: {median(seconds['this']) / median(seconds['other']):.3f}")


def run(program: Path, words: list[str]) -> float:
    """Return the seconds that a command takes; a command that fails ends the measurement."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, check=False)
        took = time.monotonic() - start
    if done.returncode:
        sys.exit(f"{program} {' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return took


if __name__ == "__main__":
    main()
