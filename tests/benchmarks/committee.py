"""How well a labeler of the committee repairs traces: names, service arguments and replies against the clean calls.

Needs the source files (TFT_SOURCES). Without a service, it uses both arms of the published scenario 2; otherwise the
same noise on each given SGD service, through the job folder that `tft task from-sgd` makes. `--traces 5` keeps the
first five.

    TFT_SOURCES=sources python tests/benchmarks/committee.py [--labeler state] [SERVICE...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.curation.repair.ground_truth import Truth, published_truth, read_truth
from harness.data.events import events
from harness.data.formats.task import read_task
from harness.data.pipeline_records import Labeler, Rewrite
from harness.data.records import Conversation, Task, ToolCall
from harness.data.scenarios import ARMS, noisy_labels
from harness.data.scenarios._base import read_dialogues
from harness.data.sources import Sources, locate
from harness.data.tools import Toolbox
from harness.data.traces.read import read_traces
from harness.errors import HarnessError

Case = tuple[str, Task, list[Conversation], list[Truth]]
COLUMNS = ("case", "traces", "names repaired", "names broken", "arguments", "of damaged", "silent", "replies kept", "s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("services", nargs="*", metavar="SERVICE")
    parser.add_argument("--labeler", choices=("state", "neighbour", "schema"), default="state")
    parser.add_argument("--traces", type=int, help="so many traces of each case")
    parser.add_argument("--scenario", default="noisy-labels", help="of the job folders")
    options = parser.parse_args()
    try:
        sources = locate()
        cases = services(sources, options.services, options.scenario) if options.services else published(sources)
        print("| " + " | ".join(COLUMNS) + " |\n|---" + "|---:" * (len(COLUMNS) - 1) + "|")
        for case in cases:
            name, task, raw, truths = case
            row = measure(name, task, raw[: options.traces], truths, options.labeler)
            print("| " + " | ".join(row) + " |", flush=True)
    except HarnessError as error:
        sys.exit(f"nothing measured: {error}")


def published(sources: Sources) -> Iterator[Case]:
    """Yield the arms of scenario 2."""
    task = read_task(sources.folder / "tft-benchmark" / "job_description.json")
    dialogues = read_dialogues(sources)
    for arm in ARMS:
        raw = noisy_labels.SCENARIO.conversations(dialogues, arm)
        yield f"scenario 2, {arm}", task, raw, list(published_truth(sources, 2, arm))


def services(sources: Sources, names: Sequence[str], scenario: str) -> Iterator[Case]:
    """Yield a scenario of each service's job folder."""
    from harness.data.sgd_task import write_job_folder

    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            write_job_folder(sources, name, Path(folder) / name)
            place = Path(folder) / name / "scenarios" / scenario
            truths = list(read_truth(place / "clean.jsonl"))
            raw = [row.conversation for row in read_traces(place / "traces.jsonl")]
            yield name, read_task(place / "job_description.json"), raw, truths


def measure(name: str, task: Task, raw: list[Conversation], truths: list[Truth], labeler: str) -> list[str]:
    """Return one row of the table."""
    toolbox = Toolbox(task.tools)
    rewrites: list[Rewrite] = []
    started = time.perf_counter()
    made(labeler, task).relabel(raw, rewrites.append)
    seconds = time.perf_counter() - started
    counts: Counter[str] = Counter()
    for conversation, truth, rewrite in zip(raw, truths, rewrites, strict=False):
        if not truth.belongs:
            continue
        calls = zip(turns(conversation, toolbox), turns(truth.conversation, toolbox), rewrite.calls, strict=True)
        for before, right, call in calls:
            count(counts, toolbox, before, right, call)
    return [
        name,
        str(len(raw)),
        share(counts, "repaired", "damaged"),
        share(counts, "broken", "clean"),
        share(counts, "exact", "services"),
        share(counts, "exact damaged", "damaged services"),
        share(counts, "silent", "all"),
        share(counts, "kept", "clean replies"),
        f"{seconds:.1f}",
    ]


def turns(conversation: Conversation, toolbox: Toolbox) -> list[ToolCall]:
    """Return what the assistant does, turn by turn."""
    return [event.call for event in events(conversation.messages, toolbox) if event.is_turn and event.call]


def count(counts: Counter[str], toolbox: Toolbox, before: ToolCall, right: ToolCall, call: ToolCall | None) -> None:
    """Count one turn: what the trace says, what is right, and what the labeler says."""
    damaged, service = before != right, right.name != toolbox.reply.tool
    named = call is not None and call.name == right.name
    counts["all"] += 1
    counts["silent"] += call is None
    counts["damaged" if damaged else "clean"] += 1
    counts["repaired"] += damaged and named
    counts["broken"] += not damaged and not named
    counts["services"] += service
    counts["exact"] += service and call == right
    counts["damaged services"] += service and damaged
    counts["exact damaged"] += service and damaged and call == right
    counts["clean replies"] += not service and not damaged
    counts["kept"] += not service and not damaged and call == right


def share(counts: Counter[str], part: str, whole: str) -> str:
    """Return a share of a count as a table cell."""
    return f"{counts[part] / counts[whole]:.2%} of {counts[whole]}" if counts[whole] else "none"


def made(name: str, task: Task) -> Labeler:
    """Return a labeler by name."""
    if name == "neighbour":
        from harness.rules.labeler.neighbour import NeighbourLabeler

        return NeighbourLabeler(task)
    if name == "schema":
        from harness.rules.labeler.schema import SchemaLabeler

        return SchemaLabeler(task)
    from harness.rules.labeler.state import StateLabeler

    return StateLabeler(task)


if __name__ == "__main__":
    main()
