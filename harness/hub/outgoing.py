"""What may leave this machine: a commit that holds a secret, or a record that names a folder of it, is refused."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from harness.errors import UsageError
from harness.hub.places import find_place
from harness.secrets import Secrets, known
from harness.terminal import say

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

    Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete

_RECORDS = (".json", ".md", ".yaml", ".yml", ".html", ".txt", ".jinja", ".svg")
"""Files that the harness writes about its work. Rows are others' words, which may speak of any folder."""
_ROWS = ".jsonl"
_CHUNK = 8 << 20
_OVERLAP = 64 << 10
"""Bytes that two chunks share, so that nothing is missed where one ends."""
_BINARY_ENDS = 2 << 20
"""Of a file that is no text (weights, images) the first and the last so many bytes are read: headers and metadata."""


def check_outgoing(operations: Iterable[Operation], words: Iterable[str], to: object) -> None:
    """Raise UsageError where a file that is added, its path, or one of the commit's `words` holds a secret."""
    secrets = known()
    for word in words:
        if what := secrets.find(word):
            raise UsageError(f"the title of a commit to {to} holds {what}; nothing was pushed: name things otherwise")
    for operation in operations:
        path = operation.path_in_repo
        if what := secrets.find(path):
            raise UsageError(f"the name of a file for {to} holds {what}; nothing was pushed: rename that file")
        with _opened(getattr(operation, "path_or_fileobj", b"")) as stream:
            for chunk in _chunks(stream):
                _check(secrets, path, chunk, to)


def _check(secrets: Secrets, path: str, chunk: bytes, to: object) -> None:
    if what := secrets.find(chunk):
        raise UsageError(
            f"{path} holds {what} or a part of it, so nothing was pushed to {to}; "
            "take it out of what that file is made from, then run this again"
        )
    place = find_place(chunk.decode("utf-8", "replace")) if path.endswith((*_RECORDS, _ROWS)) else None
    if place and path.endswith(_ROWS):
        say(f"note: {path} of {to} names a folder of this machine, {place}")
    elif place:
        raise UsageError(
            f"{path} names a folder of this machine ({place}), so nothing was pushed to {to}; "
            "take that out of what the file is made from, or work in a folder that may be known"
        )


@contextmanager
def _opened(content: str | Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
    """Yield a file's content from its beginning; a stream is left where it was."""
    if isinstance(content, str | Path):
        with Path(content).open("rb") as stream:
            yield stream
        return
    found = io.BytesIO(content) if isinstance(content, bytes) else content
    place = found.tell()
    try:
        yield found
    finally:
        found.seek(place)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a file in pieces, of one that is no text both ends."""
    first = stream.read(_CHUNK)
    if b"\0" in first[:_OVERLAP]:
        yield first[:_BINARY_ENDS]
        stream.seek(max(0, stream.seek(0, 2) - _BINARY_ENDS))
        yield stream.read()
        return
    while first:
        yield first
        following = stream.read(_CHUNK)
        first = first[-_OVERLAP:] + following if following else b""


def operations(files: Mapping[str, str | bytes | Path], removed: Iterable[str] = ()) -> list[Operation]:
    """Return what a commit does that writes `files` (contents, or paths on this machine) and removes others."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    bodies = {
        name: body.encode() if isinstance(body, str) else str(body) if isinstance(body, Path) else body
        for name, body in files.items()
    }
    added = [CommitOperationAdd(name, body) for name, body in bodies.items()]
    return [*added, *(CommitOperationDelete(path, is_folder=False) for path in removed)]
