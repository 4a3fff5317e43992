"""The records in a document that is an object around them: an Inspect log, a page of an API; a data frame is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.data.formats.row_layouts import layout_of
from harness.data.traces import langfuse
from harness.data.traces.json_document import FileRecord
from harness.data.traces.span_records import is_export

_LISTS = ("traces", "data", "rows", "observations", "spans", "runs")
_LOG = frozenset(("eval", "version"))
_FRAME = (
    "it is a data frame written by its columns or its index; write it row by row, in pandas with "
    'to_json(FILE, orient="records", lines=True)'
)
_FEWEST = 4
"""Objects with the same keys of which a data frame consists: requests and their responses may be two of them."""


def enclosed_records(found: Iterator[FileRecord]) -> Iterator[FileRecord]:
    """Yield records, those of a document that is an object around a list of them one by one."""
    for record in found:
        if _is_frame(record.value):
            yield replace(record, value=None, problem=_FRAME)
            continue
        inner = _inner(record.value)
        if inner is None:
            yield record
            continue
        for number, one in enumerate(inner, start=1):
            yield replace(record, line=number, value=one, inner=number)


def _is_frame(value: Any) -> bool:
    """Return whether a document is a pandas data frame in another orientation than by its records."""
    if not isinstance(value, dict) or not value:
        return False
    first = next(iter(value.values()))
    if not isinstance(first, dict):
        return value.keys() == {"columns", "index", "data"}
    return (
        len(value) >= _FEWEST
        and bool(first)
        and all(isinstance(one, dict) and one.keys() == first.keys() for one in value.values())
    )


def _inner(value: Any) -> list[Any] | None:
    """Return the rows inside a document: an Inspect log, a page of an API, a session with its traces."""
    if not isinstance(value, Mapping) or not (any(key in value for key in _LISTS) or value.keys() >= _LOG):
        return None
    if is_export(value) or layout_of(value) is not None or langfuse.is_export(value):
        return None
    if value.keys() >= _LOG:
        return list(value.get("samples") or ())
    listed = next(value[key] for key in _LISTS if key in value)
    return listed if isinstance(listed, list) else None
