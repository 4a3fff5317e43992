"""Where a task comes from (a file, a test set on the Hub, a job folder), and the layout of a test-set repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.data.approval import APPROVAL, ReviewCounts, approval_of
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import check_calls, expand_pairs, without_system
from harness.data.formats.published import read_test_conversations
from harness.data.formats.stage_rows import dump_dataset_row, dump_pair
from harness.data.formats.task import read_task, row_tools
from harness.data.records import Conversation, Task, TurnPair
from harness.data.traces.trace_input import CONVERSATIONS
from harness.errors import AccessDenied, DataError, RepoNotFound, UsageError
from harness.hub.artifact import Artifact, FileInput, dataset_name
from harness.hub.client import Hub
from harness.hub.foreign_json import load_json
from harness.hub.lineage import LINEAGE, find_record

REPOSITORY = "tft-benchmark-testset"
PAIRS = "data/pairs/test.jsonl"
TASK = "job_description.json"
SET_METRIC = "tool_call_set"
"""The metric for turns with several calls; all others are for turns with one."""
TEXT_TURNS = "text_turns"
"""Where an evaluation's configuration counts the assistant's turns that are text and no call."""
PARALLEL_TURNS = "parallel_turns"
"""Where it counts the turns that have several calls."""
TEST_SET_STAGES = ("collect", "job-test-set")
"""Stages that make test sets, as lineages name them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """What a model is evaluated on."""

    __test__ = False  # its name looks like a test class to pytest

    artifact: Artifact
    task: Task
    pairs: tuple[TurnPair, ...]
    total: int
    """Pairs of the whole test set, of which `pairs` may be the first few."""
    approval: ReviewCounts | None = None
    """How far people have approved it; None where its maker does not say."""
    replaced: int = 0
    """Conversations of `pairs` that had a system message of their own, in whose place the task's comes."""
    texts: int = 0
    """Turns of the assistant, in the whole test set, that are text and no call: there is nothing to score them by."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return what an evaluation records of it that decides about no answer."""
        approval = {APPROVAL: asdict(self.approval)} if self.approval else {}
        parallel = sum(bool(pair.further) for pair in self.pairs)
        counts = {TEXT_TURNS: self.texts, PARALLEL_TURNS: parallel}
        return approval | {name: count for name, count in counts.items() if count}


def text_turns(conversations: Iterable[Conversation]) -> int:
    """Return how many turns of the assistant are text and no call."""
    return sum(one.role == "assistant" and not one.tool_calls for each in conversations for one in each.messages)


def turn_notes(config: Mapping[str, Any]) -> list[str]:
    """Return the sentences about turns that not every metric scores, as an evaluation's configuration counts them."""
    notes = []
    if texts := config.get(TEXT_TURNS):
        one = texts == 1
        scored = "is text and no call, and was not scored" if one else "are text and no call, and were not scored"
        notes.append(f"{texts} turn{'' if one else 's'} of the assistant in the test set {scored}.")
    if parallel := config.get(PARALLEL_TURNS):
        has = "turn has several calls: it is" if parallel == 1 else "turns have several calls: they are"
        notes.append(f"{parallel} {has} scored by {SET_METRIC} alone, the other metrics are about turns with one call.")
    return notes


def pull_test_set(hub: Hub, name: str, limit: int | None = None) -> TestSet:
    """Return the test set `owner/name[@revision]` at the commit it has now.

    `limit` keeps only that many pairs from the start. System messages of the conversations are left out and counted:
    a model is shown the task's own. Raises HubError where it cannot be had, DataError where a row is malformed (with
    its line) or where the repository holds no test set.
    """
    artifact = hub.find(name, "dataset")
    folder = hub.pull(artifact, [CONVERSATIONS, TASK, LINEAGE])
    for needed in (CONVERSATIONS, TASK):
        if not (folder / needed).is_file():
            raise DataError(
                f"dataset {artifact} is not a test set of this harness: it has no {needed}; "
                "`tft data build --push` publishes one"
            )
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, got {limit}")
    try:
        conversations = read_test_conversations(folder / CONVERSATIONS)
        task = read_task(folder / TASK)
        check_calls(conversations, task)
        pairs = expand_pairs(conversations)
    except DataError as error:  # its place on the Hub says more than the one in the cache
        problem = str(error).replace(f"{folder}/", "")
        raise DataError(f"dataset {artifact}: {problem}; correct it there and push it again") from error
    asked = pairs[:limit]
    own = {pair.conversation for pair in asked if any(message.role == "system" for message in pair.prefix)}
    return TestSet(
        artifact=artifact,
        task=task,
        pairs=tuple(replace(pair, prefix=without_system(pair.prefix)) for pair in asked),
        total=len(pairs),
        approval=_approval(folder / LINEAGE, artifact),
        replaced=len(own),
        texts=text_turns(conversations),
    )


