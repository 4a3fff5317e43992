"""The sample task as a test-set repository, with a card of one line."""

from __future__ import annotations

import json
from pathlib import Path

from harness import resources
from harness.data import tasks
from harness.data.formats.task import dump_task
from harness.data.sample import sample_conversations, sample_task
from harness.hub.artifact import README


def write_test_set(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` simulated conversations to `folder` as a dataset repository that `tft evaluate` takes."""
    task = json.dumps(dump_task(sample_task()), ensure_ascii=False, indent=2) + "\n"
    evaluation = (resources.folder("datasets") / tasks.EVALUATION).read_text(encoding="utf-8")
    tasks.write_test_set(folder, sample_conversations(n, seed), task=task.encode(), evaluation=evaluation)
    (folder / README).write_text("---\nlicense: mit\n---\n\n# The sample task\n", encoding="utf-8")
