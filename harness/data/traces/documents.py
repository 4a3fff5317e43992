"""The records of a file in any format: JSON lines, a JSON array, one document, Parquet, a zip of JSON."""

from __future__ import annotations

import codecs
import io
import shutil
import tempfile
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from harness.data.formats.framework_messages import is_message
from harness.data.formats.json_texts import parse_line
from harness.data.formats.jsonl import bounded_lines
from harness.data.traces.archive import archive_samples
from harness.data.traces.export_files import ExportFile, opened, refuse
from harness.data.traces.json_document import FileRecord, document
from harness.data.traces.parquet import parquet_rows
from harness.errors import DataError
from harness.hub.foreign_json import load_json, load_json_bytes

_HEAD = 1 << 16
_FIRST = 1 << 20
"""Bytes of a first line that are looked at: an array may be one line of gigabytes."""


def records(file: ExportFile | Path, *, first: int = 0, wanted: Container[int] | None = None) -> Iterator[FileRecord]:
    """Yield the values of a file, one at a time: memory holds the largest one, not the file.

    Their places are counted from `first`; with `wanted` those at other places may be left out. A line of JSON lines
    that is not JSON is a record with a problem. Raises DataError for a file that cannot be opened, is damaged, or is
    neither JSON, Parquet nor an Inspect archive.
    """
    file = ExportFile(path=file) if isinstance(file, Path) else file
    try:
        with opened(file) as stream:
            magic = stream.read(_HEAD)
        is_packed = magic[:2] == b"PK" or magic[:4] == b"PAR1"
        if not is_packed:
            refuse(file, magic)
        with opened(file) as stream:
            one = not is_packed and _is_one_document(file.shown, stream)
        with opened(file) as stream:
            if not is_packed and not one:
                yield from _lines(file.shown, stream, first, wanted)
                return
            found = document(file.shown, stream) if one else _packed_rows(file, stream, magic)
            for at, record in enumerate(found, start=first):
                yield replace(record, file=file.shown, at=at)
    except OSError as error:
        raise DataError(f"cannot read {file.shown}: {error.strerror or error}") from error


def _packed_rows(file: ExportFile, stream: IO[bytes], magic: bytes) -> Iterator[FileRecord]:
    """Yield the rows of a Parquet file, also of one in a zip file, or the samples of an Inspect log."""
    if magic[:2] == b"PK":
        yield from archive_samples(file.path)
    elif isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO):
        yield from parquet_rows(file.path)
    else:
        with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
            shutil.copyfileobj(stream, copy)
            copy.flush()
            yield from parquet_rows(Path(copy.name), shown=file.shown)


def _is_one_document(path: Path, stream: IO[bytes]) -> bool:
    """Return whether the file is one JSON value over several lines, or an array of records; reads the first line."""
    line = stream.readline(_FIRST)
    while line and not line.strip():
        line = stream.readline(_FIRST)
    first = line.removeprefix(codecs.BOM_UTF8).strip()
    if first[:1] not in (b"[", b"{"):
        return False
    if first in (b"[", b"{"):
        return True
    try:
        value = load_json(first.decode("utf-8"))
    except ValueError:
        return first[:1] == b"[" or ".json" in path.suffixes
    return isinstance(value, list) and not is_message(value[0] if value else None)


def _lines(path: Path, stream: IO[bytes], first: int, wanted: Container[int] | None) -> Iterator[FileRecord]:
    """Yield one record per line. Lines end at `\\n` only: U+2028 and its like are text."""
    at = first - 1
    for number, line in bounded_lines(stream):
        if line is not None and (line.isspace() or (number == 1 and line.strip() == codecs.BOM_UTF8)):
            continue
        at += 1
        if wanted is not None and at not in wanted:
            continue
        problem = None
        try:
            value = _value(line)
        except ValueError as error:
            value, problem = None, str(error)
        yield FileRecord(line=number, value=value, problem=problem, file=path, at=at)


def _value(line: bytes | None) -> Any:
    """Return the value of a line; ValueError says what is wrong with it."""
    if line is not None:
        with suppress(ValueError):
            return load_json_bytes(line)
    return parse_line(line)
