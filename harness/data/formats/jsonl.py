"""JSON lines files: one JSON object per line, UTF-8, `\\n` line ends."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from harness.data.atomic_files import atomic_file
from harness.data.formats.json_texts import encodable_value, packed, parse_line, spells_half_characters
from harness.errors import DataError
from harness.hub.foreign_json import LARGEST
from harness.secrets import Secrets, known

_MOST_PASSED = 4 * LARGEST
"""Bytes of a line that are read to find its end."""
_ADVICE = "expected one JSON object per line, or a file in smaller parts"


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each non-blank line.

    Lines end at `\\n` only: U+2028 and its like are text. Half a character (a lone surrogate) becomes U+FFFD, since no
    file can be written with it. Raises DataError with file and line.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    with stream:
        if problem := packed(stream.peek(8)):
            raise DataError(f"cannot read {path}: {problem}")
        for number, line in bounded_lines(stream):
            if line is None or line.removeprefix(codecs.BOM_UTF8).strip():
                yield number, _parse_line(path, number, line)


def bounded_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield (line number from 1, line), None for one that is longer than a row can be: it is passed over.

    Raises DataError for one that has no end: a device, or a file of nothing.
    """
    number = 0
    while line := stream.readline(LARGEST + 1):
        number += 1
        if len(line) <= LARGEST or line.endswith(b"\n"):
            yield number, line
            continue
        passed = 0
        while line and not line.endswith(b"\n"):
            passed += len(line)
            if passed > _MOST_PASSED:
                raise DataError(
                    f"{stream.name}, line {number}: more than {_MOST_PASSED >> 20} MiB in one line; {_ADVICE}"
                )
            line = stream.readline(LARGEST)
        yield number, None


def _parse_line(path: Path, number: int, line: bytes | None) -> dict[str, Any]:
    try:
        value = parse_line(line)
        if line and spells_half_characters(line):
            value = encodable_value(value)
    except ValueError as error:
        raise DataError.at(path, number, str(error)) from error
    if not isinstance(value, dict):
        raise DataError.at(path, number, f"expected a JSON object, got {type(value).__name__}")
    return value


def write_atomic(path: Path, chunks: Iterable[str]) -> None:
    """Write text to `path` so that it is either whole or not there. Secrets within a chunk are masked."""
    with atomic_file(path) as stream:
        stream.writelines(map(known().mask_value, chunks))


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, atomically. Secrets in them are masked."""
    write_atomic(path, json_lines(rows))


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield rows as lines of JSON, line ends included. Secrets in them are masked."""
    secrets = known()
    return (_dumped(row, secrets) + "\n" for row in rows)


def write_json(path: Path, value: Any) -> None:
    """Write one indented JSON document, atomically. Secrets in it are masked."""
    write_atomic(path, [_dumped(value, known(), indent=2), "\n"])


def _dumped(value: Any, secrets: Secrets, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if secrets.find(text):
        text = json.dumps(secrets.mask_value(value), ensure_ascii=False, indent=indent)
    return text
