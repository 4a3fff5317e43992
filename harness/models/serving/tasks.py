"""The task that a model is served for: the one that is named, or the one that its lineage says it was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.data.tasks import TestSet, find_task, has_test, pull_test_set
from harness.errors import AccessDenied, DataError, RepoNotFound
from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import read_lineage
from harness.models.serving.rendering import ServedTask
from harness.models.serving.service import TaskKnown
from harness.terminal import say

NO_TASK = "none"
"""What `--task` says where each request is to bring its tools and its system message."""
_TRAINED = "train"
"""The stage whose last input is the task."""


def served_task(named: str | None, models: Iterable[Artifact], hub: Hub) -> tuple[TestSet | None, TaskKnown | None]:
    """Return the task that was named, with its test set where it has one; by default that of the models' lineage.

    What was found in a lineage, and why it cannot be used, is said. Raises HubError or DataError where the named one
    cannot be had.
    """
    if named is None and (named := _trained_on(tuple(models), hub)) is None:
        return None, None
    if named == NO_TASK:
        return None, None
    if not Path(named).is_file() and has_test(named, hub):
        test_set = pull_test_set(hub, named)
        return test_set, TaskKnown.of(ServedTask.of(test_set.task, own_system=True, pairs=test_set.pairs))
    task = find_task(named, hub, lambda: hub.namespace(None)).task
    return None, TaskKnown.of(ServedTask.of(task, own_system=True))


def _trained_on(models: tuple[Artifact, ...], hub: Hub) -> str | None:
    """Return the repository of the task that all of these models were trained on which say so."""
    found = {model: task for model in models if (task := _task_input(model, hub)) is not None}
    if not found:
        return None
    advice = "requests have to bring their tools and system message; name the task with --task"
    tasks = sorted({*found.values()})
    if len(tasks) > 1:
        say(f"the models were trained on different tasks ({', '.join(tasks)}): {advice}")
        return None
    [task] = tasks
    trained = ", ".join(model.repo_id for model in found)
    artifact = parse_input(task)
    if not isinstance(artifact, Artifact):
        say(f"{trained} was trained on the task of {task}, which is on no Hub: {advice}")
        return None
    try:
        hub.find(task, "dataset")
    except (AccessDenied, RepoNotFound) as error:
        say(f"{trained} was trained on the task of {task}, and {error}: {advice}")
        return None
    say(f"the task is that of {task}, on which {trained} was trained; --task names another, or {NO_TASK}")
    return task


def _task_input(model: Artifact, hub: Hub) -> str | None:
    try:
        record = read_lineage(hub, model)
    except DataError as error:  # the model can be served all the same
        say(f"what {model.repo_id} was trained on is not known: {error}")
        return None
    if record is None or record.lineage.stage != _TRAINED or not record.lineage.inputs:
        return None
    return record.lineage.inputs[-1]
