"""What changed between two commits: files, and unified diffs of text, with limits on size and time."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby, islice
from pathlib import Path

from ..bounds import Budget, Cache
from .git import GitRepo
from .objects import CommitFacts, FileFacts
from .trees import Entry

FILES_SHOWN, FILES_COUNTED = 100, 5_000
TEXT_BYTES = 256_000  # a larger file is not compared
COMPARED_LINES = 1_500  # lines that differ at most, after equal beginnings and ends
LINES_SHOWN = 600  # of one file
SECONDS = 0.8  # of processor time for all files; difflib's worst case is slow
CHARACTERS, LINE_COST = 600_000, 60  # shown of all files; a line costs this many more
CONTEXT = 3
NOWHERE = "/dev/null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a diff: `sign` is +, - or a blank, or @ for a gap; numbers in the old and the new file, 0 for none."""

    sign: str
    text: str
    old: int = 0
    new: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A changed file: `status` added, deleted or changed; facts before and after; lines, or why there are none."""

    path: str
    status: str
    before: FileFacts | None
    after: FileFacts | None
    lines: tuple[Line, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The changes between two commits; `more` files are not shown."""

    files: tuple[FileChange, ...]
    more: int


_KNOWN: Cache[tuple[Path, str, str], Changes] = Cache(32 << 20)  # by the commits before and after


def changes(git: GitRepo, old: str | None, new: str) -> Changes:
    """Return what `new` changed since `old` (commit ids; None: an empty repository)."""
    key = (git.path, old or "", new)
    if (known := _KNOWN.get(key)) is not None:
        return known
    budget = Budget(SECONDS)
    found: list[tuple[str, Entry | None, Entry | None]] = []
    before = git.commit(old).tree if old else None
    for pair in pairs(git, before, git.commit(new).tree):
        if len(found) == FILES_COUNTED or (budget.spent and len(found) > FILES_SHOWN):
            break
        found.append(pair)
    room = CHARACTERS
    files: list[FileChange] = []
    for path, one, two in found[:FILES_SHOWN]:
        files.append(_change(git, path, one, two, 0 if budget.spent else room))
        room -= sum(len(line.text) + LINE_COST for line in files[-1].lines)
    shown = Changes(files=tuple(files), more=len(found) - len(files))
    return _KNOWN.put(key, shown, 1000 + 1000 * len(files) + 4 * (CHARACTERS - room))


def pairs(
    git: GitRepo, old: str | None, new: str | None, prefix: str = ""
) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """Yield (path, file before, file after) of each difference between two trees (ids; None: an empty one)."""
    before, after = (git.tree(old) if old else {}), (git.tree(new) if new else {})
    for name in sorted(before.keys() | after.keys()):
        one, two = before.get(name), after.get(name)
        if one is not None and two is not None and one.sha == two.sha:
            continue
        folders = [entry.sha if entry is not None and entry.is_folder else None for entry in (one, two)]
        files = [None if entry is None or entry.is_folder else entry for entry in (one, two)]
        if any(files):
            yield f"{prefix}{name}", files[0], files[1]
        if any(folders):
            yield from pairs(git, folders[0], folders[1], f"{prefix}{name}/")


def _change(git: GitRepo, path: str, one: Entry | None, two: Entry | None, room: int) -> FileChange:
    """Return the change of a file with as many lines as there is `room` for (characters)."""
    before, after = (git.facts(entry.sha) if entry else None for entry in (one, two))
    status = "added" if before is None else "deleted" if after is None else "changed"
    if room <= 0:
        why = "not compared: the files before took all that a page has"
        return FileChange(path=path, status=status, before=before, after=after, why=why)
    lines: list[Line] = []
    texts = [_lines(git, facts) for facts in (before, after)]
    why = next((text for text in texts if isinstance(text, str)), "")
    if not why:
        lines = list(_compare(texts[0], texts[1]))  # type: ignore[arg-type]
        used = accumulate(len(line.text) + LINE_COST for line in lines[:LINES_SHOWN])
        shown = sum(1 for size in used if size <= room)
        why = "" if shown == len(lines) else f"{len(lines) - shown} more lines are not shown"
        lines = lines[:shown]
    return FileChange(path=path, status=status, before=before, after=after, lines=tuple(lines), why=why)


