"""The changes of a pull request as a unified diff, the text that API clients read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from .diffs import FileChange, Line, changes
from .git import GitRepo

NOWHERE = "/dev/null"


def patch(git: GitRepo, old: str | None, new: str) -> str:
    """Return what the commit `new` changed since `old`; very long ones are cut, large and binary files only named."""
    return "".join(f"{line}\n" for change in changes(git, old, new).files for line in _file(change))


def _file(change: FileChange) -> Iterator[str]:
    old, new = f"a/{change.path}", f"b/{change.path}"
    yield f"diff --git {old} {new}"
    if change.before is None or change.after is None:
        yield f"{'new' if change.before is None else 'deleted'} file mode 100644"
    old, new = (NOWHERE if change.before is None else old), (NOWHERE if change.after is None else new)
    if change.why and not change.lines:
        yield f"Binary files {old} and {new} differ"
        return
    if change.lines:
        yield from (f"--- {old}", f"+++ {new}")
    for gap, lines in groupby(change.lines, key=lambda line: line.sign == "@"):
        if not gap:
            yield from _hunk(list(lines))


def _hunk(lines: list[Line]) -> Iterator[str]:
    yield f"@@ -{_extent(line.old for line in lines)} +{_extent(line.new for line in lines)} @@"
    yield from (f"{line.sign}{line.text}" for line in lines)


def _extent(numbers: Iterable[int]) -> str:
    there = [number for number in numbers if number]
    return f"{there[0] if there else 0},{len(there)}"
