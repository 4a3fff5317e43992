"""What may leave this machine: commits that hold a secret, or records that name a local folder, are refused.

Local folders are the home and the working folder, those of this Python and of caches, and those that the command line
and the variables of `tft` name. Folders at the top (`/tmp`, `/root`) and those of the system identify no machine.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from harness.errors import UsageError
from harness.secrets import Secrets, known
from harness.terminal import say

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

    Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete


HIDDEN = "[folder]"
"""What stands for a folder of this machine."""
_LEAST = 3
"""Parts of a path that tells something of this machine, the root counted."""
_SYSTEM = ("usr", "lib", "bin", "etc", "proc", "dev")
"""Folders that are the same on many machines."""
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "VIRTUAL_ENV", "RUNNER_TEMP", "GITHUB_WORKSPACE")
_ABSOLUTE = re.compile(r"(?<![\w.:/~-])(?:~|/[\w.@+~-]+(?=/))(?:/[\w.@+~-]+)+/?")


def find_local_folder(text: str) -> str | None:
    """Return the first folder of this machine that a text names, None where it names none."""
    pattern = _pattern()
    found = pattern.search(text) if pattern else None
    return found[0] if found else None


def without_local_folders(text: str) -> str:
    """Return a text with `HIDDEN` in place of the folders of this machine."""
    pattern = _pattern()
    return pattern.sub(HIDDEN, text) if pattern else text


def without_paths(text: str) -> str:
    """Return a setting with the last part alone of every absolute path in it."""
    if text.startswith(("/", "~/")):
        return text.rstrip("/").rpartition("/")[2]
    return _ABSOLUTE.sub(lambda found: found[0].rstrip("/").rpartition("/")[2], text)


def _pattern() -> re.Pattern[str] | None:
    return _compiled(tuple(dict.fromkeys(_places())))


@lru_cache(maxsize=8)
def _compiled(places: tuple[str, ...]) -> re.Pattern[str] | None:
    if not places:
        return None
    longest = sorted(places, key=len, reverse=True)
    return re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, longest))})(?![\w.-]*[\w-])")


def _places() -> Iterator[str]:
    home = Path.home()
    named = [str(home), str(home / ".cache"), str(Path.cwd()), sys.prefix, str(Path(__file__).parents[2])]
    named += [os.environ.get(name, "") for name in _CACHES]
    words = [*sys.argv[1:], *(value for name, value in os.environ.items() if name.startswith("TFT_"))]
    for word in words:
        path = word[word.find("/") :] if word.partition("/")[0].endswith((":", "=", "")) and "/" in word else ""
        named += [path, str(Path(path).parent)] if path and "://" not in word and Path(path).parent.is_dir() else []
    for name in named:
        if name.startswith("/"):
            folders = (Path(name), Path(name).resolve())
            yield from (str(one) for one in folders if len(one.parts) >= _LEAST and one.parts[1] not in _SYSTEM)


_RECORDS = (".json", ".md", ".yaml", ".yml", ".html", ".txt", ".jinja", ".svg")
"""Files that the harness writes about its work. Rows are others' words, which may speak of any folder."""
_ROWS = ".jsonl"
_CHUNK = 8 << 20
_OVERLAP = 64 << 10
"""Bytes that two chunks share, so that nothing is missed where one ends."""
_BINARY_ENDS = 2 << 20
"""Of a file that is no text (weights, images) this many bytes at both ends are read: headers and metadata."""


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
    place = find_local_folder(chunk.decode("utf-8", "replace")) if path.endswith((*_RECORDS, _ROWS)) else None
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
