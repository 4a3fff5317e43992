"""What all pages of a repository share: its name, its tabs, the revision that is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from ..api.card_facts import BENCHMARK, Summary, read_card
from ..api.request import Call
from ..api.summaries import shown_to, summary_of
from ..storage.git import GitRepo
from ..storage.repos import RepoRow
from .view import page, path, redirect, segment


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoPage:
    """A repository at a revision: `revision` as the address has it, `commit` the 40 hex it stands for."""

    call: Call
    repo: RepoRow
    git: GitRepo
    revision: str
    commit: str

    @property
    def summary(self) -> Summary:
        """Return card, tags and results of the commit."""
        return shown_to(self.call.user, self.repo, summary_of(self.repo, self.git, self.commit))

    @property
    def metadata(self) -> dict[str, Any]:
        """Return the whole metadata of the commit's card."""
        return read_card(self.git, self.commit) if self.summary.cut else self.summary.card

    def address(self, tab: str = "", inside: str = "") -> str:
        """Return the address of a tab at this revision, possibly of a path in it."""
        base = path(self.repo.web_path)
        if not tab:
            return base
        return f"{base}/{tab}/{segment(self.revision)}{path(inside) if inside else ''}"

    def crumbs(self, tab: str, inside: str) -> list[tuple[str, str]]:
        """Return (name, address) of the root, and of each folder down to `inside`."""
        names = inside.split("/") if inside else []
        steps = [(name, self.address(tab, "/".join(names[: at + 1]))) for at, name in enumerate(names)]
        return [(self.repo.name.split("/")[1], self.address(tab)), *steps]

    def show(self, template: str, tab: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page below the repository's name and tabs."""
        return page(
            self.call, template, status=status, repo=self.repo, base=path(self.repo.web_path), revision=self.revision,
            commit=self.commit, tabs=self._tabs(tab), **values,
        )  # fmt: skip

    def _tabs(self, current: str) -> list[dict[str, Any]]:
        base = path(self.repo.web_path)
        revision = segment(self.revision)
        tabs = [("card", "Card", base), ("tree", "Files", f"{base}/tree/{revision}")]
        if self.repo.kind == "dataset":
            tabs.append(("viewer", "Rows", f"{base}/viewer"))
            if current == "leaderboard" or BENCHMARK in self.summary.tags:
                tabs.append(("leaderboard", "Leaderboard", f"{base}/leaderboard"))
        tabs += [
            ("commits", "History", f"{base}/commits/{revision}"),
            ("discussions", "Discussions", f"{base}/discussions"),
        ]
        return [{"label": label, "href": href, "current": key == current} for key, label, href in tabs]


def open_page(call: Call, *, revision: str = "main") -> RepoPage:
    """Return the repository of the address at a revision; raises Refused if there is no such revision."""
    git = call.git()
    return RepoPage(call=call, repo=call.repo, git=git, revision=revision, commit=git.resolve(revision))


def moved(call: Call) -> Response | None:
    """Return the way to the present name of a repository that was renamed; None if the address has that name."""
    if call.repo.name == call.name:
        return None
    return redirect(f"{path(call.repo.web_path)}{_tail(call)}")


def _tail(call: Call) -> str:
    parts = call.raw_path.strip("/").split("/")
    before = 2 if call.kind == "model" and parts[0] != "models" else 3
    rest = "/".join(parts[before:])
    return f"/{quote(rest, safe='/%')}" if rest else ""
