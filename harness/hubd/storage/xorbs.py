"""The formats of Xet: xorbs (compressed chunks), shards (which chunks make which file), and large files as xorbs.

Xorbs and shards are little-endian, and a hash is written as hex of four 64-bit numbers. Layouts follow the open-source
Xet client. It wants to download a file as ranges of xorbs, and nothing is stored as xorbs here, so a file is described
as xorbs of its own: every PIECE bytes of it are one, cut into uncompressed chunks of CHUNK bytes, and written out when
they are read. Their names follow from the file's sha256, so what a client remembers of one is always right.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any

import lz4.frame

from ..errors import Refused
from .blobs import Buffer

INSTEAD = "set HF_HUB_DISABLE_XET=1 to send it as it is."
SHARD_TAG = b"HFRepoMetaDa"
SHARD_HEADER = RECORD = 48  # bytes
BOOKEND = b"\xff" * 32
HAS_VERIFICATION, HAS_SHA256 = 1 << 31, 1 << 30
XORB_FOOTER = b"XETBLOB"
PLAIN, LZ4, GROUPED_LZ4 = 0, 1, 2
READ_STEP = 2 << 20
CHUNK_LIMIT = 4 << 20  # chunks are at most 128 KiB; a header that says much more is an attack
CHUNKS_LIMIT = 8 << 10  # in one xorb, as clients have it
UNPACKED_LIMIT = 128 << 20  # bytes of one xorb's contents; clients stop at half of it
SEGMENTS_LIMIT = 1 << 17  # of one file
CHUNK, PIECE = 64 << 10, 32 << 20  # of files as they are downloaded
HEADER = 8  # bytes before a chunk
PACKED_CHUNK = HEADER + CHUNK


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Chunks `first` up to (not including) `last` of a xorb; `size` bytes when unpacked."""

    xorb: str
    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """A file: its sha256 if the client says it (64 hex), and the segments that make it."""

    sha256: str | None
    segments: tuple[Segment, ...]


def hash_hex(raw: bytes) -> str:
    """Return the 64 hex digits of a 32-byte Xet hash."""
    return "".join(f"{part:016x}" for part in struct.unpack("<4Q", raw))


class Shard:
    """What a shard (bytes, or a file in memory as far as it is read) says; its files are made one at a time."""

    def __init__(self, data: bytes | mmap) -> None:
        """Look through the whole of it; raises Refused (400) if it is damaged."""
        if data[: len(SHARD_TAG)] != SHARD_TAG:
            raise Refused(400, "This is no shard: its first bytes are wrong.")
        self._data = data
        try:
            self.count = sum(1 for _ in _places(data))
        except struct.error as error:
            raise Refused(400, "The shard ends too early.") from error

    def __iter__(self) -> Iterator[ShardFile]:
        return (_file(self._data, *place) for place in _places(self._data))


def _places(data: bytes | mmap) -> Iterator[tuple[int, int, int]]:
    """Yield the flags, the number of segments and the place of the first one of each file."""
    at = SHARD_HEADER
    while True:
        name = data[at : at + 32]
        flags, count = struct.unpack_from("<II", data, at + 32)
        at += RECORD
        if name == BOOKEND:
            return
        if count > SEGMENTS_LIMIT:
            raise Refused(400, f"A file of the shard has more than {SEGMENTS_LIMIT} segments; {INSTEAD}")
        start = at
        at += RECORD * count * (2 if flags & HAS_VERIFICATION else 1)
        if flags & HAS_SHA256:
            at += RECORD
        struct.unpack_from("<B", data, at - 1)  # it is all there
        yield flags, count, start


