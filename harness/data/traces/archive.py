"""Inspect logs in their archive form: the samples of a zip file, each unpacked as far as a row may reach."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.data.formats.json_texts import why_not_json
from harness.data.traces.json_document import FileRecord, allowance
from harness.errors import DataError, UsageError
from harness.hub.foreign_json import LARGEST, load_json, too_long

_LISTING = 16 << 20
"""Bytes of the list of members, which is read at once: some hundred thousand of them."""
_MOST_SAMPLES = 100_000
_PIECE = 4096
"""Bytes that are unpacked at once: Zstandard has no limit of its own, and this few unfold to 134 MB at most."""
_IS_ENCRYPTED = 1
_NEEDS_MORE = "needs inspect-ai to be read; install it: pip install 'tft-harness[inspect]'"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, 93)
"""The last is Zstandard. Of bzip2 and LZMA a few hundred bytes unfold to a gigabyte, at once."""
DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError, OverflowError, LookupError)
"""What zipfile raises of a damaged file."""


def plain_members(path: Path, suffixes: tuple[str, ...]) -> tuple[list[str] | None, list[str]]:
    """Return the files with these suffixes in a zip file, and the others; None and nothing for an Inspect log.

    Raises DataError for an archive that is damaged, encrypted or packed by a method other than the usual one.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(_Bounded(file)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir() and "__MACOSX" not in one.filename]
    except DAMAGED as error:
        raise DataError(f"{path} is damaged ({error}); copy it again") from error
    if any(one.filename.startswith("samples/") and one.filename.endswith(".json") for one in members):
        return None, []
    chosen = sorted((one for one in members if one.filename.lower().endswith(suffixes)), key=lambda one: one.filename)
    for one in chosen:
        if one.flag_bits & _IS_ENCRYPTED or one.compress_type not in _METHODS[:2]:
            raise DataError(f"{path} is encrypted or packed in a rare way ({one.filename}); unpack it to a folder")
    return [one.filename for one in chosen], [one.filename for one in members if one not in chosen]


def archive_samples(path: Path) -> Iterator[FileRecord]:
    """Yield the samples of an Inspect log in its archive form, in the order of their names.

    A sample that is too large is a record with a problem. Raises DataError for an archive that is damaged, encrypted,
    without samples, or that unfolds to far more than such a log does; UsageError where a package is missing.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(_Bounded(file)) as archive:
            yield from _samples(path, archive, allowance(path))
    except DAMAGED as error:
        raise DataError(f"{path} is damaged ({error}); copy the log again") from error


class _Bounded:
    """A file of which nothing is read in one piece that is larger than an honest list of members."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_LISTING + 1 if size < 0 else min(size, _LISTING + 1))
        if len(data) > _LISTING:
            raise zipfile.BadZipFile(f"its list of members has more than {_LISTING >> 20} MiB")
        return data


def _samples(path: Path, archive: zipfile.ZipFile, allowed: int) -> Iterator[FileRecord]:
    members = [
        one for one in archive.infolist() if one.filename.startswith("samples/") and one.filename.endswith(".json")
    ]
    if not members:
        raise DataError(f"{path} is a zip file without samples; expected an Inspect log (.eval)")
    if len(members) > _MOST_SAMPLES:
        raise DataError(f"{path} has {len(members):,} samples; expected {_MOST_SAMPLES:,} at most, give it in parts")
    name, times = Counter(one.filename for one in members).most_common(1)[0]
    if times > 1:
        raise DataError(f"{path} has {name} {times} times, and it is not clear which one counts; copy the log again")
    left = allowed
    for number, member in enumerate(members, start=1):
        content = _content(path, archive, member, min(left, LARGEST))
        left -= LARGEST if content is None else len(content)
        if left <= 0:
            raise DataError(
                f"{path} unfolds to more than {allowed >> 20} MiB at {member.filename}, which no log of its size does; "
                "ask its author for another one"
            )
        yield _sample(number, content)


def _sample(number: int, content: bytes | None) -> FileRecord:
    try:
        if content is None:
            raise too_long()
        return FileRecord(line=number, value=load_json(content.decode("utf-8-sig")))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise  # the log is damaged
    except ValueError as error:
        return FileRecord(line=number, value=None, problem=why_not_json(error))


def _content(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes | None:
    """Return what a member holds, None where that is more than `most` bytes; those are not looked at further."""
    if member.flag_bits & _IS_ENCRYPTED:
        raise DataError(f"{path} is encrypted ({member.filename}); unpack it with its password and give the log alone")
    if member.compress_type not in _METHODS:
        raise DataError(
            f"{path} is packed by a method that no Inspect log uses ({member.compress_type}); write the log again"
        )
    try:
        stream = archive.open(member)
    except NotImplementedError:
        _teach_zstd(path)
        stream = archive.open(member)
    with stream:
        parts, size = [], 0
        while piece := stream.read(_PIECE):
            parts.append(piece)
            size += len(piece)
            if size > most:
                return None
    return b"".join(parts)


def _teach_zstd(path: Path) -> None:
    """Teach zipfile the method that newer logs are compressed by, which Python knows from 3.14 on."""
    try:
        import zipfile_zstd  # noqa: F401 - by its import; inspect-ai brings it
    except ModuleNotFoundError as error:
        raise UsageError(f"{path} {_NEEDS_MORE}") from error
