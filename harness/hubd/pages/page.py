"""What all pages share: templates, how names, sizes and dates are shown, refusals, and the frame of a repository."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial, wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ..api.request import Call
from ..api.summaries import BENCHMARK, Summary, read_card, shown_to, summary_of
from ..errors import Refused
from ..storage.git import GitRepo
from ..storage.repos import RepoRow

FOLDER = Path(__file__).parent
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Authorization, Accept",
}
_NOT_PAGES = ("/api/", "/lfs/", "/xet/")
_TITLES = {400: "That did not work", 401: "Please sign in", 403: "Not allowed", 404: "Not found", 413: "Too much"}
NOTHING_HERE = "This Hub has no such endpoint."
_UNKNOWN = "There is nothing at this address, or it is private. If it may be private, sign in."
_HIDDEN = re.compile(r"[^\S \n\t]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def shown(text: object) -> str:
    """Return a text with control and direction characters made visible, so that no name can pose as another one."""
    return _HIDDEN.sub(
        lambda found: " " if unicodedata.category(found[0]) == "Zs" else f"\\u{{{ord(found[0]):x}}}", str(text)
    )


def path(*parts: str) -> str:
    """Return an address on this Hub; each part may hold slashes, the rest is quoted."""
    whole = "/".join(part.strip("/") for part in parts if part.strip("/"))
    return f"/{quote(whole.encode('utf-8', 'surrogateescape'))}"


def segment(text: str) -> str:
    """Return a text, e.g. a revision, as one segment of an address."""
    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def tab_address(web_path: str, tab: str, revision: str, inside: str = "") -> str:
    """Return the address of a tab of a repository at a revision, possibly of a path in it."""
    return f"{path(web_path)}/{tab}/{segment(revision)}{path(inside) if inside else ''}"


def size(count: int) -> str:
    """Return bytes as people read them: 512 B, 1.5 kB, 3.2 GB (powers of 1000)."""
    if count < 1000:
        return f"{count} B"
    scaled, unit = float(count), ""
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the unit is used after the loop
        scaled /= 1000
        if scaled < 999.95:
            break
    return f"{scaled:.1f} {unit}"


def figure(value: float) -> str:
    """Return a number with four digits, as there is room for: 0.6143, 87.5, 12,346."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def day(iso: str) -> str:
    """Return the date of a time as the Hub writes it, e.g. 31 Jan 2026."""
    moment = datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%b %Y}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "size": size, "figure": figure, "day": day, "segment": segment}
    environment.globals["path"] = path
    return environment


def render(template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page made from a template and its values."""
    text = _environment().get_template(f"{template}.html.jinja").render(**values)
    content = text.encode("utf-8", "replace")
    return HTMLResponse(content, status_code=status, headers=SECURITY)


def page(call: Call, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page for the caller, whose name stands at its top."""
    here = f"{call.raw_path}?{call.query}" if call.query else call.raw_path
    return render(template, status=status, user=call.user, here=here, endpoint=call.base, **values)


def redirect(target: str) -> Response:
    """Send the browser to another address of this Hub."""
    return RedirectResponse(target, status_code=303, headers=SECURITY)


def wants_page(headers: Headers, raw_path: str) -> bool:
    """Return whether a browser asks for a page, rather than a client for the API or a file."""
    if raw_path.startswith(_NOT_PAGES) or "/resolve/" in raw_path or "/raw/" in raw_path:
        return False
    return "text/html" in headers.get("accept", "") and "authorization" not in headers


def error_page(error: Refused, here: str) -> Response:
    """Return a refusal of the address `here` as a page; to strangers, what is private does not exist."""
    unknown = error.code == "RepoNotFound" or error.message == NOTHING_HERE
    status = 404 if unknown else error.status
    message = _UNKNOWN if unknown else error.message
    response = render(
        "error", status=status, user=None, here=here, title=_TITLES.get(status, "That did not work"), message=message,
        sign_in=unknown or status == 401, code=status,
    )  # fmt: skip
    response.headers.update({key: value for key, value in error.all_headers().items() if not unknown})
    return response


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

    def address(self, tab: str, inside: str = "") -> str:
        """Return the address of a tab at this revision, possibly of a path in it."""
        return tab_address(self.repo.web_path, tab, self.revision, inside)

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


def repo_page(show: Callable[[RepoPage], Response], *, revision: bool = False) -> Callable[[Call], Response]:
    """Return the handler of a page below a repository, whose former names lead to the present one.

    `revision`: the address names one; otherwise the page is about main. Raises Refused if there is no such revision.
    """

    @wraps(show)
    def handler(call: Call) -> Response:
        if call.repo.name != call.name:
            parts = call.raw_path.strip("/").split("/")
            name_ends = 2 if call.kind == "model" and parts[0] != "models" else 3
            rest = quote("/".join(parts[name_ends:]), safe="/%")
            return redirect(f"{path(call.repo.web_path)}{'/' if rest else ''}{rest}")
        git, name = call.git(), call.segments[0] if revision else "main"
        return show(RepoPage(call=call, repo=call.repo, git=git, revision=name, commit=git.resolve(name)))

    return handler


revision_page = partial(repo_page, revision=True)