def _file(data: bytes | mmap, flags: int, count: int, at: int) -> ShardFile:
    segments = []
    for _ in range(count):
        _, size, first, last = struct.unpack_from("<IIII", data, at + 32)
        segments.append(Segment(xorb=hash_hex(data[at : at + 32]), size=size, first=first, last=last))
        at += RECORD
    if flags & HAS_VERIFICATION:
        at += RECORD * count
    sha256 = hash_hex(data[at : at + 32]) if flags & HAS_SHA256 else None
    return ShardFile(sha256=sha256, segments=tuple(segments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Where a chunk lies in a xorb file: `offset` of its packed bytes, `packed` and `size` in bytes, and its scheme."""

    offset: int
    packed: int
    size: int
    scheme: int


def xorb_chunks(path: Path) -> list[Chunk]:
    """Return the chunks of a xorb file in order; raises Refused (400) if it is damaged."""
    chunks: list[Chunk] = []
    total = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        at = unpacked = 0
        while at + 8 <= total:
            header = os.pread(file.fileno(), 8, at)
            if header.startswith(XORB_FOOTER):
                break
            packed, size = int.from_bytes(header[1:4], "little"), int.from_bytes(header[5:8], "little")
            if header[0] != 0 or header[4] > GROUPED_LZ4 or size > CHUNK_LIMIT or at + 8 + packed > total:
                raise Refused(400, "The xorb is damaged or of an unknown version.")
            unpacked += size
            if not size or not packed or packed > CHUNK_LIMIT or unpacked > UNPACKED_LIMIT:
                raise Refused(400, "The xorb has an empty chunk, or unpacks to more than clients put into one.")
            if len(chunks) == CHUNKS_LIMIT:
                raise Refused(400, f"The xorb has more than {CHUNKS_LIMIT} chunks.")
            chunks.append(Chunk(offset=at + 8, packed=packed, size=size, scheme=header[4]))
            at += 8 + packed
    if not chunks:
        raise Refused(400, "The xorb has no chunks.")
    return chunks


def read_chunks(path: Path, chunks: list[Chunk]) -> Iterator[list[Buffer]]:
    """Yield the contents of neighbouring chunks of a xorb file, about READ_STEP bytes at a time; raises Refused (400).

    Plain chunks are views of one buffer: they are good until the next ones are asked for.
    """
    buffer = memoryview(bytearray(max([READ_STEP, *(chunk.packed for chunk in chunks)])))
    with path.open("rb", buffering=0) as file:
        at = 0
        while at < len(chunks):
            start, first = chunks[at].offset, at
            while at < len(chunks) and chunks[at].offset + chunks[at].packed - start <= len(buffer):
                at += 1
            os.preadv(file.fileno(), [buffer], start)
            places = [(chunk.offset - start, chunk) for chunk in chunks[first:at]]
            yield [unpack(buffer[place : place + chunk.packed], chunk) for place, chunk in places]


def unpack(data: Buffer, chunk: Chunk) -> Buffer:
    """Return the content of a chunk from its packed bytes; raises Refused (400) if it is damaged."""
    if chunk.scheme == PLAIN:
        content: Buffer = data
    else:
        try:
            # Bounded: a chunk that unpacks to more than it announces is never held in memory.
            content = lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=chunk.size + 1)
        except RuntimeError as error:
            raise Refused(400, "A chunk of the xorb cannot be decompressed.") from error
        if chunk.scheme == GROUPED_LZ4:
            content = _ungroup(content)
    if len(content) != chunk.size:
        raise Refused(400, "A chunk of the xorb has another size than announced.")
    return content


def _ungroup(data: Buffer) -> Buffer:
    """Undo the grouping of bytes by their position modulo 4."""
    whole, rest = divmod(len(data), 4)
    result = bytearray(len(data))
    at = 0
    for position in range(4):
        length = whole + (position < rest)
        result[position::4] = data[at : at + length]
        at += length
    return result


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
            "start": chunks["start"] * PACKED_CHUNK,
            "end": min(chunks["end"] * PACKED_CHUNK, piece_size(size, piece)) - 1,
        }
        terms.append({"hash": name, "unpacked_length": to_byte - from_byte, "range": chunks})
        fetch[name] = [{"range": chunks, "url": link.format(piece=piece), "url_range": packed}]
    return {"offset_into_first_range": start % CHUNK, "terms": terms, "fetch_info": fetch}


def records(path: Path, size: int, piece: int, start: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes from `start` of a piece of the file at `path`, about a mebibyte at a time."""
    step = 16
    first = start // PACKED_CHUNK
    skip = start - first * PACKED_CHUNK
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
