"""How fast a file of spans is read, beside `json.loads` on its lines (processor time), and the memory that it takes.

    python tests/benchmarks/spans.py [--style STYLE] [--conversations N] [--apart LINES] [--keep FILE]

Writes one span per line, as the tool of that style logs it (`spans_inputs.py`; OTLP if none is named): ten model calls
per conversation, each with all that was said before, and spans of a conversation up to LINES apart, in a random order.
100,000 conversations are 5 GB. Exit status 1 where a conversation is not read as it was written, where reading has
less than a quarter of the rate, or takes more than 1 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spans_inputs import STYLES, conversation, write

SLOWEST, MOST = 0.25, 1e9
"""Of the rate of json.loads; bytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", choices=STYLES, default="parts")
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--apart", type=int, default=50_000, help="lines between the spans of a conversation at most")
    parser.add_argument("--keep", type=Path, help="write the spans to this file, or read it where it is there")
    parser.add_argument("--read", choices=sorted(READERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(READERS[options.read](options.keep)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / "spans.jsonl"
        if not path.exists():
            write(path, options.style, options.conversations, options.apart)
        measured = {kind: alone(path, kind) for kind in READERS}
    size = measured["json"]["bytes"]
    rates = {kind: size / one["seconds"] for kind, one in measured.items()}
    ratio, peak, wrong = rates["traces"] / rates["json"], measured["traces"]["peak"], measured["traces"]["wrong"]
    print(
        f"{size / 1e6:,.0f} MB, {measured['traces']['conversations']:,} conversations, {wrong} of them not as written"
    )
    for kind, rate in rates.items():
        print(f"{kind:6} {rate / 1e6:6.0f} MB/s, peak {measured[kind]['peak'] / 1e6:,.0f} MB")
    print(f"ratio  {ratio:.2f}")
    raise SystemExit(1 if wrong or ratio < SLOWEST or peak > MOST else 0)


def alone(path: Path, kind: str) -> dict[str, Any]:
    """Read the file in a process of its own, whose memory is measured."""
    command = [sys.executable, __file__, "--read", kind, "--keep", str(path)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def by_json(path: Path) -> dict[str, Any]:
    """Read all lines with json.loads."""
    start, size = time.process_time(), 0
    with path.open("rb") as stream:
        for line in stream:
            json.loads(line)
            size += len(line)
    return {"seconds": time.process_time() - start, "bytes": size, "peak": memory()}


def as_traces(path: Path) -> dict[str, Any]:
    """Read the conversations, and compare each with what was written."""
    from harness.data.traces.read import read_traces

    seconds, count, wrong, rows = 0.0, 0, 0, read_traces(path)
    while True:
        start = time.process_time()
        row = next(rows, None)
        seconds += time.process_time() - start
        if row is None:
            return {"seconds": seconds, "peak": memory(), "conversations": count, "wrong": wrong}
        count += 1
        said = conversation(int(row.columns["session_id"].removeprefix("c")))
        texts = [one.get("content") for one in said if one["role"] in ("user", "assistant")]
        read = [one.content or None for one in row.conversation.messages if one.role in ("user", "assistant")]
        wrong += read != texts


def memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")  # getrusage counts what the process was forked from
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024


READERS = {"json": by_json, "traces": as_traces}

if __name__ == "__main__":
    main()
