"""Pages: the files of a revision, and one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from ..api.tree import iso
from ..bounds import Cache
from ..errors import entry_not_found
from ..storage.diffs import last_changes
from ..storage.git import GitRepo
from ..storage.objects import CommitFacts, FileFacts
from ..storage.trees import Entry
from .page import RepoPage, redirect, revision_page
from .rows import Preview, first_rows, has_rows

TREE_PAGE = 500
LOOK_BACK, SECONDS = 200, 0.8  # commits that are searched for the last change of a file, and processor time for that
TEXT_BYTES, TEXT_LINES = 400_000, 4_000
_CHANGES: Cache[tuple[Path, str, str, str], dict[str, CommitFacts]] = Cache(8 << 20)  # by commit, folder, first name
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A file or folder in a list, and the last commit that changed it, if it was found."""

    name: str
    address: str
    folder: bool
    size: int
    large: bool
    download: str
    commit: CommitFacts | None
    date: str


@revision_page
def tree(view: RepoPage) -> Response:
    """List a folder."""
    inside, entry = _named(view)
    if not entry.is_folder:
        return redirect(view.address("blob", inside))
    entries = sorted(view.git.tree(entry.sha).items(), key=lambda item: (not item[1].is_folder, item[0]))
    start = view.call.number("p", 0, 1 << 30) * TREE_PAGE
    shown = entries[start : start + TREE_PAGE]
    paths = {f"{inside}/{name}" if inside else name: item for name, item in shown}
    changed = _last_changes(view, inside, list(paths))
    lines = [_line(view, path, item, changed.get(path)) for path, item in paths.items()]
    return view.show(
        "tree", "tree", lines=lines, crumbs=view.crumbs("tree", inside), total=len(entries), start=start,
        older=f"?p={start // TREE_PAGE + 1}" if start + TREE_PAGE < len(entries) else "",
        newer=f"?p={start // TREE_PAGE - 1}" if start else "",
    )  # fmt: skip


def _named(view: RepoPage) -> tuple[str, Entry]:
    """Return the path in the repository that the address names, and what is there; raises Refused (404)."""
    path = "/".join(view.call.segments[1:]).strip("/")
    entry = view.git.entry(view.commit, path)
    if entry is None:
        raise entry_not_found(path, view.commit)
    return path, entry


def _line(view: RepoPage, path: str, entry: Entry, commit: CommitFacts | None) -> Line:
    facts = None if entry.is_folder else view.git.facts(entry.sha)
    return Line(
        name=path.rpartition("/")[2],
        address=view.address("tree" if entry.is_folder else "blob", path),
        folder=entry.is_folder,
        size=facts.size if facts else 0,
        large=bool(facts and facts.sha256),
        download="" if entry.is_folder else view.address("resolve", path),
        commit=commit,
        date=iso(commit.time) if commit else "",
    )


def _last_changes(view: RepoPage, inside: str, paths: list[str]) -> dict[str, CommitFacts]:
    """Return path -> the last commit that changed it, of a page of a folder; found once."""
    key = (view.git.path, view.commit, inside, paths[0] if paths else "")
    if (known := _CHANGES.get(key)) is not None:
        return known
    found = last_changes(view.git, view.commit, paths, look_back=LOOK_BACK, seconds=SECONDS)
    return _CHANGES.put(key, found, 1000 + 200 * len(found) + 2 * sum(map(len, found)))


@revision_page
def blob(view: RepoPage) -> Response:
    """Show a file: text with line numbers, a picture, the first rows of a table, or what is known of it."""
    inside, entry = _named(view)
    if entry.is_folder:
        return redirect(view.address("tree", inside))
    facts = view.git.facts(entry.sha)
    picture = inside.lower().endswith(PICTURES)
    rows = _rows(view, inside, facts)
    text = None if picture or rows is not None else _text(view.git, facts)
    return view.show(
        "blob", "tree", name=inside, crumbs=view.crumbs("blob", inside), facts=facts, picture=picture, rows=rows,
        text=text, lines=text.split("\n")[:TEXT_LINES] if text else [], limit=TEXT_LINES,
        download=view.address("resolve", inside), history=view.address("commits"),
    )  # fmt: skip


def _rows(view: RepoPage, inside: str, facts: FileFacts) -> Preview | None:
    return first_rows(view.call.services.blobs, view.git, inside, facts) if has_rows(inside) else None


def _text(git: GitRepo, facts: FileFacts) -> str | None:
    """Return the beginning of a text file, None if it is none or a large file."""
    if facts.sha256:
        return None
    data = git.blob(facts.sha)[:TEXT_BYTES]
    return None if b"\0" in data else data.decode("utf-8", "replace").removesuffix("\n")
