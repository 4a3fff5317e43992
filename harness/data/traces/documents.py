"""The records of a file, whatever it is: JSON lines, a JSON array, one document, Parquet, a zip of JSON."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.data.formats.json_texts import packed, parse_line, why_not_json
from harness.errors import DataError, UsageError

_CHUNK = 1 << 16
_FIRST = 1 << 20
"""So much of a first line is looked at: an array may be one line of gigabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One value of a file, or why it is none."""

    line: int
    """Where it starts, from 1; the number of the row or sample in files without lines."""
    value: Any
    problem: str | None = None


def records(path: Path) -> Iterator[FileRecord]:
    """Yield the values of a file, one at a time: memory holds the largest one, not the file.

    A line of JSON lines that is no JSON is a record with a problem. Raises DataError for a file that cannot be opened,
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
        yield from _archive(path)
    elif magic[:4] == b"PAR1":
        yield from _parquet(path)
    elif problem := packed(magic):
        raise DataError(f"cannot read {path}: {problem}")
    elif _is_one_document(path, stream):
        yield from _document(path, stream)
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
        value = json.loads(first)
    except (ValueError, RecursionError):
        return first[:1] == b"[" or path.suffix == ".json"
    return isinstance(value, list) and not _is_message(value[0] if value else None)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and ("role" in value or "from" in value)


def _lines(stream: IO[bytes]) -> Iterator[FileRecord]:
    """Yield a record a line. Lines end at `\\n` only: U+2028 and its like are text."""
    for number, line in enumerate(stream, start=1):
        if not line.removeprefix(b"\xef\xbb\xbf").strip():
            continue
        try:
            value, problem = parse_line(line), None
        except ValueError as error:
            value, problem = None, str(error)
        yield FileRecord(line=number, value=value, problem=problem)


def _document(path: Path, stream: IO[bytes]) -> Iterator[FileRecord]:
    """Yield the elements of a JSON array one by one, or the one value that the file is."""
    text = _Text(path, stream)
    while text.peek() not in ("[", ""):
        yield text.record()
    if not text.peek():
        return
    text.skip()
    elements: list[FileRecord] = []
    while (char := text.peek()) != "]":
        record = text.record()
        if elements or _is_message(record.value):
            elements.append(record)  # a list of messages is one conversation
        else:
            yield record
        if (char := text.peek()) == ",":
            text.skip()
        elif char != "]":
            raise text.damaged(f"expected , or ], got {char or 'the end of the file'}")
    if elements:
        problem = next((element.problem for element in elements if element.problem), None)
        yield FileRecord(line=elements[0].line, value=[element.value for element in elements], problem=problem)


class _Text:
    """A JSON text that is read as far as needed, decoded value by value."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        import codecs

        self._path, self._stream = path, stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text, self._at, self.line = "", 0, 1

    def _more(self) -> bool:
        """Read as much again as there is, so that a long value is scanned a few times only."""
        chunk = self._stream.read(max(_CHUNK, len(self._text) - self._at))
        try:
            self._text = self._text[self._at :] + self._decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            raise self.damaged("not UTF-8; save the file as UTF-8") from error
        self._at = 0
        return bool(chunk)

    def skip(self) -> None:
        """Go past one character."""
        self._at += 1

    def peek(self) -> str:
        """Return the next character that is no white space, empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at].isspace():
                self.line += self._text[self._at] == "\n"
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def record(self) -> FileRecord:
        """Return the JSON value that starts here, or why it cannot be held; DataError where there is none."""
        self.peek()
        line, problem, scan = self.line, None, json.JSONDecoder().raw_decode
        while True:
            try:
                value, end = scan(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._more():
                    continue
                raise self.damaged(f"{error.msg}; the file may be cut off") from error
            except RecursionError as error:
                raise self.damaged("nested too deeply to read") from error
            except ValueError as error:  # a number of thousands of digits: where the value ends is found without it
                problem, scan = why_not_json(error), json.JSONDecoder(parse_int=len).raw_decode
                continue
            if end == len(self._text) and not isinstance(value, dict | list) and self._more():
                continue  # a number may go on
            self.line += self._text.count("\n", self._at, end)
            self._at = end
            return FileRecord(line=line, value=None if problem else value, problem=problem)

    def damaged(self, problem: str) -> DataError:
        return DataError.at(self._path, self.line, f"not valid JSON ({problem}); expected an array or JSON lines")


def _parquet(path: Path) -> Iterator[FileRecord]:
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield FileRecord(line=number, value=row)
    except pa.ArrowException as error:
        raise DataError(f"{path} is damaged ({error}); write the Parquet file again") from error


def _archive(path: Path) -> Iterator[FileRecord]:
    """Yield the samples of an Inspect log in its archive form, in the order of their names."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.startswith("samples/") and name.endswith(".json")]
            if not names:
                raise DataError(f"{path} is a zip file without samples; expected an Inspect log (.eval)")
            for number, name in enumerate(names, start=1):
                yield _sample(number, _member(path, archive, name))
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError) as error:
        raise DataError(f"{path} is damaged ({error}); copy the log again") from error


def _sample(number: int, content: bytes) -> FileRecord:
    try:
        return FileRecord(line=number, value=json.loads(content))
    except json.JSONDecodeError:
        raise  # the log is damaged
    except (ValueError, RecursionError) as error:
        return FileRecord(line=number, value=None, problem=why_not_json(error))


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except NotImplementedError:  # newer logs are compressed by a method that this Python does not know
        try:
            import zipfile_zstd  # noqa: F401 - teaches zipfile the method; inspect-ai brings it
        except ModuleNotFoundError as error:
            raise UsageError(
                f"{path} needs inspect-ai to be read; install it: pip install 'tft-harness[inspect]'"
            ) from error
        return archive.read(name)
