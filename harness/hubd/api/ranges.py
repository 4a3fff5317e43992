"""Answers with content, whole or a byte range of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response, StreamingResponse

from ..storage.blobs import stream
from .request import Call

RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes to serve: in memory (`data`), in a file (`path`), or made on the way by `read(start, length)`."""

    size: int
    data: bytes = b""
    path: Path | None = None
    read: Callable[[int, int], Iterator[bytes]] | None = None

    def stream(self, start: int, length: int) -> Iterator[bytes] | None:
        """Return an iterator over `length` bytes from `start`, None if they are in memory."""
        if self.read is not None:
            return self.read(start, length)
        return stream(self.path, start, length) if self.path else None


def respond(call: Call, content: Content, headers: dict[str, str]) -> Response:
    """Return 200, 206 with the range asked for, 304 if the client has it, or 416."""
    headers = {**headers, "Accept-Ranges": "bytes"}
    etag = headers.get("ETag")
    if etag and call.headers.get("if-none-match") in (etag, "*"):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, content.size, 200
    if _asks_range(call) and call.headers.get("if-range", etag) == etag:
        start, end = byte_range(call, content.size)
        if start >= end:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{content.size}"})
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    headers["Content-Length"] = str(end - start)
    if call.method == "HEAD":
        return Response(status_code=status, headers=headers)
    parts = content.stream(start, end - start)
    if parts is None:
        return Response(content.data[start:end], status_code=status, headers=headers)
    return StreamingResponse(parts, status_code=status, headers=headers)


def _asks_range(call: Call) -> bool:
    wanted = RANGE.fullmatch(call.headers.get("range", "").strip())
    return wanted is not None and bool(wanted[1] or wanted[2])


def byte_range(call: Call, size: int) -> tuple[int, int]:
    """Return the first byte and the one after the last of the Range header, the whole of `size` bytes without one.

    The two are equal or crossed if the range lies outside.
    """
    wanted = RANGE.fullmatch(call.headers.get("range", "").strip())
    if wanted is None or not (wanted[1] or wanted[2]):
        return 0, size
    if not wanted[1]:
        return max(size - int(wanted[2]), 0), size
    return int(wanted[1]), min(int(wanted[2]) + 1, size) if wanted[2] else size
