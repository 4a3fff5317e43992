"""Speed and memory of reading traces, checking them, and comparing them with each other and with a test set.

Usage: python tests/benchmarks/checks.py [--traces 100000] [--workers 2] [--no-consistency]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import string
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from random import Random

from harness.curation.checks.batch import Inspection, inspect_traces
from harness.curation.checks.message_order import CheckConfig
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.row_layouts import parse_row
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation
from harness.data.sample import sample_conversations, sample_task

_BLOCK = 2000
_MESSAGES = 20
"""Longer ones are left out, so that the mean is about 15."""
_TEST = 34
_NAMES = ("restaurant_name", "city", "street_address")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-consistency", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traces.jsonl"
        messages = write(path, arguments.traces)
        size = path.stat().st_size / 1e6
        print(f"{arguments.traces:,} traces, {messages / arguments.traces:.1f} messages each, {size:.0f} MB")
        measure(path, arguments)


def write(path: Path, number: int) -> int:
    """Write `number` conversations with names of their own; return how many messages they have."""
    messages = 0
    with path.open("w", encoding="utf-8") as stream:
        for conversation in islice(_conversations(), number):
            messages += len(conversation.messages)
            stream.write(json.dumps(dump_conversation(conversation), ensure_ascii=False) + "\n")
    return messages


def _conversations() -> Iterator[Conversation]:
    for seed in count(1):
        for conversation in sample_conversations(_BLOCK, seed=seed):
            if len(conversation.messages) <= _MESSAGES:
                yield rename(conversation, f"{seed}-{conversation.id}")


def rename(conversation: Conversation, id: str) -> Conversation:
    """Return the conversation with another name for each restaurant, town and street, the same throughout."""
    rng = Random(id)
    texts = [message.content or "" for message in conversation.messages]
    fields = [row for text in texts if text.startswith("[") for row in json.loads(text)]
    fields += [call.arguments for message in conversation.messages for call in message.tool_calls]
    names = sorted({row[key] for row in fields for key in _NAMES if key in row})
    new = {name: "".join(rng.choices(string.ascii_lowercase, k=9)).capitalize() for name in names}

    def changed(text: str) -> str:
        for name in sorted(new, key=len, reverse=True):
            text = text.replace(name, new[name])
        return text

    renamed = [
        replace(
            message,
            content=message.content and changed(message.content),
            tool_calls=tuple(
                replace(call, arguments={key: changed(value) for key, value in call.arguments.items()})
                for call in message.tool_calls
            ),
        )
        for message in conversation.messages
    ]
    return Conversation(id=id, messages=tuple(renamed), source="")


def measure(path: Path, arguments: argparse.Namespace) -> None:
    """Print traces a second, CPU time a trace, and the memory of this process and those it started, over time."""
    inspection = Inspection(
        tools=sample_task().tools,
        config=CheckConfig(consistency=not arguments.no_consistency),
        test=tuple(sample_conversations(_TEST, seed=999_999)),
        workers=arguments.workers,
    )
    found: Counter[str] = Counter()
    peak, start = 0.0, time.monotonic()
    before = _cpu()
    for number, inspected in enumerate(inspect_traces(_rows(path), inspection), 1):
        found.update(finding.check for finding in inspected.findings)
        found["duplicate"] += inspected.duplicate is not None
        found["overlap"] += bool(inspected.overlaps)
        if number % 5000 == 0:
            memory = _resident()
            peak = max(peak, memory)
            if number % 20_000 == 0:
                seconds = time.monotonic() - start
                print(f"{number:>8,}: {number / seconds:5.0f} traces/s, {memory:4.0f} MB", flush=True)
    seconds = time.monotonic() - start
    cpu = _cpu() - before
    print(f"{arguments.traces / seconds:.0f} traces/s, {1000 * cpu / arguments.traces:.2f} ms of CPU a trace")
    print(f"peak {peak:.0f} MB, all processes together; found {dict(found)}")


def _rows(path: Path) -> Iterator[TraceRow]:
    for _, row in read_jsonl(path):
        yield TraceRow(conversation=parse_row(row))


def _cpu() -> float:
    """Return the CPU seconds of this process and of those that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _resident() -> float:
    """Return the resident memory of this process and its children in MB; pages they share count for each."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) for pid in ("self", *children))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
