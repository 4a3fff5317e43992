"""A test set on the Hub: its task, its conversations, and the turn pairs they expand to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError, UsageError
from harness.hub import Hub
from harness.records import Artifact, Conversation, Task, TurnPair
from harness.wire.jsonl import write_jsonl
from harness.wire.messages import dump_conversation, dump_pair, expand_pairs
from harness.wire.published import read_task, read_test_conversations

REPOSITORY = "tft-benchmark-testset"
CONVERSATIONS = "data/conversations/test.jsonl"
PAIRS = "data/pairs/test.jsonl"
TASK = "job_description.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """What a model is evaluated on."""

    __test__ = False  # its name looks like a test class to pytest

    artifact: Artifact
    task: Task
    pairs: tuple[TurnPair, ...]
    total: int
    """Pairs of the whole test set, of which `pairs` may be the first few."""


def write_examples(folder: Path, conversations: Sequence[Conversation]) -> list[TurnPair]:
    """Write both configurations of a test set, whole conversations and turn pairs, and return the pairs."""
    pairs = expand_pairs(conversations)
    write_jsonl(folder / CONVERSATIONS, map(dump_conversation, conversations))
    write_jsonl(folder / PAIRS, map(dump_pair, pairs))
    return pairs


def pull_test_set(hub: Hub, name: str, limit: int | None = None) -> TestSet:
    """Return the test set `owner/name[@revision]` at the commit it has now.

    `limit` keeps the first so many pairs. Raises HubError where it cannot be had, DataError where a row
    is malformed (with its line) or where the repository holds no test set.
    """
    repo_id, _, revision = name.partition("@")
    artifact = hub.resolve("dataset", repo_id, revision or None)
    folder = hub.pull(artifact, [CONVERSATIONS, TASK])
    for needed in (CONVERSATIONS, TASK):
        if not (folder / needed).is_file():
            raise DataError(
                f"dataset {artifact} is no test set of this harness: it has no {needed}; "
                "`tft data build --push` publishes one"
            )
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, got {limit}")
    try:
        pairs = expand_pairs(read_test_conversations(folder / CONVERSATIONS))
        task = read_task(folder / TASK)
    except DataError as error:  # its place on the Hub says more than the one in the cache
        problem = str(error).replace(f"{folder}/", "")
        raise DataError(f"dataset {artifact}: {problem}; correct it there and push it again") from error
    return TestSet(artifact=artifact, task=task, pairs=tuple(pairs[:limit]), total=len(pairs))
