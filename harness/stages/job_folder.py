"""Traces of one's own on the Hub: a job folder as a dataset of traces and a test set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.curation.job_folder import JobFolder
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.published import read_test_conversations
from harness.data.tasks import CONVERSATIONS, PAIRS, TASK, write_examples
from harness.data.traces.read import read_traces
from harness.errors import DataError, UsageError
from harness.hub.artifact import FileInput
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import CONVERSATION, CardFrame, stage_card
from harness.stages._push import Published, publish
from harness.terminal import say

VERSION = 1
_TEMPLATE = "own.md.jinja"
_PLAIN = CONVERSATION[:3]
"""Id, source and messages."""


def push_test_set(job: JobFolder, hub: Hub, repo_id: str, *, force: bool = False) -> Published:
    """Push the job's test set with its task, or find it there. UsageError where the job has none."""
    test = job.test
    if test is None:
        raise UsageError(
            f"{job.folder} has no test.jsonl; models are compared on conversations that they were not trained on: put "
            "some aside, one a line, in the layout of the traces"
        )
    inputs = (str(FileInput.of(test)), job.task.source)
    lineage = Lineage(stage="collect", version=VERSION, config={"configs": ["conversations", "pairs"]}, inputs=inputs)

    def write(folder: Path) -> None:
        conversations = read_test_conversations(test)
        pairs = write_examples(folder, conversations)
        if not pairs:
            raise DataError(f"{test} has no turn of the assistant with a call, so there is nothing to score")
        shutil.copyfile(job.folder / TASK, folder / TASK)
        frame = CardFrame(
            title="Test set of one's own",
            repo_id=repo_id,
            license=None,
            rows=len(pairs),
            columns=_PLAIN,
            configs={"conversations": CONVERSATIONS, "pairs": PAIRS},
            lineage=lineage,
        )
        counts = {"conversations": len(conversations), "turn pairs": len(pairs)}
        card = stage_card(_TEMPLATE, frame, what="test set", counts=counts)
        (folder / "README.md").write_text(card, encoding="utf-8")

    return publish(hub, repo_id, lineage, write, force=force)


def push_traces(job: JobFolder, hub: Hub, repo_id: str, *, force: bool = False) -> Published:
    """Push the job's traces, or find them there. Rows that cannot be read are left out, and said."""
    lineage = Lineage(stage="corrupt", version=VERSION, config={"own": True}, inputs=(str(FileInput.of(job.traces)),))

    def write(folder: Path) -> None:
        problems: list[str] = []
        write_jsonl(folder / "data" / "train.jsonl", _rows(job, problems))
        kept = sum(1 for _ in (folder / "data" / "train.jsonl").open(encoding="utf-8"))
        if not kept:
            raise DataError(
                f"no row of {job.traces} can be read" + (f": {problems[0]}" if problems else "; it is empty")
            )
        if problems:
            say(f"{len(problems)} rows cannot be read and are left out, the first one: {problems[0]}")
        frame = CardFrame(
            title="Traces of one's own",
            repo_id=repo_id,
            license=None,
            rows=kept,
            columns=_PLAIN,
            configs={"default": "data/train.jsonl"},
            lineage=lineage,
        )
        counts = {"conversations": kept, "rows that could not be read": len(problems)}
        (folder / "README.md").write_text(stage_card(_TEMPLATE, frame, what="traces", counts=counts), encoding="utf-8")

    return publish(hub, repo_id, lineage, write, force=force)


def _rows(job: JobFolder, problems: list[str]) -> Iterator[dict[str, Any]]:
    for row in read_traces(job.traces, "trace"):
        if row.problem is None:
            yield dump_conversation(row.conversation)
        else:
            problems.append(row.problem)
