"""What takes seconds: `tft --help`, and building and verifying all of the benchmark's data.

Prints the median of several runs of each; exit status 1 if a limit is exceeded. The data needs TFT_SOURCES.

    TFT_SOURCES=... python tests/benchmarks/quick.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

HELP_LIMIT, DATA_LIMIT, RUNS = 0.4, 15.0, 7


def main() -> None:
    failed = measure("tft --help", ["--help"], RUNS, HELP_LIMIT)
    if not os.environ.get("TFT_SOURCES"):
        print("tft data build: left out, it needs TFT_SOURCES")
        sys.exit(failed)
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as folder:
        failed |= measure("tft data build", ["data", "build", "--out", folder], 3, DATA_LIMIT)
        run(["data", "verify", folder])
    sys.exit(failed)


def measure(name: str, arguments: list[str], runs: int, limit: float) -> bool:
    """Print the median seconds of `runs` runs and return whether it is above `limit`."""
    median = statistics.median(run(arguments) for _ in range(runs))
    print(f"{name}: {median:.2f} s (limit {limit} s)")
    return median > limit


def run(arguments: list[str]) -> float:
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "harness.cli", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
