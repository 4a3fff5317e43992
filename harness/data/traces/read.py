"""Files of traces in any known layout, row by row; a row that cannot be read says why, and the rest goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from harness.data.formats.json_texts import kind
from harness.data.formats.message_reader import whole
from harness.data.formats.row_layouts import INSPECT, LANGFUSE, RowLayout, expected, layout_of
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation
from harness.data.traces import langfuse
from harness.data.traces.documents import records
from harness.data.traces.json_document import FileRecord
from harness.errors import DataError

_MOST_ROWS = 1_000_000
_MOST_WITHOUT_LAYOUT = 10_000
_NO_NUMBERS = ("nan", "inf", "-inf")


def read_traces(path: Path, prefix: str = "trace") -> Iterator[TraceRow]:
    """Yield the traces of a file, in order. Ids are the rows' own, else `prefix-0000` by position.

    One row is in memory at a time, but for Langfuse's observations, which say only together what a conversation is.
    Raises DataError for a file that is empty, damaged or in which no row can be read, and for ids that two rows share.
    """
    lines: dict[str, int] = {}  # of every row: the memory that many small ones take
    problem, readable = None, False
    for line, row in _rows(path, prefix):
        one = row.conversation
        if one.id in lines:
            raise DataError(
                f"{path}, lines {lines[one.id]} and {line}: both rows have the id {one.id!r}; give each its own, or "
                "leave the ids out to have them numbered"
            )
        lines[one.id] = line
        if len(lines) > _MOST_ROWS:
            raise DataError(f"{path} has more than {_MOST_ROWS:,} rows; give it in parts")
        readable = readable or row.problem is None
        problem = problem or row.problem
        yield row
    if not lines:
        raise DataError(f"{path} has no rows; expected one conversation per line, or a JSON array of them")
    if not readable:
        rest = f" (and {len(lines) - 1} more rows that cannot be read either)" if len(lines) > 1 else ""
        raise DataError(f"{problem}{rest}")


def layout(path: Path) -> str:
    """Return the layout of a file in words, by the first row with one; DataError where none of the first has any."""
    first = None
    for record in islice(_unwrapped(records(path)), _MOST_WITHOUT_LAYOUT):
        found = _layout(record.value)
        if found:
            return found if isinstance(found, str) else found.words
        first = first or record
    if first is None:
        raise DataError(f"{path} has no rows; expected one conversation per line, or a JSON array of them")
    raise DataError.at(path, first.line, first.problem or expected(first.value))


def _layout(value: Any) -> RowLayout | str | None:
    if isinstance(value, Mapping) and not value.get("messages") and langfuse.is_export(value):
        return LANGFUSE
    return layout_of(value)


def _unwrapped(found: Iterator[FileRecord]) -> Iterator[FileRecord]:
    """Yield records, those of a document that is an object around a list of them one by one."""
    for record in found:
        inner = _inner(record.value)
        if inner is None:
            yield record
        else:
            yield from (FileRecord(line=number, value=one) for number, one in enumerate(inner, start=1))


def _inner(value: Any) -> list[Any] | None:
    """Return the rows inside a document: an Inspect log, a page of an API, a session with its traces."""
    if not isinstance(value, Mapping) or layout_of(value) is not None or langfuse.is_export(value):
        return None
    if "eval" in value and "version" in value:
        return list(value.get("samples") or ())
    listed = next((value[key] for key in ("traces", "data", "rows", "observations") if key in value), None)
    return listed if isinstance(listed, list) else None


def _rows(path: Path, prefix: str) -> Iterator[tuple[int, TraceRow]]:
    found = _unwrapped(records(path))
    first = next(found, None)
    if first is None:
        return
    every = chain([first], found)
    yield from _export(path, prefix, every) if _layout(first.value) == LANGFUSE else _plain(path, prefix, every)


def _plain(path: Path, prefix: str, found: Iterator[FileRecord]) -> Iterator[tuple[int, TraceRow]]:
    for position, record in enumerate(found):
        yield record.line, _row(path, record, f"{prefix}-{position:04d}")


def _row(path: Path, record: FileRecord, id: str) -> TraceRow:
    row = record.value
    source = f"{path.name}:{record.line}"
    own: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
    try:
        if record.problem:
            raise ValueError(record.problem)
        found = layout_of(row)
        if found is None:
            raise ValueError(expected(row))
        id = _id(own, id, samples=found.words == INSPECT)
        source = own["source"] if isinstance(own.get("source"), str) and own["source"] else source
        whole(row)
        messages = found.read(row, False)
    except ValueError as error:
        return _problem(path, record.line, id, source, str(error))
    # A sample's other keys are Inspect's: its events alone would be larger than all conversations.
    columns = {} if found.words == INSPECT else _columns(own, found)
    return TraceRow(conversation=Conversation(id=id, messages=messages, source=source), columns=columns)


def _columns(row: Mapping[str, Any], found: RowLayout) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in found.keys and key not in ("id", "source")}


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


def _export(path: Path, prefix: str, found: Iterator[FileRecord]) -> Iterator[tuple[int, TraceRow]]:
    logged: list[langfuse.LoggedConversation] = []
    kinds: Counter[str] = Counter()
    for record in found:
        kinds[str(record.value.get("type")) if isinstance(record.value, Mapping) else ""] += 1
        if record.problem or not langfuse.is_export(record.value):
            problem = record.problem or f"got {kind(record.value)} that is no trace or observation of Langfuse"
            logged.append(langfuse.LoggedConversation(id="", session="", line=record.line, problem=problem))
        else:
            logged.extend(langfuse.read_record(record.value, record.line))
    if kinds and not logged:
        there = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
        raise DataError(
            f"{path} has observations of type {there} alone, and conversations stand in those of type GENERATION; "
            "export the generations, or the traces with their input and output"
        )
    seen: dict[str, int] = {}
    for position, one in enumerate(langfuse.whole_conversations(logged)):
        id = one.id or f"{prefix}-{position:04d}"
        seen[id] = seen.get(id, 0) + 1
        if seen[id] > 1:  # agents inside agents: several conversations in one trace
            id = f"{id}-{seen[id]}"
        source = f"{path.name}:{one.line}"
        if one.problem:
            yield one.line, _problem(path, one.line, id, source, one.problem)
        else:
            yield one.line, TraceRow(conversation=Conversation(id=id, messages=one.messages, source=source))
