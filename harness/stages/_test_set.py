"""The layout of a test-set repository, which `tft evaluate` reads: written here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation, dump_pair, expand_pairs
from harness.data.records import Conversation, TurnPair
from harness.data.tasks import CONVERSATIONS, PAIRS, TASK

EVALUATION = "eval.yaml"


def write_test_set(
    folder: Path, conversations: Sequence[Conversation], *, task: bytes, evaluation: str | None = None
) -> list[TurnPair]:
    """Write a test set without its card: both configurations, the task, how it is scored; return the turn pairs."""
    pairs = expand_pairs(conversations)
    write_jsonl(folder / CONVERSATIONS, map(dump_conversation, conversations))
    write_jsonl(folder / PAIRS, map(dump_pair, pairs))
    (folder / TASK).write_bytes(task)
    if evaluation is not None:
        (folder / EVALUATION).write_text(evaluation, encoding="utf-8")
    return pairs
