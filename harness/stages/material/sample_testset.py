"""The sample task as a test-set repository, in the layout of the published test set."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from harness.data import tasks
from harness.data.formats.task import dump_task
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import EVALUATION
from harness.hub.artifact import README
from harness.reports.dataset_card import render, size_category
from harness.resources import folder as resource
from harness.statistics.formatting import most_common_first

REPOSITORY = "tft-sample-testset"


def write_test_set(folder: Path, n: int, seed: int = 0, *, repo_id: str = f"local/{REPOSITORY}") -> None:
    """Write `n` simulated conversations to `folder` as a dataset repository that `tft evaluate` takes.

    `repo_id` is the name that the card's example loads. Raises UsageError where `n` is not positive.
    """
    task = sample_task()
    conversations = sample_conversations(n, seed)
    task_file = json.dumps(dump_task(task), ensure_ascii=False, indent=2) + "\n"
    pairs = tasks.write_test_set(folder, conversations, task=task_file.encode(), evaluation=_evaluation())
    card = render(
        "sample/card.md.jinja",
        repo_id=repo_id,
        seed=seed,
        conversations=n,
        pairs=len(pairs),
        references=most_common_first(Counter(pair.reference.name for pair in pairs)),
        size=size_category(len(pairs)),
    )
    (folder / README).write_text(card, encoding="utf-8")


def _evaluation() -> str:
    """Return the benchmark's `eval.yaml` with the name and the description of the sample task."""
    text = (resource("datasets") / EVALUATION).read_text(encoding="utf-8")
    # Through JSON, so that what the file says once and refers to again is written out.
    evaluation: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(text)))
    evaluation["name"] = "TFT sample task"
    evaluation["description"] = (
        "Simulated conversations with a restaurant service: predict the one tool call of a turn."
    )
    dumped: str = yaml.safe_dump(evaluation, sort_keys=False, allow_unicode=True)
    return dumped
