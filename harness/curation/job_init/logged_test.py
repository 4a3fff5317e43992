"""The test conversations of a job as they were logged, where a person has looked at what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.curation.job_folder import TEST
from harness.curation.job_init.review import LOGGED, TODO, read_review
from harness.data.formats.published import read_test_conversations
from harness.data.records import Conversation
from harness.errors import DataError


def used_conversations(job: Path) -> list[Conversation]:
    """Return the test conversations of a job folder but for those that were dropped; none without a test set."""
    if not (job / TEST).is_file():
        return []
    dropped = read_review(job).dropped if (job / TODO).is_file() else frozenset()
    return [one for one in read_test_conversations(job / TEST) if one.id not in dropped]


def logged_test(job: Path, conversations: Sequence[Conversation]) -> list[Conversation | None] | None:
    """Return what was logged of each of the job's test `conversations`; None where the job does not have it.

    A conversation that nobody has looked at is None too: that it equals its log says nothing about the log. Without a
    test.todo.md all count as looked at. Raises DataError where one of the conversations is not in the log.
    """
    path = job / LOGGED
    if not path.is_file():
        return None
    logged = {one.id: one for one in read_test_conversations(path)}
    if lost := [one.id for one in conversations if one.id not in logged]:
        raise DataError(
            f"{path} has no conversation {lost[0]}, expected each of test.jsonl as it was logged; restore it, or "
            "remove the file and go without a score of the model that wrote the traces"
        )
    decisions = read_review(job).decisions if (job / TODO).is_file() else ()
    unseen = {decision.id for decision in decisions if decision.by != "a person"}
    return [None if one.id in unseen else logged[one.id] for one in conversations]
