"""Stage `job-traces`: the traces of a job folder, in whatever layout they are, as a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.curation.job_folder import JobFolder
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.traces.read import read_traces
from harness.errors import DataError
from harness.hub.artifact import README, FileInput
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import CONVERSATION, CardFrame, stage_card
from harness.stages._result import Place, StageResult, deliver, new_folder, reusable
from harness.terminal import say

STAGE = "job-traces"
VERSION = 2
"""Of version 1 the lineages name the stage `corrupt`."""


class JobTracesRequest(BaseModel):
    """Whose traces they are and where they go. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: Path
    """The job folder."""
    place: Place


def run(request: JobTracesRequest, hub: Hub) -> StageResult:
    """Write the job's traces, or find them on the Hub. Rows that cannot be read are left out, and said."""
    job = JobFolder.open(request.job)
    lineage = Lineage(stage=STAGE, version=VERSION, config={}, inputs=(str(FileInput.of(job.traces)),))
    if found := reusable(lineage, hub, request.place):
        return found
    with new_folder(lineage, request.place) as folder:
        counts = _write(job, folder / "data" / "train.jsonl")
        frame = CardFrame(
            title="Traces of one's own",
            repo_id=request.place.target or "",
            license=None,
            rows=counts["conversations"],
            columns=CONVERSATION[:3],
            configs={"default": "data/train.jsonl"},
            lineage=lineage,
        )
        card = stage_card("own.md.jinja", frame, what="traces", counts=counts)
        (folder / README).write_text(card, encoding="utf-8")
        return deliver(folder, lineage, hub, request.place, counts=counts)


def _write(job: JobFolder, path: Path) -> dict[str, int]:
    """Write the rows that can be read, and return the numbers of both kinds; DataError where none can."""
    problems: list[str] = []
    kept = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal kept
        for row in read_traces(job.traces, "trace"):
            if row.problem is None:
                kept += 1
                yield dump_conversation(row.conversation)
            else:
                problems.append(row.problem)

    write_jsonl(path, rows())
    if not kept:
        raise DataError(f"no row of {job.traces} can be read" + (f": {problems[0]}" if problems else "; it is empty"))
    if problems:
        say(f"{len(problems)} rows cannot be read and are left out, the first one: {problems[0]}")
    return {"conversations": kept, "rows that could not be read": len(problems)}
