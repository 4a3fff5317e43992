"""Where a task comes from: a definition on this machine, a test set on the Hub, or a job folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.hub import Hub
from harness.records import Conversation, Task
from harness.testset import CONVERSATIONS, REPOSITORY, TASK
from harness.wire.published import read_task, read_test_conversations


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSource:
    """A task, and what it was read from, for the lineage: `repo@commit`, or `file@sha256:<hex>`."""

    task: Task
    source: str


def find_task(named: str | None, hub: Hub, namespace: Callable[[], str]) -> TaskSource:
    """Return the task of a file or of a dataset `owner/name[@revision]`, by default the namespace's test set.

    Raises DataError where there is none or it cannot be read, HubError where a repository cannot be had.
    """
    if named and Path(named).is_file():
        path = Path(named)
        return TaskSource(task=read_task(path), source=checksum(path))
    repo_id, _, revision = (named or f"{namespace()}/{REPOSITORY}").partition("@")
    artifact = hub.resolve("dataset", repo_id, revision or None)
    path = hub.pull(artifact, [TASK]) / TASK
    if not path.is_file():
        raise DataError(f"dataset {artifact} has no {TASK}; give a task definition with --task FILE")
    return TaskSource(task=read_task(path), source=f"{artifact.repo_id}@{artifact.revision}")


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
        return TestConversations(conversations=tuple(read_test_conversations(path)), source=checksum(path))
    repo_id, _, revision = named.partition("@")
    artifact = hub.resolve("dataset", repo_id, revision or None)
    file = hub.pull(artifact, [CONVERSATIONS]) / CONVERSATIONS
    if not file.is_file():
        raise DataError(f"dataset {artifact} has no {CONVERSATIONS}; give the test set with --test FILE")
    return TestConversations(
        conversations=tuple(read_test_conversations(file)), source=f"{artifact.repo_id}@{artifact.revision}"
    )


def has_test(named: str, hub: Hub) -> bool:
    """Return whether a dataset `owner/name[@revision]` holds a test set."""
    repo_id, _, revision = named.partition("@")
    return CONVERSATIONS in hub.files(hub.resolve("dataset", repo_id, revision or None))


def checksum(path: Path) -> str:
    """Return a file as an input of a lineage."""
    return f"{path.name}@sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
