"""Stage `job-test-set`: the test conversations of a job folder as a test-set repository."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harness.curation.job_folder import JobFolder
from harness.data.formats.published import read_test_conversations
from harness.data.tasks import CONVERSATIONS, PAIRS, TASK
from harness.errors import DataError, UsageError
from harness.hub.artifact import README, FileInput
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import CONVERSATION, CardFrame, stage_card
from harness.stages._result import Place, StageResult, deliver, new_folder, reusable
from harness.stages._test_set import write_test_set

STAGE = "job-test-set"
VERSION = 2
"""Of version 1 the lineages name the stage `collect`."""


class JobTestSetRequest(BaseModel):
    """Whose test set it is and where it goes. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: Path
    """The job folder."""
    place: Place


def run(request: JobTestSetRequest, hub: Hub) -> StageResult:
    """Write the job's test set with its task, or find it on the Hub. UsageError where the job has none."""
    job = JobFolder.open(request.job)
    if job.test is None:
        raise UsageError(
            f"{job.folder} has no test.jsonl; models are compared on conversations that they were not trained on: put "
            "some aside, one a line, in the layout of the traces"
        )
    inputs = (str(FileInput.of(job.test)), job.task.source)
    lineage = Lineage(stage=STAGE, version=VERSION, config={"configs": ["conversations", "pairs"]}, inputs=inputs)
    if found := reusable(lineage, hub, request.place):
        return found
    with new_folder(lineage, request.place) as folder:
        conversations = read_test_conversations(job.test)
        pairs = write_test_set(folder, conversations, task=(job.folder / TASK).read_bytes())
        if not pairs:
            raise DataError(f"{job.test} has no turn of the assistant with a call, so there is nothing to score")
        frame = CardFrame(
            title="Test set of one's own",
            repo_id=request.place.target or "",
            license=None,
            rows=len(pairs),
            columns=CONVERSATION[:3],
            configs={"conversations": CONVERSATIONS, "pairs": PAIRS},
            lineage=lineage,
        )
        counts = {"conversations": len(conversations), "turn pairs": len(pairs)}
        card = stage_card("own.md.jinja", frame, what="test set", counts=counts)
        (folder / README).write_text(card, encoding="utf-8")
        return deliver(folder, lineage, hub, request.place, counts=counts)
