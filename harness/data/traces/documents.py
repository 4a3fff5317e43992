"""The records of a file in any format: JSON lines, a JSON array, one document, Parquet, a zip of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.data.formats.json_texts import packed, parse_line
from harness.data.formats.jsonl import bounded_lines
from harness.data.formats.wrappers import is_message
from harness.data.traces.archive import archive_samples
from harness.data.traces.json_document import FileRecord, document
from harness.data.traces.parquet import parquet_rows
from harness.errors import DataError
from harness.hub.foreign_json import load_json

_FIRST = 1 << 20
"""Bytes of a first line that are looked at: an array may be one line of gigabytes."""


def records(path: Path) -> Iterator[FileRecord]:
    """Yield the values of a file, one at a time: memory holds the largest one, not the file.

    A line of JSON lines that is not JSON is a record with a problem. Raises DataError for a file that cannot be opened,
    is damaged, or is neither JSON, Parquet nor an Inspect archive.
    """
    try:
        with path.open("rb") as stream:
            yield from _by_content(path, stream)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _by_content(path: Path, stream: IO[bytes]) -> Iterator[FileRecord]:
    magic = stream.read(8)
    stream.seek(0)
    if magic[:2] == b"PK":
        yield from archive_samples(path)
    elif magic[:4] == b"PAR1":
        yield from parquet_rows(path)
    elif problem := packed(magic):
        raise DataError(f"cannot read {path}: {problem}")
    elif _is_one_document(path, stream):
        yield from document(path, stream)
    else:
        yield from _lines(stream)


def _is_one_document(path: Path, stream: IO[bytes]) -> bool:
    """Return whether the file is one JSON value over several lines, or an array of records; reads the first line."""
    line = stream.readline(_FIRST)
    while line and not line.strip():
        line = stream.readline(_FIRST)
    stream.seek(0)
    first = line.removeprefix(b"\xef\xbb\xbf").strip()
    if first[:1] not in (b"[", b"{"):
        return False
    if first in (b"[", b"{"):
        return True
    try:
        value = load_json(first.decode("utf-8"))
    except ValueError:
        return first[:1] == b"[" or path.suffix == ".json"
    return isinstance(value, list) and not is_message(value[0] if value else None)


def _lines(stream: IO[bytes]) -> Iterator[FileRecord]:
    """Yield one record per line. Lines end at `\\n` only: U+2028 and its like are text."""
    for number, line in bounded_lines(stream):
        if line is not None and not line.removeprefix(b"\xef\xbb\xbf").strip():
            continue
        try:
            value, problem = parse_line(line), None
        except ValueError as error:
            value, problem = None, str(error)
        yield FileRecord(line=number, value=value, problem=problem)
