"""A job folder: the task, the traces, and where there are some a test set and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.curation.job_config import JobConfig, read_config
from harness.curation.settings import Topic
from harness.data.formats.task import read_task
from harness.data.tasks import TaskSource
from harness.data.traces.source import TRACE_FILES
from harness.errors import DataError
from harness.hub.artifact import FileInput

TASK, TEST = "job_description.json", "test.jsonl"
CONFIGS = ("config.yaml", "config.yml", "config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFolder:
    """What a user brings."""

    folder: Path
    task: TaskSource
    traces: Path
    test: Path | None
    config: JobConfig

    @classmethod
    def open(cls, folder: Path) -> JobFolder:
        """Return the job in `folder`; traces and test set are not read yet.

        Raises DataError where the task or the traces are missing, something is there twice, or cannot be understood.
        """
        if not folder.is_dir():
            raise DataError(f"{folder} is no folder; expected one with {TASK} and {TRACE_FILES[0]}")
        task = folder / TASK
        if not task.is_file():
            raise DataError(
                f"{folder} has no {TASK}; write one with task_description and tools (JSON-schema function definitions)"
            )
        traces = _one(folder, TRACE_FILES)
        if traces is None:
            raise DataError(
                f"{folder} has no traces; expected one of {', '.join(TRACE_FILES)}, one conversation a line"
            )
        config = _one(folder, CONFIGS)
        test = folder / TEST
        return cls(
            folder=folder,
            task=TaskSource(task=read_task(task), source=str(FileInput.of(task))),
            traces=traces,
            test=test if test.is_file() else None,
            config=read_config(config) if config else JobConfig(),
        )

    def settings(self, stage: str) -> Mapping[str, Any]:
        """Return what the configuration says of a stage (filter, relabel, synthesize, train) or of the `roles`."""
        return self.config.stages.get(stage, {})

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The mutation topics of the configuration; empty where it has none."""
        return self.config.topics


def _one(folder: Path, names: tuple[str, ...]) -> Path | None:
    found = [name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        raise DataError(f"{folder} has {' and '.join(found)}; keep the one that counts")
    return folder / found[0] if found else None
