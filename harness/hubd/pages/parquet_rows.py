"""A process that reads the first rows of one Parquet file and prints them as JSON, under limits it sets itself.

    python -m harness.hubd.pages.parquet_rows FILE|- ROWS COLUMNS CHARACTERS

It refuses by what the file's footer says before anything is unpacked; the memory and time limits hold if it lies.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

MEMORY = 3 << 29  # bytes of address space: pyarrow itself takes a third of it
SECONDS = 2  # of CPU
FOOTER = 16 << 20
CHUNK = 128 << 20  # unpacked bytes of a column in a row group; a wider one is left out
SCHEMA_COLUMNS = 5_000
ELEMENTS = 50  # of a list or a mapping in a cell


def main() -> None:
    """Read, print, and end; any failure ends the process with a status other than 0."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    source, rows, columns, characters = sys.argv[1], *map(int, sys.argv[2:5])
    file: BinaryIO = io.BytesIO(sys.stdin.buffer.read()) if source == "-" else Path(source).open("rb")  # noqa: SIM115
    try:
        found = _read(file, rows, columns, characters)
    except (ValueError, OSError, KeyError, NotImplementedError, RecursionError) as error:  # Arrow's errors among them
        found = {"problem": f"it is no readable Parquet file ({type(error).__name__})"}
    sys.stdout.write(json.dumps(found))


def _read(file: BinaryIO, rows: int, columns: int, characters: int) -> dict[str, Any]:
    problem = _footer_problem(file)
    if problem:
        return {"problem": problem}
    import pyarrow
    import pyarrow.parquet

    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False)
    metadata, schema = parquet.metadata, parquet.schema_arrow
    if metadata.num_columns > SCHEMA_COLUMNS:
        return {"problem": f"it has more than {SCHEMA_COLUMNS} columns"}
    heavy = _heavy_columns(metadata)
    wanted = [name for name in schema.names if name not in heavy][:columns]
    table: list[list[str]] = []
    if metadata.num_row_groups and wanted:
        batches = parquet.iter_batches(batch_size=rows, row_groups=[0], columns=wanted, use_threads=False)
        batch = next(iter(batches), None)
        table = [] if batch is None else _texts(batch, wanted, rows, characters)
    return {
        "columns": [name[:characters] for name in wanted],
        "types": [str(schema.field(name).type)[:80] for name in wanted],
        "rows": table,
        "total": metadata.num_rows,
        "all_columns": len(schema.names),
        "note": f"{len(heavy)} columns are too large to be shown" if heavy else "",
    }


def _footer_problem(file: BinaryIO) -> str:
    """Return what is wrong with the length of the footer, which a reader allocates before it looks at it."""
    end = file.seek(0, io.SEEK_END)
    if end < 12:
        return "it is too short for a Parquet file"
    file.seek(end - 8)
    length, magic = struct.unpack("<I4s", file.read(8))
    file.seek(0)
    if magic != b"PAR1" or length > end - 12:
        return "it does not end like a Parquet file"
    return "its description is too large" if length > FOOTER else ""


def _heavy_columns(metadata: Any) -> set[str]:
    """Return the top-level columns whose first row group unpacks to more than CHUNK bytes."""
    sizes: dict[str, int] = {}
    if metadata.num_row_groups:
        group = metadata.row_group(0)
        for number in range(group.num_columns):
            column = group.column(number)
            name = column.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + max(column.total_uncompressed_size, 0)
    return {name for name, size in sizes.items() if size > CHUNK}


def _texts(batch: Any, names: list[str], rows: int, characters: int) -> list[list[str]]:
    columns = []
    for name in names:
        column = batch.column(batch.schema.get_field_index(name))
        columns.append([_text(_plain(scalar), characters) for scalar in column[:rows]])
    return [list(row) for row in zip(*columns, strict=True)]


def _plain(scalar: Any) -> Any:
    """Return an Arrow value as plain data, long lists cut before they are unfolded."""
    import pyarrow

    if not scalar.is_valid:
        return None
    kind = scalar.type
    if isinstance(kind, pyarrow.JsonType):
        return _decoded(scalar.as_py())
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        values = scalar.values
        cut = [_plain(value) for value in values[:ELEMENTS]]
        return [*cut, f"… {len(values) - ELEMENTS} more"] if len(values) > ELEMENTS else cut
    if pyarrow.types.is_struct(kind):
        return {field.name: _plain(scalar[field.name]) for field in list(kind)[:ELEMENTS]}
    if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind) or pyarrow.types.is_fixed_size_binary(kind):
        return f"<{len(scalar.as_buffer())} bytes>"
    return scalar.as_py()


def _decoded(text: str) -> Any:
    """Return what the text of a JSON column says; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _text(value: Any, characters: int) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= characters else f"{text[:characters]}…"


if __name__ == "__main__":
    main()
