"""Stage `job-test-set`: the test conversations of a job folder as a test-set repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness.curation.job_folder import JobFolder
from harness.curation.job_init.logged_test import logged_test
from harness.curation.job_init.review import LOGGED as LOGGED_FILE
from harness.curation.job_init.review import TODO, read_review
from harness.data.approval import APPROVAL
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import check_calls, dump_conversation
from harness.data.formats.published import read_test_conversations
from harness.data.formats.strict_records import FrozenModel
from harness.data.logged import LOGGED, SEEN
from harness.data.records import Conversation
from harness.data.tasks import PAIRS, TASK, text_turns, write_test_set
from harness.data.traces.trace_input import CONVERSATIONS
from harness.errors import DataError, UsageError
from harness.hub.artifact import FileInput
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import PAIR, TRACES, CardFrame, write_stage_card
from harness.stages._result import OutputTarget, StageResult, produce

STAGE = "job-test-set"
VERSION = 3
"""Of version 1 the lineages name the stage `collect`."""


class JobTestSetRequest(FrozenModel):
    """Whose test set it is and where it goes."""

    job: Path
    """The job folder."""
    place: OutputTarget


def run(request: JobTestSetRequest, hub: Hub) -> StageResult:
    """Write the job's test set with its task, or find it on the Hub; dropped conversations are left out.

    UsageError where the job has none, DataError where all are dropped.
    """
    job = JobFolder.open(request.job)
    test = job.test
    if test is None:
        raise UsageError(
            f"{job.folder} has no test.jsonl; models are compared on conversations that they were not trained on: put "
            "some aside, one per line, in the layout of the traces"
        )
    logged = job.folder / LOGGED_FILE
    inputs = (str(FileInput.of(test)), job.task.source, *((str(FileInput.of(logged)),) if logged.is_file() else ()))
    review = read_review(job.folder) if (job.folder / TODO).is_file() else None
    decided = {APPROVAL: asdict(review.counts), "decisions": review.digest} if review else {}
    config = {"configs": ["conversations", "pairs"], **decided}
    lineage = Lineage(stage=STAGE, version=VERSION, config=config, inputs=inputs)

    def write(folder: Path) -> dict[str, int]:
        dropped = review.dropped if review else frozenset()
        conversations = [one for one in read_test_conversations(test) if one.id not in dropped]
        check_calls(conversations, job.task.task)
        if not conversations:
            raise DataError(f"all conversations of {test} are dropped; accept some in {job.folder / TODO}")
        if (found := logged_test(job.folder, conversations)) is not None:
            _write_logged(folder, found)
        pairs = write_test_set(folder, conversations, task=(job.folder / TASK).read_bytes())
        if not pairs:
            raise DataError(f"{test} has no turn of the assistant with a call, so there is nothing to score")
        frame = CardFrame(
            title="Test set of one's own",
            repo_id=request.place.target or "",
            rows=len(pairs),
            columns=TRACES,
            configs={"conversations": CONVERSATIONS, "pairs": PAIRS},
            other_columns={"pairs": PAIR},
            lineage=lineage,
        )
        counts = {"conversations": len(conversations), "turn pairs": len(pairs)}
        if texts := text_turns(conversations):
            counts["turns that are text and not scored"] = texts
        approval = review.counts.sentence if review else None
        write_stage_card(folder, "own.md.jinja", frame, what="test set", counts=counts, approval=approval)
        return counts

    return produce(lineage, hub, request.place, write)


def _write_logged(folder: Path, logged: Sequence[Conversation | None]) -> None:
    """Write the conversations as they were logged, in the order of the test set."""
    nothing = {"id": "", "source": "", "messages": [], SEEN: False}
    write_jsonl(folder / LOGGED, ({**dump_conversation(one), SEEN: True} if one else nothing for one in logged))
