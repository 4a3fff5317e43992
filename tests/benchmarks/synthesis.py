"""Synthesis by `rules:teacher` from a few traces: speed, rejects, length distribution, near duplicates.

Without a task, it uses the benchmark's fourth scenario, five traces. The target lengths are those of scenario 1.

    TFT_SOURCES=sources python tests/benchmarks/synthesis.py [--accepted 2000] [--workers 2]
    python tests/benchmarks/synthesis.py --task FOLDER [--exemplars 40]     # a folder from `tft task from-sgd`
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from scipy.stats import ks_2samp

from harness.curation.checks.batch import Inspection, inspect_traces
from harness.curation.checks.duplicates import Duplicates
from harness.curation.checks.message_order import CheckConfig
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.row_layouts import parse_row
from harness.data.pipeline_records import ConversationPlan, Draft, TraceRow
from harness.data.records import Conversation, Task
from harness.data.scenarios import get, read_dialogues
from harness.data.sources import locate
from harness.rules.teacher.writer import RulesWriter

NEAR = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accepted", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--task", type=Path)
    parser.add_argument("--exemplars", type=int, default=40)
    options = parser.parse_args()
    if options.task:
        task, exemplars, lengths = of_folder(options.task, options.exemplars)
    elif os.environ.get("TFT_SOURCES"):
        task, exemplars, lengths = of_scenario(Path(os.environ["TFT_SOURCES"]))
    else:
        print("nothing measured: set TFT_SOURCES to a folder with the source files, or name a folder with --task")
        return
    measure(task, exemplars, lengths, options.accepted, options.workers)


def measure(task: Task, exemplars: Sequence[Conversation], lengths: Sequence[int], wanted: int, workers: int) -> None:
    """Write a few more than are wanted and check them all; print what it took."""
    start = time.perf_counter()
    inspection = Inspection(
        tools=task.tools,
        config=CheckConfig(strict=True),
        threshold=NEAR,
        workers=workers,
    )
    drafts = write(RulesWriter(task, exemplars), lengths, wanted + wanted // 50 + 1)
    written = time.perf_counter() - start
    seeds = Duplicates(NEAR)
    for exemplar in exemplars:
        seeds.add(exemplar)
    accepted: list[Conversation] = []
    reasons = Counter(f"error: {draft.error}" for draft in drafts if draft.error)
    rows = [TraceRow(conversation=draft.conversation) for draft in drafts if draft.conversation]
    for inspected in inspect_traces(rows, inspection):
        reasons.update({finding.check for finding in inspected.findings if finding.severity == "reject"})
        twin = inspected.duplicate or seeds.find(inspected.row.conversation)
        reasons.update(["near duplicate"] if twin else [])
        if not inspected.rejection and not twin:
            accepted.append(inspected.row.conversation)
    seconds = time.perf_counter() - start
    distance = ks_2samp([len(one.messages) for one in accepted[:wanted]], lengths).statistic
    print(f"{len(exemplars)} exemplars, {len(drafts)} written in {written:.1f} s, checked in {seconds - written:.1f} s")
    print(f"{len(accepted)} accepted ({wanted} wanted), rejected: {dict(reasons)}; near means {NEAR} or more")
    print(f"Kolmogorov-Smirnov distance of the first {wanted} lengths from the target's: {distance:.3f}")


def write(writer: RulesWriter, lengths: Sequence[int], number: int) -> list[Draft]:
    """Have so many conversations written, of lengths drawn from these."""
    plans = [
        ConversationPlan(
            id=f"syn-{place:05d}",
            seed=0,
            length=Random(f"length:{place}").choice(lengths),
            topic="",
            complexity=place % 5 + 1,
            exemplars=(),
        )
        for place in range(number)
    ]
    drafts: list[Draft] = []
    writer.write(plans, drafts.append)
    return drafts


def of_scenario(sources: Path) -> tuple[Task, list[Conversation], list[int]]:
    """Return the benchmark's task, the five traces of scenario 4, and the lengths of scenario 1."""
    dialogues = read_dialogues(locate(sources))
    described = json.loads((sources / "tft-benchmark" / "job_description.json").read_text(encoding="utf-8"))
    lengths = [len(one.messages) for one in get(1).conversations(dialogues, "tft")]
    return as_task(described), get(4).conversations(dialogues, "tft"), lengths


def of_folder(folder: Path, number: int) -> tuple[Task, list[Conversation], list[int]]:
    """Return a folder's task, so many of its clean traces, and the lengths of all."""
    described = json.loads((folder / "job_description.json").read_text(encoding="utf-8"))
    traces = [parse_row(row) for _, row in read_jsonl(folder / "clean.jsonl")]
    chosen = Random(0).sample(traces, min(number, len(traces)))
    return as_task(described), chosen, [len(trace.messages) for trace in traces]


def as_task(described: dict[str, object]) -> Task:
    tools = described["tools"]
    assert isinstance(tools, list)
    return Task(description=str(described["task_description"]), tools=tuple(tools))


if __name__ == "__main__":
    main()
