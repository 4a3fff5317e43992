"""The files of an export: one, those of a folder or of a zip file, packed or not, each as a stream under limits."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from harness.data.formats.json_texts import packed
from harness.data.traces.archive import ANY, DAMAGED, TIMES, plain_members
from harness.errors import DataError

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_BUFFER = 1 << 20
_HEAD = 1 << 16
_MOST_FILES = 10_000
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".parquet", ".eval", ".zip", ".gz", ".zst", ".log", ".txt")
_IN_ZIP = (".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".zst")
_HEADER = re.compile(rb'\s*[\w .\-"\']+([,;\t][\w .\-"\']+)+\s*')
_BINARY = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow file",
}
_EXPECTED = "expected JSON, JSON lines or Parquet, alone or packed (gz, zst, zip)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFile:
    """One file of an export."""

    path: Path
    member: str | None = None
    """Its name in the zip file that `path` is."""

    @property
    def shown(self) -> Path:
        """Return what it is called in messages and sources."""
        return self.path if self.member is None else self.path / self.member

    def size(self) -> int:
        """Return its bytes on the disk."""
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFiles:
    """The files of an export, and what lies beside them."""

    files: tuple[ExportFile, ...]
    left_out: tuple[str, ...] = ()
    """Names, each with what it is instead."""


def export_files(path: Path) -> ExportFiles:
    """Return the files of an export, in the order of their names: a file is itself, a zip file what is in it.

    In a folder hidden files do not count. Raises DataError where there is no file, or where there are too many.
    """
    files: list[ExportFile] = []
    left_out: list[str] = []
    try:
        places = [path] if not path.is_dir() else _visible(path)
        for place in places:
            why = None if place is path else _no_export(place)
            if why:
                left_out.append(f"{place.relative_to(path)} ({why})")
                continue
            members, others = plain_members(place, _IN_ZIP) if _is_zip(place) else (None, ())
            found = [None] if members is None else members
            files += [ExportFile(path=place, member=member) for member in found]
            left_out += [f"{place.name}/{name} (no export)" for name in others]
            if len(files) > _MOST_FILES:
                raise DataError(f"{path} has more than {_MOST_FILES:,} files; give it in parts")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if not files:
        there = f"it has {', '.join(left_out[:5])}" if left_out else "it has no file"
        raise DataError(f"{path} holds no export: {there}; {_EXPECTED}")
    return ExportFiles(files=tuple(files), left_out=tuple(left_out))


@contextmanager
def opened(file: ExportFile) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked where it is packed by gzip or Zstandard.

    Reading raises DataError where it is damaged, or unfolds to far more than an honest one.
    """
    with ExitStack() as stack:
        if file.member is None:
            stream: Any = stack.enter_context(file.path.open("rb", buffering=_BUFFER))
            allowed = ANY + TIMES * file.size()
        else:
            archive = stack.enter_context(zipfile.ZipFile(file.path))
            member = stack.enter_context(archive.open(file.member))
            allowed = ANY + TIMES * archive.getinfo(file.member).compress_size
            stream = _buffered(member.read, allowed, file)
        magic = stream.peek(4)[:4]
        if magic[:2] == _GZIP:
            stream = _buffered(stack.enter_context(gzip.GzipFile(fileobj=stream)).read, allowed, file)
        elif magic == _ZSTD:
            import pyarrow

            packed_stream = pyarrow.CompressedInputStream(pyarrow.PythonFile(stream, "r"), "zstd")
            stream = _buffered(stack.enter_context(packed_stream).read, allowed, file)
        yield cast("IO[bytes]", stream)


def refuse(file: ExportFile, head: bytes) -> None:
    """Raise DataError for a file whose first bytes say that no conversation can be read from it."""
    if why := _no_text(head):
        advice = _EXPECTED
        if why == "CSV":
            name = file.shown.name
            advice = (
                'export JSON, JSON lines or Parquet, or convert it: python -c "import pandas; pandas.read_csv('
                f"'{name}').to_json('{file.shown.stem}.jsonl', orient='records', lines=True)\""
            )
        raise DataError(f"{file.shown} is {why}; {advice}")
    if problem := packed(head):
        raise DataError(f"cannot read {file.shown}: {problem}")


def _visible(folder: Path) -> list[Path]:
    found = []
    for place in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in place.relative_to(folder).parts)
        if not hidden and place.is_file():
            found.append(place)
        if len(found) > _MOST_FILES:
            raise DataError(f"{folder} has more than {_MOST_FILES:,} files; give it in parts")
    return found


def _no_export(path: Path) -> str | None:
    """Return what a file of a folder is where it is no export, None for one that may be."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if why := _no_text(head):
        return why
    begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{") or packed(head)
    return None if begins or path.name.lower().endswith(_SUFFIXES) else "text"


def _no_text(head: bytes) -> str | None:
    """Return what a file is that holds neither JSON nor what JSON may be packed in."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    known = next((words for start, words in _BINARY.items() if head.startswith(start)), None)
    if known or not text:
        return known or "empty"
    if head[257:262] == b"ustar":
        return "a tar archive, to be unpacked to a folder first"
    if text[:1] == b"<":
        return "an HTML or XML page"
    if packed(head):
        return None
    if b"\0" in head:
        return "a binary file"
    return "CSV" if _HEADER.fullmatch(text.partition(b"\n")[0]) else None


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _buffered(read: Callable[[int], bytes], allowed: int, file: ExportFile) -> io.BufferedReader:
    return io.BufferedReader(_Unpacked(read, allowed, file.shown), _BUFFER)


class _Unpacked(io.RawIOBase):
    """What is read of a packed file, as far as that is no more than an honest one holds."""

    def __init__(self, read: Callable[[int], bytes], allowed: int, path: Path) -> None:
        super().__init__()
        self._read, self._allowed, self._left = read, allowed, allowed
        self.name = str(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._read(len(buffer))
        except (*DAMAGED, OSError, zlib.error) as error:
            raise DataError(f"{self.name} is damaged ({error}); export or copy it again") from error
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"{self.name} unfolds to more than {self._allowed >> 20} MiB; unpack it, and look at it")
        buffer[: len(data)] = data
        return len(data)
