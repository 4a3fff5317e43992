"""The first rows of a JSONL or Parquet file, within limits on bytes, cells, time and memory.

A Parquet file is read in a child process: a few bytes of it may unpack to gigabytes, and its reader is native code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ..bounds import Cache
from ..storage.blobs import BlobStore
from ..storage.git import GitRepo
from ..storage.objects import FileFacts
from .page import size as size_text

ROWS, COLUMNS, CELL = 25, 40, 500  # what is shown: rows, columns, characters of a cell
JSONL_BYTES = 2 << 20  # read from the file's beginning
STORED_BYTES = 64 << 20  # of a Parquet file that git holds
CHILD_SECONDS = 10
ANSWER_BYTES = 8 << 20

_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
_PLAIN = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}  # small on any machine
_SLOTS = threading.BoundedSemaphore(2)
_KNOWN: Cache[tuple[str, str], Preview] = Cache(32 << 20)  # by the end of the name and the content


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The first rows of a file as texts, or the `problem` that kept them away; `total` rows if the file says so.

    `passing`: the problem may be gone at the next try.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    types: tuple[str, ...] = ()
    total: int | None = None
    note: str = ""
    problem: str = ""
    passing: bool = False


def has_rows(path: str) -> bool:
    """Return whether a file's name promises rows."""
    return path.lower().endswith((".jsonl", ".ndjson", ".parquet"))


def first_rows(blobs: BlobStore, git: GitRepo, path: str, facts: FileFacts) -> Preview:
    """Return the first rows of a file; equal content is read once."""
    key = (path[-8:], facts.etag)
    if (known := _KNOWN.get(key)) is not None:
        return known
    preview = _parquet(blobs, git, facts) if path.lower().endswith(".parquet") else _jsonl(blobs, git, facts)
    if preview.passing:
        return preview
    cells = chain(preview.columns, preview.types, *preview.rows)
    return _KNOWN.put(key, preview, 1000 + sum(60 + 4 * len(cell) for cell in cells))


def cell_text(value: Any) -> str:
    """Return a value as a cell shows it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= CELL else f"{text[:CELL]}…"


def _jsonl(blobs: BlobStore, git: GitRepo, facts: FileFacts) -> Preview:
    data = blobs.read(facts.sha256, 0, JSONL_BYTES) if facts.sha256 else git.blob(facts.sha)[:JSONL_BYTES]
    lines = data.split(b"\n")
    if facts.size > len(data):
        lines.pop()  # cut in the middle
    texts = [line for line in lines if line.strip()]
    if not texts:
        problem = f"the first line is longer than {size_text(JSONL_BYTES)}" if facts.size else "the file is empty"
        return Preview(problem=problem)
    records: list[dict[str, Any]] = []
    for number, line in enumerate(texts[:ROWS], start=1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return Preview(problem=f"line {number} is not JSON")
        records.append(value if isinstance(value, dict) else {"value": value})
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = names[:COLUMNS]
    total = len(texts) if facts.size <= len(data) else None
    rows = tuple(tuple(cell_text(record[name]) if name in record else "" for name in columns) for record in records)
    return Preview(columns=tuple(columns), rows=rows, total=total, note=_left_out(len(names)))


def _left_out(columns: int) -> str:
    return f"{columns - COLUMNS} more columns are not shown" if columns > COLUMNS else ""


def _parquet(blobs: BlobStore, git: GitRepo, facts: FileFacts) -> Preview:
    if not facts.sha256 and facts.size > STORED_BYTES:
        return Preview(problem=f"the file is larger than {size_text(STORED_BYTES)}")
    source = str(blobs.path(facts.sha256)) if facts.sha256 else "-"
    command = [sys.executable, "-m", f"{__package__}.parquet_rows", source, str(ROWS), str(COLUMNS), str(CELL)]
    with _SLOTS:
        try:
            done = subprocess.run(
                command,
                input=b"" if facts.sha256 else git.blob(facts.sha),
                capture_output=True,
                env={**{name: os.environ[name] for name in _KEPT if name in os.environ}, **_PLAIN},
                timeout=CHILD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Preview(problem=f"its first rows took longer than {CHILD_SECONDS} seconds", passing=True)
    if done.returncode != 0 or len(done.stdout) > ANSWER_BYTES:
        return Preview(problem="its first rows need more memory or time than a page may use")
    found = json.loads(done.stdout)
    if "problem" in found:
        return Preview(problem=found["problem"])
    return Preview(
        columns=tuple(found["columns"]),
        rows=tuple(tuple(row) for row in found["rows"]),
        types=tuple(found["types"]),
        total=found["total"],
        note=found["note"] or _left_out(found["all_columns"]),
    )
