"""The log of a training run, one line per step; the logs of the training libraries are kept off the terminal."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.data.formats.jsonl import write_jsonl
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
    tokens: int | None = None
    """Tokens of the step, as in `tokens_per_second`; None in logs of earlier versions."""
    computed: int | None = None
    """Those that the model computed: with padding, and what a batch shares once."""
    batch_size: int | None = None
    """Most examples per forward pass, where memory decides (batch_size=auto)."""


class TrainingLog:
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
        write_jsonl(self.path, [asdict(entry) for entry in self.read() if entry.step <= step])


def describe_batches(log: Sequence[LogEntry]) -> str | None:
    """Return how many examples went into a forward pass, and from which step on; None where that was a setting."""
    changes = [
        (entry.step, entry.batch_size)
        for before, entry in zip((None, *log), log, strict=False)
        if before is None or entry.batch_size != before.batch_size
    ]
    if not any(size for _, size in changes):
        return None
    first = changes[0][1]
    begun = "as set" if first is None else f"at most {first}, chosen to fit the memory"
    return begun + "".join(f", {size or 'as set'} from step {step} on" for step, size in changes[1:])


_LOUD = ("transformers", "trl", "peft", "accelerate")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Show only errors of the libraries, and none of their progress bars."""
    from transformers.utils import logging as transformers_logging

    levels = {name: logging.getLogger(name).level for name in _LOUD}
    bars = transformers_logging.is_progress_bar_enabled()
    try:
        for name in _LOUD:
            logging.getLogger(name).setLevel(logging.ERROR)
        transformers_logging.disable_progress_bar()
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()
