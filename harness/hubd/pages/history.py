"""Pages: the commits of a revision, and one of them with its diff."""

from __future__ import annotations

from itertools import islice

from starlette.responses import Response

from ..api.request import Call
from ..api.tree import iso
from ..storage.diffs import changes
from ..storage.facts import CommitFacts
from ..storage.git import GitRepo
from .repo_page import RepoPage, moved, open_page
from .view import path

PAGE, PAGES = 50, 100
NAMES = {"refs/heads/": "branch", "refs/tags/": "tag"}


def commits(call: Call) -> Response:
    """List commits, newest first, with the branches and tags that point at them."""
    if (away := moved(call)) is not None:
        return away
    view = open_page(call, revision=call.segments[0])
    number = call.number("p", 0, PAGES)
    found = list(islice(view.git.history(view.commit), number * PAGE, (number + 1) * PAGE + 1))
    names = ref_names(view.git)
    rows = [{"facts": facts, "date": iso(facts.time), "names": names.get(facts.sha, [])} for facts in found[:PAGE]]
    return view.show(
        "commits", "commits", rows=rows, names=sorted({pair for pairs in names.values() for pair in pairs}),
        newer=f"?p={number - 1}" if number else "", older=_older(view, number, found),
    )  # fmt: skip


def _older(view: RepoPage, number: int, found: list[CommitFacts]) -> str:
    """Return where the history goes on; a page far back starts at its own commit, since all before it are passed."""
    if len(found) <= PAGE:
        return ""
    return f"?p={number + 1}" if number < PAGES else f"{path(view.repo.web_path)}/commits/{found[PAGE].sha}"


def ref_names(git: GitRepo) -> dict[str, list[tuple[str, str]]]:
    """Return commit -> (branch or tag, its name) of all that point at it."""
    names: dict[str, list[tuple[str, str]]] = {}
    for ref, sha in sorted(git.refs().items()):
        for prefix, kind in NAMES.items():
            if ref.startswith(prefix):
                names.setdefault(git.peel(sha), []).append((kind, ref.removeprefix(prefix)))
    return names


def commit(call: Call) -> Response:
    """Show a commit: its message, and what it changed since its first parent."""
    if (away := moved(call)) is not None:
        return away
    view = open_page(call, revision=call.segments[0])
    facts = view.git.commit(view.commit)
    parent = facts.parents[0] if facts.parents else None
    return view.show(
        "commit", "commits", facts=facts, date=iso(facts.time), parent=parent or "",
        names=ref_names(view.git).get(facts.sha, []), changes=changes(view.git, parent, facts.sha),
    )  # fmt: skip
