"""Rows of a Parquet file, read by a process of its own under limits: a few bytes of it can stand for gigabytes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from harness.data.formats.json_texts import parse_line
from harness.data.formats.jsonl import bounded_lines
from harness.data.traces.archive import allowance
from harness.data.traces.json_document import FileRecord
from harness.errors import DataError
from harness.hub.foreign_json import LARGEST

_READER = "harness.data.traces.parquet_reader"


def parquet_rows(path: Path, *, shown: Path | None = None) -> Iterator[FileRecord]:
    """Yield the rows of a Parquet file as JSON has them: times and bytes are texts. Messages call it `shown`.

    Raises DataError for a file that is damaged, or that unfolds to far more than an honest one.
    """
    allowed = left = allowance(path)
    command = [sys.executable, "-P", "-m", _READER, str(path.resolve())]
    path = shown or path
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet) as reader:
        try:
            for number, line in bounded_lines(cast("IO[bytes]", reader.stdout)):
                left -= LARGEST if line is None else len(line)
                if left < 0:
                    raise _damaged(path, f"it unfolds to more than {allowed >> 20} MiB at row {number}")
                yield _record(path, number, line)
        except BaseException:  # the reader wants no more rows
            reader.kill()
            raise
    if reader.returncode:
        raise _damaged(path, _why(reader.returncode))


def _record(path: Path, number: int, line: bytes | None) -> FileRecord:
    """Return the row of a line; DataError where the line says what is wrong with the file."""
    try:
        value = parse_line(line)
    except ValueError as error:
        return FileRecord(line=number, value=None, problem=str(error))
    if isinstance(value, str):
        raise _damaged(path, value)
    return FileRecord(line=number, value=value)


def _damaged(path: Path, problem: str) -> DataError:
    return DataError(f"{path} is damaged ({problem}); write the Parquet file again")


def _why(status: int) -> str:
    """Return why the process ended without a word."""
    if status == -getattr(signal, "SIGXCPU", 0):
        return "it takes longer to unpack than any honest file of its size"
    return "its reader came to an end in the middle of it" if status < 0 else "it cannot be read"
