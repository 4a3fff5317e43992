"""Stage `job-traces`: the traces of a job folder, in any known layout, as a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.curation.job_folder import JobFolder
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.reading_notes import in_words
from harness.data.formats.stage_rows import dump_dataset_row
from harness.data.formats.strict_records import FrozenModel
from harness.data.traces.read import read_traces
from harness.data.traces.trace_input import TRAIN
from harness.errors import DataError
from harness.hub.artifact import FileInput
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import TRACES, CardFrame, write_stage_card
from harness.stages._result import OutputTarget, StageResult, produce
from harness.terminal import say

STAGE = "job-traces"
VERSION = 3
"""Of version 1 the lineages name the stage `corrupt`."""


class JobTracesRequest(FrozenModel):
    """Whose traces they are and where they go."""

    job: Path
    """The job folder."""
    place: OutputTarget


def run(request: JobTracesRequest, hub: Hub) -> StageResult:
    """Write the job's traces, or find them on the Hub. Rows that cannot be read are left out, and said."""
    job = JobFolder.open(request.job)
    lineage = Lineage(stage=STAGE, version=VERSION, config={}, inputs=(str(FileInput.of(job.traces)), job.task.source))

    def write(folder: Path) -> dict[str, int]:
        counts = _write_rows(job, folder / TRAIN)
        frame = CardFrame(
            title="Traces of one's own",
            repo_id=request.place.target or "",
            rows=counts["conversations"],
            columns=TRACES,
            lineage=lineage,
        )
        write_stage_card(folder, "own.md.jinja", frame, what="traces", counts=counts)
        return counts

    return produce(lineage, hub, request.place, write)


def _write_rows(job: JobFolder, path: Path) -> dict[str, int]:
    """Write the rows that can be read, and return the numbers of both kinds and of what was changed in reading them.

    DataError where none can be read.
    """
    problems: list[str] = []
    notes: Counter[str] = Counter()
    kept = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal kept
        for row in read_traces(job.traces, "trace", parallel=job.task.task.parallel_tool_calls):
            if row.problem is None:
                kept += 1
                notes.update(in_words(row.findings))
                yield dump_dataset_row(row.conversation, job.task.task.tools)
            else:
                problems.append(row.problem)

    write_jsonl(path, rows())
    if not kept:
        raise DataError(f"no row of {job.traces} can be read" + (f": {problems[0]}" if problems else "; it is empty"))
    if problems:
        say(f"{len(problems)} rows cannot be read and are left out, the first one: {problems[0]}")
    for note, number in notes.items():
        say(f"{note}: {number}")
    return {"conversations": kept, "rows that could not be read": len(problems), **notes}
