"""Files of traces in any known layout, row by row; a row that cannot be read says why, and the rest goes on."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from heapq import merge
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from harness.data.formats.json_texts import kind
from harness.data.formats.message_reader import whole
from harness.data.formats.openai_tools import openai_tools
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.formats.row_columns import COLUMNS, columns_of, is_secret
from harness.data.formats.row_layouts import INSPECT, RowLayout, expected, layout_of
from harness.data.pipeline_records import TraceRow
from harness.data.prefixes import hashable
from harness.data.records import Conversation
from harness.data.traces import langfuse, response_chains, sessions
from harness.data.traces.cut_messages import look_for_cuts
from harness.data.traces.documents import records
from harness.data.traces.enclosed_records import enclosed_records
from harness.data.traces.export_files import ExportFile, ExportFiles, export_files
from harness.data.traces.json_document import FileRecord
from harness.data.traces.logged_conversations import ExportReader, LoggedConversation
from harness.data.traces.span_records import is_export
from harness.data.traces.spans import SpanReader
from harness.errors import DataError
from harness.terminal import say

_MOST_ROWS = 1_000_000
_MOST_WITHOUT_LAYOUT = 10_000
_MOST_BEFORE_EXPORT = 16
"""Records in no layout that are held until one says whether the file is to be read as a whole: cut lines, mostly."""
_OF_FILE = 40
"""Bits of the place of a record in its file."""
_NO_NUMBERS = ("nan", "inf", "-inf")
_Rows = Iterator[tuple[Path, int, TraceRow]]


def read_traces(path: Path, prefix: str = "trace", *, parallel: bool = False) -> Iterator[TraceRow]:
    """Yield the traces of a file, or of all files of a folder, in order.

    Ids are the rows' own, else `prefix-0000` by position. One row is in memory at a time; of observations and sessions,
    which say only together what a conversation is, all conversations are, each once. Of a conversation that several
    files have with the same id, one row is left. With `parallel`, several calls of a turn stay together; otherwise each
    becomes a turn of its own, with its result. Raises DataError for a file that is empty, damaged or in which no row
    can be read, and for ids that two rows of a file share.
    """
    held = export_files(path)
    ids = _Ids(several=len(held.files) > 1)
    problem, readable = None, False
    for file, line, row in _rows(path, held, prefix, parallel=parallel):
        id = ids.of(row.conversation, file, line)
        if id is None:
            continue
        readable = readable or row.problem is None
        problem = problem or row.problem
        yield row if id == row.conversation.id else replace(row, conversation=replace(row.conversation, id=id))
    if not ids.places:
        raise DataError(f"{path} has no rows; expected one conversation per line, or a JSON array of them")
    if not readable:
        rest = f" (and {len(ids.places) - 1} more rows that cannot be read either)" if len(ids.places) > 1 else ""
        raise DataError(f"{problem}{rest}")
    if ids.repeated:
        say(f"{path}: {ids.repeated} conversations stand in several of its files; each of them is read once")


class _Ids:
    """The ids of all rows so far, and where they stand: the memory that many small rows take."""

    def __init__(self, *, several: bool) -> None:
        self.places: dict[str, tuple[Path, int, int]] = {}
        self.repeated = 0
        self._several = several

    def of(self, one: Conversation, file: Path, line: int) -> str | None:
        """Return the id of a row, another one than its own where a row of another file has that; None for the same row.

        Raises DataError where two rows of one file have the same id, and where there are too many rows.
        """
        said = hash(hashable(one.messages)) if self._several else 0
        id, number = one.id, 1
        while id in self.places:
            other, above, before = self.places[id]
            if other == file:
                raise DataError(
                    f"{file}, lines {above} and {line}: both rows have the id {id!r}; give each its own, or leave the "
                    "ids out to have them numbered"
                )
            if said == before and one.messages:
                self.repeated += 1
                return None
            number += 1
            id = f"{one.id}-{number}"
        self.places[id] = file, line, said
        if len(self.places) > _MOST_ROWS:
            raise DataError(f"{file} has more than {_MOST_ROWS:,} rows; give it in parts")
        return id


def layout(path: Path) -> str:
    """Return the layouts of a file or folder in words, of each file by the first row that has one.

    DataError where no file has any.
    """
    found: dict[str, None] = {}
    problem: DataError | None = None
    for file in export_files(path).files:
        try:
            found[_layout_of_file(file)] = None
        except DataError as error:
            problem = problem or error
    if problem and not found:
        raise problem
    return ", ".join(found)


def _layout_of_file(file: ExportFile) -> str:
    first = None
    for record in islice(enclosed_records(records(file)), _MOST_WITHOUT_LAYOUT):
        found = _layout(record.value)
        if found:
            return found if isinstance(found, str) else found.words
        first = first or record
    if first is None:
        raise DataError(f"{file.shown} has no rows; expected one conversation per line, or a JSON array of them")
    raise DataError.at(file.shown, first.line, first.problem or expected(first.value))


def _layout(value: Any) -> RowLayout | str | None:
    reader = _export_reader(value)
    return layout_of(value) if reader is None else reader.words


def _export_reader(value: Any) -> ExportReader | None:
    """Return what reads a file that begins with this record as a whole; None where each row stands for itself."""
    if is_export(value):
        return SpanReader()
    if isinstance(value, Mapping) and not value.get("messages") and langfuse.is_export(value):
        return langfuse.LangfuseReader()
    if response_chains.is_response(value):
        return response_chains.ResponseReader()
    if layout_of(value) is None and sessions.is_line(value):
        return sessions.SessionReader()
    return None


def _rows(path: Path, held: ExportFiles, prefix: str, *, parallel: bool) -> _Rows:
    exports: dict[str, _Export] = {}
    numbers = count()
    for number, file in enumerate(held.files):
        found = enclosed_records(records(file, first=number << _OF_FILE))
        begun: list[FileRecord] = []
        for record in islice(found, _MOST_BEFORE_EXPORT):
            begun.append(record)
            if _layout(record.value):
                break
        every = chain(begun, found)
        reader = _export_reader(begun[-1].value) if begun else None
        if reader is None:
            for record in every:
                id = f"{prefix}-{next(numbers):04d}"
                yield record.file, record.line, _row(record.file, record, id, ReadingNotes(parallel=parallel))
        else:
            reader.parallel = parallel
            exports.setdefault(reader.words, _Export(reader)).take(number, file, every)
    for export in exports.values():
        yield from export.rows(path, (f"{prefix}-{at:04d}" for at in numbers))


def _row(path: Path, record: FileRecord, id: str, notes: ReadingNotes) -> TraceRow:
    row = record.value
    source = f"{path.name}:{record.line}"
    own: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
    try:
        if record.problem:
            raise ValueError(record.problem)
        if response_chains.continues(own):
            raise ValueError("it continues a response, and the file begins with another layout; give both apart")
        found = layout_of(row)
        if found is None:
            raise ValueError(expected(row))
        id = _id(own, id, samples=found.words == INSPECT)
        source = own["source"] if isinstance(own.get("source"), str) and own["source"] else source
        messages = found.read(row, False, notes)
        look_for_cuts(messages, notes)
        columns = _columns(row, found)
        whole([id, source, columns])
    except ValueError as error:
        return _problem(path, record.line, id, source, str(error))
    conversation = Conversation(id=id, messages=messages, source=source)
    return TraceRow(conversation=conversation, columns=columns, findings=tuple(notes.findings))


def _columns(row: Any, found: RowLayout) -> dict[str, Any]:
    """Return what is said beside the messages, and the row's other keys but for those of secrets."""
    own: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
    said = columns_of(row, next((own[key] for key in found.keys if own.get(key)), None))
    if found.words == INSPECT:  # its other keys are Inspect's: the events alone would be larger than all conversations
        return said
    left = {"id", "source", *found.keys, *COLUMNS}
    return {**{key: value for key, value in own.items() if key not in left and not is_secret(key)}, **said}


