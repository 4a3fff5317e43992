"""One JSON document of any size, value by value: an array of records, or the one value that a file is."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.data.formats.framework_messages import is_message
from harness.data.formats.json_texts import why_not_json
from harness.errors import DataError
from harness.hub.foreign_json import LARGEST, check_depth, load_json, too_long

_DECODER = json.JSONDecoder()
_CHUNK = 1 << 20
_MOST_MESSAGES = 100_000
_MOST_SIGNS = 10_000_000
"""Quotes and groups of brackets that are looked at for the end of one value: a few seconds."""
_WHOLE = 4
"""A file that is one value may be this many times as large as a row: a log with all its samples, a page of an API."""
_SIGN = re.compile(r'"|[\[{]+|[\]}]+')
_REST_OF_TEXT = re.compile(r'(?:[^"\\]+|\\.)*+', re.DOTALL)
_CUT_OFF = "the file is cut off here"
_BLANK = re.compile(r"[ \t\r\n]*")
_BARE = re.compile(r"[^\s,\[\]{}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One value of a file, or why it is none."""

    line: int
    """Where it starts, from 1; the number of the row or sample in files without lines."""
    value: Any
    problem: str | None = None
    file: Path = Path()
    at: int = 0
    """Its place among all values of all files that are read together."""
    inner: int = 0
    """Its place in a value that is a list of records."""


def document(path: Path, stream: IO[bytes]) -> Iterator[FileRecord]:
    """Yield the elements of a JSON array one by one, or the one value that the file is.

    A value that cannot be held, or in which the file is cut off, is a record with a problem. Raises DataError where the
    file is not JSON.
    """
    text = _Text(path, stream)
    while text.peek() not in ("[", ""):
        yield text.record(times=_WHOLE)
    if not text.peek():
        return
    text.skip()
    elements: list[FileRecord] = []
    while (char := text.peek()) != "]":
        record = text.record()
        if elements or is_message(record.value):
            elements.append(record)  # a list of messages is one conversation
            if len(elements) > _MOST_MESSAGES or text.passed > LARGEST:
                raise text.damaged(f"one conversation {too_long().words}")
        else:
            yield record
        if (char := text.peek()) == ",":
            text.skip()
        elif not char:  # what came before is whole
            if not record.problem:
                yield FileRecord(line=text.line, value=None, problem=f"not valid JSON ({_CUT_OFF})")
            break
        elif char != "]":
            raise text.damaged(f"expected , or ], got {char}")
    if elements:
        problem = next((element.problem for element in elements if element.problem), None)
        yield FileRecord(line=elements[0].line, value=[element.value for element in elements], problem=problem)


class _Text:
    """A JSON text that is read as far as needed, and forgotten where it has been read."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text, self._at, self.line = "", 0, 1
        self.passed = 0
        """Characters of the values so far."""

    def _more(self, keep: int) -> bool:
        """Read on; what stands before `keep` is forgotten. Return whether there was more.

        As much again as is kept, so that a long value is copied a few times only.
        """
        left = self._text[keep:]
        chunk = self._stream.read(max(_CHUNK, len(left)))
        try:
            self._text = left + self._decode(chunk, not chunk)
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
            blank = _BLANK.match(self._text, self._at)
            end = blank.end() if blank else self._at
            self.line += self._text.count("\n", self._at, end)
            self._at = end
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(self._at):
                return ""

    def record(self, times: int = 1) -> FileRecord:
        """Return the JSON value that starts here, or why it cannot be held; DataError where there is none.

        It may be `times` as large as a row.
        """
        self.peek()
        line = self.line
        if (quick := self._quick()) is not None:
            return quick
        written = self._value(LARGEST * times)
        if written is None:
            return FileRecord(line=line, value=None, problem=why_not_json(too_long(times)))
        try:
            value, problem = load_json(written, times=times), None
        except json.JSONDecodeError as error:
            if self.peek():
                raise self.damaged(error.msg) from error
            value, problem = None, f"not valid JSON ({error.msg}; {_CUT_OFF})"
        except ValueError as error:
            value, problem = None, why_not_json(error)
        self.line += written.count("\n")
        self.passed += len(written)
        return FileRecord(line=line, value=value, problem=problem)

    def _quick(self) -> FileRecord | None:
        """Return the value that starts here where it ends in what has been read: the usual case, at once."""
        start = self._at
        if len(self._text) - start > 2 * _CHUNK or self._text[start : start + 1] not in ("[", "{"):
            return None
        try:
            value, self._at = _DECODER.raw_decode(self._text, start)
            brackets = sum(self._text.count(sign, start, self._at) for sign in "[{")
            check_depth(value, brackets)
        except (ValueError, RecursionError):
            self._at = start
            return None
        record = FileRecord(line=self.line, value=value)
        self.line += self._text.count("\n", start, self._at)
        self.passed += self._at - start
        return record

    def _value(self, largest: int) -> str | None:
        """Go past the value that starts here, and return how it is written; None where it is larger than that."""
        scan, whole = _End(), True
        while (end := scan.find(self._text, self._at)) is None:
            whole = whole and len(self._text) - self._at <= largest
            if scan.signs > _MOST_SIGNS:
                raise self.damaged(f"one value has more than {_MOST_SIGNS:,} texts and brackets")
            kept = self._at if whole else scan.position
            if not whole:
                self.line += self._text.count("\n", self._at, kept)
            scan.position -= kept
            if not self._more(kept):
                end = len(self._text)
                break
        written = self._text[self._at : end]
        if not whole:
            self.line += written.count("\n")
        self._at = end
        return written if whole else None

    def damaged(self, problem: str) -> DataError:
        return DataError.at(self._path, self.line, f"not valid JSON ({problem}); expected an array or JSON lines")


class _End:
    """Where a JSON value ends: by its brackets and quotes alone, so that any depth is gone past in a moment."""

    def __init__(self) -> None:
        self.position: int = -1
        """How far it was looked at; -1: not yet."""
        self.signs = 0
        """How many of them were looked at."""
        self._depth = 0
        self._in_text = self._is_bare = False

    def find(self, text: str, start: int) -> int | None:
        """Return the end of the value that begins at `start` as far as it was not looked at; None: not in this text."""
        if self.position < 0:
            self.position = start
            self._is_bare = text[start : start + 1] not in ('"', "[", "{")
        if self._is_bare:
            found = _BARE.match(text, self.position)
            self.position = found.end() if found else self.position
            return None if self.position == len(text) else self.position  # a number may go on
        while self.position < len(text):
            if self._in_text:
                rest = _REST_OF_TEXT.match(text, self.position)
                self.position = rest.end() if rest else len(text)
                if text[self.position : self.position + 1] != '"':
                    return None
                self.position += 1
                self._in_text = False
            elif (sign := _SIGN.search(text, self.position)) is None:
                self.position = len(text)
                return None
            else:
                self._take(sign)
            if not self._in_text and self._depth <= 0:
                return self.position
        return None

    def _take(self, sign: re.Match[str]) -> None:
        """Go past a quote, or as many brackets as belong to the value."""
        self.signs += 1
        self.position = sign.end()
        self._in_text = sign[0] == '"'
        if sign[0][0] in "[{":
            self._depth += len(sign[0])
        elif not self._in_text:
            closed = min(len(sign[0]), self._depth)
            self._depth -= closed
            self.position = sign.start() + closed
