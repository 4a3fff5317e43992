"""Xet downloads of ordinary large files.

The client wants a file as ranges of xorbs. Nothing is stored as xorbs here, so a file is described as xorbs of its own:
every PIECE bytes of it are one, cut into uncompressed chunks of CHUNK bytes, and written out when they are read. Their
names follow from the file's sha256, so what a client remembers of one is always right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .xorbs import PLAIN

CHUNK = 64 << 10
PIECE = 32 << 20
HEADER = 8
RECORD = HEADER + CHUNK


def piece_name(sha256: str, piece: int) -> str:
    """Return the name (64 hex) of one piece of a file."""
    return hashlib.sha256(f"{sha256}/{piece}/{CHUNK}/{PIECE}".encode()).hexdigest()


def piece_size(size: int, piece: int) -> int:
    """Return the bytes of a piece as a xorb, headers included; `size` is that of the file."""
    content = min(PIECE, size - piece * PIECE)
    return content + HEADER * -(-content // CHUNK)


def reconstruction(sha256: str, size: int, start: int, end: int, link: str) -> dict[str, Any]:
    """Return how to put together the bytes `start` up to `end` of a file; `link` has a place for the piece number."""
    first_chunk, last_chunk = start // CHUNK, -(-end // CHUNK)
    terms, fetch = [], {}
    per_piece = PIECE // CHUNK
    for piece in range(first_chunk // per_piece, -(-last_chunk // per_piece)):
        offset = piece * per_piece
        chunks = {"start": max(first_chunk - offset, 0), "end": min(last_chunk - offset, per_piece)}
        from_byte, to_byte = offset * CHUNK + chunks["start"] * CHUNK, min((offset + chunks["end"]) * CHUNK, size)
        name = piece_name(sha256, piece)
        packed = {
            "start": chunks["start"] * RECORD,
            "end": min(chunks["end"] * RECORD, piece_size(size, piece)) - 1,
        }
        terms.append({"hash": name, "unpacked_length": to_byte - from_byte, "range": chunks})
        fetch[name] = [{"range": chunks, "url": link.format(piece=piece), "url_range": packed}]
    return {"offset_into_first_range": start % CHUNK, "terms": terms, "fetch_info": fetch}


def records(path: Path, size: int, piece: int, start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes from `start` of a piece of the file at `path`, about a mebibyte at a time."""
    step = 16
    first = start // RECORD
    skip = start - first * RECORD
    with path.open("rb") as file:
        file.seek(piece * PIECE + first * CHUNK)
        remaining = min(PIECE, size - piece * PIECE) - first * CHUNK
        while length > 0 and remaining > 0:
            content = memoryview(file.read(min(step * CHUNK, remaining)))
            remaining -= len(content)
            parts: list[bytes | memoryview] = []
            for at in range(0, len(content), CHUNK):
                chunk = content[at : at + CHUNK]
                parts += [chunk_header(len(chunk)), chunk]
            data = b"".join(parts)[skip : skip + length]
            skip = 0
            length -= len(data)
            yield data


def chunk_header(size: int) -> bytes:
    """Return the header of an uncompressed chunk of `size` bytes."""
    return b"\0" + size.to_bytes(3, "little") + bytes([PLAIN]) + size.to_bytes(3, "little")