def pull_conversations(hub: Hub, artifact: Artifact) -> list[Conversation]:
    """Return the conversations of a test-set repository, under the ids that its pairs name."""
    return read_test_conversations(hub.pull(artifact, [CONVERSATIONS]) / CONVERSATIONS)


def _approval(path: Path, artifact: Artifact) -> ReviewCounts | None:
    made = find_record(path.read_bytes(), f"{LINEAGE} of {artifact}") if path.is_file() else None
    return approval_of(made.lineage.config) if made else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSource:
    """A task, and the input that it was read from, as a lineage names it."""

    task: Task
    source: str


def find_task(named: str | None, hub: Hub, namespace: Callable[[], str]) -> TaskSource:
    """Return the task of a file or of a dataset `owner/name[@revision]`, by default the namespace's test set.

    Raises DataError where there is none or it cannot be read, HubError where a repository cannot be had.
    """
    if named and Path(named).is_file():
        path = Path(named)
        return TaskSource(task=read_task(path), source=str(FileInput.of(path)))
    try:
        artifact = hub.find(dataset_name(named) if named else f"{namespace()}/{REPOSITORY}", "dataset")
    except (AccessDenied, RepoNotFound) as error:
        if named:
            raise
        raise no_task(error) from error
    path = hub.pull(artifact, [TASK]) / TASK
    if not path.is_file():
        raise DataError(f"dataset {artifact} has no {TASK}; give a task definition with --task FILE")
    return TaskSource(task=read_task(path), source=str(artifact))


def no_task(error: Exception) -> UsageError:
    """Return what to say where no task was named, and the namespace's test set cannot be taken for `error`."""
    advice = f"name the task with --task: its {TASK}, or a test set owner/name"
    return UsageError(f"{advice}; without it the test set of your namespace is taken, and {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestConversations:
    """A test set that nothing trained on may contain, and what it was read from."""

    __test__ = False  # its name looks like a test class to pytest

    conversations: tuple[Conversation, ...]
    source: str


def find_test(named: str, hub: Hub) -> TestConversations:
    """Return the test conversations of a file in any known layout, or of a dataset `owner/name[@revision]`."""
    path = Path(named)
    if path.is_file():
        return TestConversations(conversations=tuple(read_test_conversations(path)), source=str(FileInput.of(path)))
    artifact = hub.find(dataset_name(named), "dataset")
    file = hub.pull(artifact, [CONVERSATIONS]) / CONVERSATIONS
    if not file.is_file():
        raise DataError(f"dataset {artifact} has no {CONVERSATIONS}; give the test set with --test FILE")
    return TestConversations(conversations=tuple(read_test_conversations(file)), source=str(artifact))


def has_test(named: str, hub: Hub) -> bool:
    """Return whether a dataset `owner/name[@revision]` holds a test set."""
    return CONVERSATIONS in hub.files(hub.find(named, "dataset"))


EVALUATION = "eval.yaml"


def write_test_set(
    folder: Path, conversations: Sequence[Conversation], *, task: bytes, evaluation: str | None = None
) -> list[TurnPair]:
    """Write a test set without its card: both configurations, the task, how it is scored; return the turn pairs.

    `task` is the text of a job description.
    """
    pairs, tools = expand_pairs(conversations), row_tools(load_json(task.decode("utf-8")))
    write_jsonl(folder / CONVERSATIONS, (dump_dataset_row(one, tools) for one in conversations))
    write_jsonl(folder / PAIRS, map(dump_pair, pairs))
    (folder / TASK).write_bytes(task)
    if evaluation is not None:
        (folder / EVALUATION).write_text(evaluation, encoding="utf-8")
    return pairs
