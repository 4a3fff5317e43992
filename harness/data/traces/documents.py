"""The records of a file in any format: JSON lines, a JSON array, one document, Parquet, a zip of JSON."""

from __future__ import annotations

import codecs
from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from harness.data.formats.json_texts import packed, parse_line
from harness.data.formats.jsonl import bounded_lines
from harness.data.formats.wrappers import is_message
from harness.data.traces.archive import archive_samples
from harness.data.traces.json_document import FileRecord, document
from harness.data.traces.parquet import parquet_rows
from harness.errors import DataError
from harness.hub.foreign_json import load_json, load_json_bytes

_FIRST = 1 << 20
"""Bytes of a first line that are looked at: an array may be one line of gigabytes."""


def records(path: Path, *, first: int = 0, wanted: Container[int] | None = None) -> Iterator[FileRecord]:
    """Yield the values of a file, one at a time: memory holds the largest one, not the file.

    Their places are counted from `first`; with `wanted` those at other places may be left out. A line of JSON lines
    that is not JSON is a record with a problem. Raises DataError for a file that cannot be opened, is damaged, or is
    neither JSON, Parquet nor an Inspect archive.
    """
    try:
        with path.open("rb", buffering=_FIRST) as stream:
            if _is_lines(path, stream):
                yield from _lines(path, stream, first, wanted)
            else:
                for at, record in enumerate(_by_content(path, stream), start=first):
                    yield replace(record, file=path, at=at)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _is_lines(path: Path, stream: IO[bytes]) -> bool:
    magic = stream.read(8)
    stream.seek(0)
    known = magic[:2] == b"PK" or magic[:4] == b"PAR1" or packed(magic)
    return not known and not _is_one_document(path, stream)


def _by_content(path: Path, stream: IO[bytes]) -> Iterator[FileRecord]:
    magic = stream.read(8)
    stream.seek(0)
    if magic[:2] == b"PK":
        yield from archive_samples(path)
    elif magic[:4] == b"PAR1":
        yield from parquet_rows(path)
    elif problem := packed(magic):
        raise DataError(f"cannot read {path}: {problem}")
    else:
        yield from document(path, stream)


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
