"""Pages: the files of a revision, and one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from starlette.responses import Response

from ..api.tree import iso
from ..bounds import Budget, Cache
from ..errors import entry_not_found
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
    inside = _inside(view)
    entry = view.git.entry(view.commit, inside)
    if entry is None:
        raise entry_not_found(inside, view.commit)
    if not entry.is_folder:
        return redirect(view.address("blob", inside))
    entries = sorted(view.git.tree(entry.sha).items(), key=lambda item: (not item[1].is_folder, item[0]))
    start = view.call.number("p", 0, 1 << 30) * TREE_PAGE
    shown = entries[start : start + TREE_PAGE]
    changed = last_changes(view.git, view.commit, inside, [name for name, _ in shown])
    lines = [_line(view, inside, name, item, changed) for name, item in shown]
    return view.show(
        "tree", "tree", lines=lines, crumbs=view.crumbs("tree", inside), total=len(entries), start=start,
        older=f"?p={start // TREE_PAGE + 1}" if start + TREE_PAGE < len(entries) else "",
        newer=f"?p={start // TREE_PAGE - 1}" if start else "",
    )  # fmt: skip


def _inside(view: RepoPage) -> str:
    """Return the path in the repository that the address names."""
    return "/".join(view.call.segments[1:]).strip("/")


def _line(view: RepoPage, inside: str, name: str, entry: Entry, changed: dict[str, CommitFacts]) -> Line:
    whole = f"{inside}/{name}" if inside else name
    facts = None if entry.is_folder else view.git.facts(entry.sha)
    commit = changed.get(name)
    return Line(
        name=name,
        address=view.address("tree" if entry.is_folder else "blob", whole),
        folder=entry.is_folder,
        size=facts.size if facts else 0,
        large=bool(facts and facts.sha256),
        download="" if entry.is_folder else view.address("resolve", whole),
        commit=commit,
        date=iso(commit.time) if commit else "",
    )


def last_changes(git: GitRepo, commit: str, inside: str, names: Iterable[str]) -> dict[str, CommitFacts]:
    """Return the last commit that changed each name in a folder.

    Names are missing that changed before LOOK_BACK commits, or before those that there was time for.
    """
    wanted = tuple(names)
    key = (git.path, commit, inside, wanted[0] if wanted else "")
    if (known := _CHANGES.get(key)) is not None:
        return known
    budget, now = Budget(SECONDS), _folder(git, commit, inside)
    open_names = set(wanted)
    found: dict[str, CommitFacts] = {}
    for facts in islice(git.history(commit), LOOK_BACK):
        if not open_names or budget.spent:
            break
        before = _folder(git, facts.parents[0], inside) if facts.parents else {}
        changed = {name for name in open_names if name not in before or before[name].sha != now[name].sha}
        found |= dict.fromkeys(changed, facts)
        open_names -= changed
    return _CHANGES.put(key, found, 1000 + 200 * len(found))


def _folder(git: GitRepo, commit: str, inside: str) -> dict[str, Entry]:
    entry = git.entry(commit, inside)
    return git.tree(entry.sha) if entry is not None and entry.is_folder else {}


@revision_page
def blob(view: RepoPage) -> Response:
    """Show a file: text with line numbers, a picture, the first rows of a table, or what is known of it."""
    inside = _inside(view)
    entry = view.git.entry(view.commit, inside)
    if entry is None:
        raise entry_not_found(inside, view.commit)
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
