"""A process that reads a Parquet file and prints its rows as JSON, one per line, under limits it sets itself.

    python -m harness.data.traces.parquet_reader FILE

A line that is a text and no object is the last one and says what is wrong with the file. What its footer says is
looked at before anything is unpacked; the limits of memory and processor time hold if it lies.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, time
from pathlib import Path
from typing import Any

from harness.data.formats.calls import ARGUMENT_KEYS, NAME_KEYS

MEMORY = 2 << 30
"""Bytes of address space; pyarrow itself takes a fourth of it."""
SECONDS = 30
"""Of processor time, and one more for each MiB of the file."""
FOOTER = 16 << 20
COLUMNS = 2_000
FEW_ROWS = 10_000
"""A file of any size may have this many; more only where each has a byte at least."""
AT_ONCE = 16
"""Rows: one may be as large as a file."""


def main() -> None:
    """Read, print, and end; what goes wrong is the last line."""
    path = Path(sys.argv[1])
    size = path.stat().st_size
    _limit(SECONDS + (size >> 20))
    try:
        for row in _rows(path, size):
            sys.stdout.write(json.dumps(row, default=_plain) + "\n")
    except MemoryError:
        problem = f"a row needs more than {MEMORY >> 20} MiB of memory"
    except BrokenPipeError:
        os._exit(0)  # the reader wants no more rows
    except Exception as error:  # any error of a parser on a file from outside
        problem = " ".join(f"{error}".split())[:300] or type(error).__name__
    else:
        return
    with suppress(MemoryError):
        sys.stdout.write(json.dumps(problem) + "\n")


def _limit(seconds: int) -> None:
    """Have this process end before it takes the machine, on systems that know such limits."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows; what the footer says holds there too
        return
    wanted = {resource.RLIMIT_AS: MEMORY, resource.RLIMIT_CPU: seconds, resource.RLIMIT_CORE: 0}
    for kind, most in {**wanted, resource.RLIMIT_FSIZE: 0}.items():
        with suppress(ValueError, OSError):  # a system that has the name alone, or a lower limit already
            resource.setrlimit(kind, (most, most))


def _rows(path: Path, size: int) -> Iterator[dict[str, Any]]:
    _check_footer(path, size)
    import pyarrow
    from pyarrow import parquet

    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        if file.metadata.num_columns > COLUMNS:
            raise ValueError(f"it has more than {COLUMNS:,} columns")
        if not 0 <= file.metadata.num_rows <= FEW_ROWS + size:
            raise ValueError(f"it says that it has {file.metadata.num_rows:,} rows in {size:,} bytes")
        for batch in file.iter_batches(batch_size=AT_ONCE, use_threads=False):
            for row in batch.to_pylist():
                yield {key: _without_absent_arguments(value) for key, value in row.items()}


def _without_absent_arguments(value: Any) -> Any:
    """Return a value without the null members of arguments: one struct has those of all tools in a column."""
    if isinstance(value, list):
        return [_without_absent_arguments(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _without_absent_arguments(one) for key, one in value.items()}
    if any(found.get(key) for key in NAME_KEYS):
        for key in ARGUMENT_KEYS:
            if isinstance(found.get(key), dict):
                found[key] = {name: one for name, one in found[key].items() if one is not None}
    return found


def _check_footer(path: Path, size: int) -> None:
    """Raise ValueError for a length of the footer that cannot be, which a reader allocates before it looks at it."""
    with path.open("rb") as file:
        file.seek(max(size - 8, 0))
        end = file.read(8)
    length = struct.unpack("<I4s", end)[0] if len(end) == 8 else size
    if length > size - 12 or end[4:] != b"PAR1":
        raise ValueError("it does not end like a Parquet file")
    if length > FOOTER:
        raise ValueError(f"its description has more than {FOOTER >> 20} MiB")


def _plain(value: Any) -> str:
    """Return a value that JSON does not have as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, date | time) else str(value)


if __name__ == "__main__":
    main()