def _lines(git: GitRepo, facts: FileFacts | None) -> list[str] | str:
    """Return the lines of a text file, or why it is not compared."""
    if facts is None:
        return []
    if facts.sha256:
        return "a large file"
    if facts.size > TEXT_BYTES:
        return "too large to compare"
    data = git.blob(facts.sha)
    return "not text" if b"\0" in data else data.decode("utf-8", "replace").splitlines()


def _compare(old: list[str], new: list[str]) -> Iterator[Line]:
    start = _equal(old, new)
    end = _equal(old[start:][::-1], new[start:][::-1])
    first, second = old[start : len(old) - end], new[start : len(new) - end]
    if max(len(first), len(second)) > COMPARED_LINES:
        codes = [("replace", start, start + len(first), start, start + len(second))]
    else:
        matcher = difflib.SequenceMatcher(None, first, second)
        codes = [(tag, a + start, b + start, c + start, d + start) for tag, a, b, c, d in matcher.get_opcodes()]
    changed = [code for code in codes if code[0] != "equal"]
    shown = 0  # lines of the old file that were shown or passed
    for number, (_, a, b, c, d) in enumerate(changed):
        above = max(shown, a - CONTEXT)
        if above > shown:
            yield Line(sign="@", text=f"line {c - (a - above) + 1}")
        yield from _context(old, above, a, c - a)
        yield from (Line(sign="-", text=old[at], old=at + 1) for at in range(a, b))
        yield from (Line(sign="+", text=new[at], new=at + 1) for at in range(c, d))
        following = changed[number + 1][1] if number + 1 < len(changed) else len(old)
        shown = min(b + CONTEXT, following)
        yield from _context(old, b, shown, d - b)


def _context(old: list[str], first: int, end: int, shift: int) -> Iterator[Line]:
    return (Line(sign=" ", text=old[at], old=at + 1, new=at + shift + 1) for at in range(first, end))


def _equal(one: list[str], two: list[str]) -> int:
    """Return how many lines the two begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


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


def last_changes(
    git: GitRepo, commit: str, paths: Iterable[str], *, look_back: int, seconds: float
) -> dict[str, CommitFacts]:
    """Return path -> the last commit that changed it, of files and folders that are there (first parents only).

    A commit costs one comparison per folder, more only where the folder changed. Paths are missing that the latest
    `look_back` commits did not change, and those that there was no time for (`seconds` of processor time).
    """
    budget, found = Budget(seconds), dict[str, CommitFacts]()
    unchanged: dict[str, dict[str, str]] = {}  # folder -> path -> name in it
    for path in paths:
        folder, _, name = path.rpartition("/")
        unchanged.setdefault(folder, {})[path] = name
    trees = {folder: _folder(git, commit, folder) for folder in unchanged}
    for facts in islice(git.history(commit), look_back):
        for folder, names in list(unchanged.items()):
            now, before = trees[folder], _folder(git, facts.parents[0], folder) if facts.parents else None
            if before == now or now is None:
                continue
            trees[folder], old, new = before, git.tree(before) if before else {}, git.tree(now)
            changed = [path for path, name in names.items() if name not in old or old[name].sha != new[name].sha]
            found |= dict.fromkeys(changed, facts)
            unchanged[folder] = {path: name for path, name in names.items() if path not in found}
        if budget.spent or not any(unchanged.values()):
            break
    return found


def _folder(git: GitRepo, commit: str, path: str) -> str | None:
    """Return the id of the tree of a folder, None if there is none."""
    entry = git.entry(commit, path)
    return entry.sha if entry is not None and entry.is_folder else None
