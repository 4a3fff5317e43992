"""The body of a commit as clients send it: one JSON operation per line, bounded before anything is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Refused

LINE_LIMIT = 16 << 20  # bytes; clients send files from 10 MiB on as large ones
LINES_LIMIT = 50_000
MESSAGE_LIMIT = 1 << 20
TEXTS, BARE = 100, 4 << 10  # of a line: texts, and bytes outside texts (numbers, brackets, commas)
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a commit: its author's words, and the parent that the client saw (a commit id or None)."""

    title: str
    description: str
    parent: str | None


def lines_of(body: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (key, value) of each line of an NDJSON body; raises Refused (400 or 413)."""
    with body.open("rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            if len(line) > LINE_LIMIT:
                raise Refused(
                    413,
                    f"Line {number} of the commit is larger than {LINE_LIMIT >> 20} MiB; upload that file as a large "
                    "one (LFS or Xet).",
                )
            if number > LINES_LIMIT:
                raise Refused(413, f"The commit has more than {LINES_LIMIT:,} lines; split it into several commits.")
            if not line.strip():
                continue
            if not _is_plain(line):
                raise Refused(400, f"Line {number} of the commit holds more values than any operation has.")
            try:
                item = json.loads(line.decode())
                key, value = item["key"], item["value"]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise Refused(400, f"Line {number} of the commit is not a JSON object with key and value.") from error
            if not isinstance(key, str) or not isinstance(value, dict):
                raise Refused(400, f"Line {number} of the commit: expected a text as key and an object as value.")
            yield key, value


def _is_plain(line: bytes) -> bool:
    """Return whether a line holds few values: as JSON it could unfold to a hundred times its size."""
    if sum(map(line.count, (b"[", b"{", b","))) <= TEXTS:
        return True
    end = bare = 0
    for number, found in enumerate(_TEXT.finditer(line)):
        bare += found.start() - end
        end = found.end()
        if number > TEXTS or bare > BARE:
            return False
    return bare + len(line) - end <= BARE


def read_header(lines: Iterator[tuple[str, dict[str, Any]]]) -> Header:
    """Return the header line; raises Refused (400)."""
    key, value = next(lines, ("", {}))
    title, description, parent = value.get("summary"), value.get("description") or "", value.get("parentCommit")
    texts = isinstance(title, str) and isinstance(description, str) and isinstance(parent, str | None)
    if key != "header" or not texts or not title:
        raise Refused(
            400, "A commit starts with a header that has a summary, and possibly description and parentCommit."
        )
    if any(0xD800 <= ord(c) <= 0xDFFF for c in title + description):
        raise Refused(400, "The commit message is not valid Unicode.")
    if len(title) + len(description) > MESSAGE_LIMIT:
        raise Refused(413, "The commit message is larger than 1 MiB.")
    return Header(title=str(title), description=str(description), parent=parent)
