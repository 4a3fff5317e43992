"""The log of a run's answers: append-only, resumable after any interruption."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.data.formats.strict_records import load_record
from harness.data.locks import lock_file
from harness.data.records import AnswerKey, Prediction, Thought, Usage
from harness.errors import DataError, UsageError
from harness.hub.foreign_json import load_json
from harness.hub.push_checks import without_local_folders
from harness.models.backends._base import NOT_ASKED
from harness.models.chat.completions import is_count
from harness.secrets import known
from harness.terminal import one_line

_SELDOM = ("kept", "sample", "thought")
"""Written only where there is something."""


class AnswerLog:
    """One line per answer, written as it arrives; a line that a kill cut off is dropped on opening."""

    def __init__(self, path: Path) -> None:
        """Open or create the log, for one process at a time.

        Raises UsageError where another process has it open, DataError where a line is damaged.
        """
        self.path = path
        self.answers: dict[AnswerKey, Prediction] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: one write call per line, so that a kill loses at most the line it falls into.
        file = lock_file(path)
        if file is None:
            raise UsageError(f"another process writes to {path}; wait for it, or give another --out")
        self._file = file
        try:
            self._load()
        except BaseException:
            self._file.close()
            raise

    def _load(self) -> None:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self.path, whole)
        for number, line in enumerate(data[:whole].split(b"\n")[:-1], start=1):
            try:
                answer = _parse(load_json(line.decode("utf-8")))
            except (ValueError, TypeError) as error:
                raise DataError.at(
                    self.path, number, f"damaged answer ({error}); remove the line and resume"
                ) from error
            self.answers[answer.key] = answer

    def missing(self, keys: Iterable[AnswerKey]) -> list[AnswerKey]:
        """Return those still to ask: without an answer, or with an error that a retry may fix."""
        return [key for key in keys if key not in self.answers or _may_pass(self.answers[key])]

    def append(self, answer: Prediction) -> None:
        """Add one answer to the file and to memory."""
        answer = writable(answer)  # raw texts of engines and files are not masked yet
        row = asdict(answer)
        row = {key: value for key, value in row.items() if key not in _SELDOM or value}
        line = (json.dumps(row) + "\n").encode("ascii")
        try:
            written = self._file.write(line)
        except OSError as error:
            error.filename = str(self.path)
            raise
        if written != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self.answers[answer.key] = answer

    def close(self) -> None:
        """Make the log durable and close it."""
        os.fsync(self._file.fileno())
        self._file.close()


def _may_pass(answer: Prediction) -> bool:
    # A model that ended its turn while it thought would do so again.
    return answer.error is not None and answer.finish_reason != NOT_ASKED and answer.thought is None


def _parse(row: Any) -> Prediction:
    """Return the answer of a line; ValueError or TypeError where it holds none."""
    if not isinstance(row, dict) or not isinstance(row.get("pair_id"), str):
        raise ValueError("no answer of a pair")
    if not is_count(row.get("sample", 0)):
        raise ValueError("the number of the sample is none")
    usage, raw, reason = row.pop("usage", None), row.pop("raw", None), row.pop("finish_reason", None)
    thought = row.pop("thought", None)
    thought = None if thought is None else load_record(Thought, thought, "thought")
    answer = Prediction(usage=_usage(usage), raw=None, thought=thought, **row)
    if not (raw is None or isinstance(raw, str)):  # as earlier versions kept an endpoint's list of parts
        return replace(answer, error=answer.error or "the answer was kept in a form that is no text")
    return writable(replace(answer, raw=raw, finish_reason=reason if isinstance(reason, str) else None))


def _usage(counts: Any) -> Usage | None:
    """Return the token counts of an answer, None for impossible ones, which earlier versions kept."""
    found = Usage(**counts) if isinstance(counts, dict) and counts else None
    numbers = (found.prompt, found.completion, found.cached or 0) if found else ()
    return found if all(map(is_count, numbers)) else None


def writable(answer: Prediction) -> Prediction:
    """Return the answer as it is scored and written: a lone surrogate becomes U+FFFD, secrets are masked."""
    raw, reason, error = (
        one if one is None else known().mask_value(encodable(one))
        for one in (answer.raw, answer.finish_reason, answer.error)
    )
    thought = answer.thought and replace(answer.thought, text=known().mask_value(encodable(answer.thought.text)))
    error = error and without_local_folders(one_line(error))
    return replace(answer, raw=raw, finish_reason=reason, error=error, thought=thought)