def _id(row: Mapping[str, Any], otherwise: str, *, samples: bool) -> str:
    own = row.get("id")
    if own is None or own == "":
        return otherwise
    if not isinstance(own, str | int | float) or isinstance(own, bool) or str(own) in _NO_NUMBERS:
        raise ValueError(f'the "id" must be text or a number, got {kind(own)}')
    return f"{own}-{row['epoch']}" if samples and row["epoch"] != 1 else str(own)


def _problem(path: Path, line: int, id: str, source: str, problem: str) -> TraceRow:
    return TraceRow(
        conversation=Conversation(id=id, messages=(), source=source), problem=str(DataError.at(path, line, problem))
    )


class _Export:
    """All files whose records say only together what their conversations are."""

    def __init__(self, reader: ExportReader) -> None:
        self._reader = reader
        self._files: list[tuple[int, ExportFile]] = []
        self._strange: list[LoggedConversation] = []

    def take(self, number: int, file: ExportFile, found: Iterator[FileRecord]) -> None:
        """Read the records of a file."""
        self._files.append((number, file))
        for record in found:
            if record.problem or not self._reader.add(record):
                problem = record.problem or f"got {kind(record.value)} that is no {self._reader.record}"
                place = LoggedConversation(id="", session="", line=record.line, file=record.file, problem=problem)
                self._strange.append(place)

    def rows(self, path: Path, names: Iterator[str]) -> _Rows:
        """Yield what all files say; `names` are for what has no id."""
        seen: dict[str, int] = {}
        for one in merge(self._reader.conversations(self._again), self._strange, key=_place):
            id = one.id or next(names)
            base = id
            while id in seen:  # agents inside agents: several conversations in one trace
                seen[base] += 1
                id = f"{base}-{seen[base]}"
            seen[id] = 1
            yield one.file, one.line, _logged_row(one, id)
        if not seen:
            raise DataError(f"{path} {self._reader.nothing()}")

    def _again(self, wanted: Container[int]) -> Iterator[FileRecord]:
        for number, file in self._files:
            yield from enclosed_records(records(file, first=number << _OF_FILE, wanted=wanted))


def _place(one: LoggedConversation) -> tuple[Path, int]:
    return one.file, one.line


def _logged_row(one: LoggedConversation, id: str) -> TraceRow:
    source = f"{one.file.name}:{one.line}"
    if one.problem:
        return _problem(one.file, one.line, id, source, one.problem)
    notes = ReadingNotes()
    try:
        look_for_cuts(one.messages, notes)
    except ValueError as error:
        return _problem(one.file, one.line, id, source, str(error))
    columns = {**({"tools": openai_tools(list(one.tools))} if one.tools else {}), **one.columns}
    conversation = Conversation(id=id, messages=one.messages, source=source)
    return TraceRow(conversation=conversation, columns=columns, findings=(*one.findings, *notes.findings))
