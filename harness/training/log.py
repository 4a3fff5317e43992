"""The log of a training run: one line a step, written as it happens."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One optimizer step."""

    step: int
    epoch: float
    loss: float
    """Mean over the learned tokens of the step, or over its turns (`equal_turns`)."""
    learning_rate: float
    tokens_per_second: float
    """Tokens of all processes, prompts included, padding not."""
    memory_bytes: int
    """The most the main process has held so far: on its device with CUDA, else resident in main memory."""
    grad_norm: float | None
    """Before clipping."""


class Journal:
    """`log.jsonl`, append-only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: LogEntry) -> None:
        """Add a line; it is in the file when this returns."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(entry)) + "\n")

    def read(self) -> tuple[LogEntry, ...]:
        """Return all entries; DataError where a line but the last is damaged (a kill can cut the last one)."""
        if not self.path.is_file():
            return ()
        entries = []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines[:-1], start=1):
            try:
                entries.append(LogEntry(**json.loads(line)))
            except (ValueError, TypeError) as error:
                problem = "not an entry of a training log; restore the file, or train into another folder"
                raise DataError.at(self.path, number, problem) from error
        return tuple(entries)

    def keep_until(self, step: int) -> None:
        """Drop the entries after `step`: those steps are made again."""
        kept = [entry for entry in self.read() if entry.step <= step]
        partial = self.path.with_suffix(".partial")
        partial.write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in kept), encoding="utf-8")
        partial.replace(self.path)
