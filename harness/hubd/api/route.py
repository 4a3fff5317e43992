"""A route: which requests it takes, what its caller needs to be allowed, and who answers.

A pattern is a path. `{name}` stands for one segment, `{name*}` for any number of them, `{name+}` for some of which one
at least is not empty; all these are the segments that the handler gets. `{kind}` is models, datasets or spaces,
`{kind?}` may be missing before the name of a model, `{repo}` is a repository's namespace and name, `{alone}` a name
without namespace, `{repo.git}` is `{repo}` with or without `.git` behind it, `{repo?}` one or two segments, whatever
they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from starlette.responses import Response

from .request import KINDS_IN_PATHS, Call
from .rights import Needs

MIB = 1 << 20
SMALL_BODY = 8 * MIB

Handler = Callable[[Call], Response]

_REST = re.compile(r"\{\w+([*+])\}")
_KIND = "{kind}"
_REPO = {"{repo}": 2, "{repo.git}": 2, "{repo?}": 2, "{alone}": 1}  # how many segments make a name


@dataclass(frozen=True, kw_only=True)
class Route:
    """A handler for `method` (`*`: any) and the paths of `pattern`; what its caller `needs` is asked before the body.

    The body has at most `limit` bytes, in memory or, if `upload`, in a file (and hashed). `cookie`: a
    browser's sign-in counts.
    """

    method: str
    pattern: str
    needs: Needs
    handler: Handler
    upload: bool = False
    hashed: bool = False
    limit: int = SMALL_BODY
    cookie: bool = False

    @cached_property
    def forms(self) -> tuple[tuple[str, ...], ...]:
        """Return the segments of the pattern, once with each kind that may begin it, or without."""
        tokens = tuple(self.pattern.strip("/").split("/"))
        if tokens[0] != "{kind?}":
            return (tokens,)
        return (tokens[1:], *((name, *tokens[1:]) for name in KINDS_IN_PATHS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route with what the path says: the remaining segments, kind and name of the repository."""

    route: Route
    segments: list[str]
    kind: str = "model"
    name: str = ""


@dataclass(slots=True)
class _Reading:
    """The segments of a path, and what those before `at` say."""

    segments: list[str]
    at: int = 0
    kind: str = "model"
    name: str = ""
    rest: list[str] = field(default_factory=list)

    def take(self, token: str) -> bool:
        """Read what a token of a pattern stands for; return whether it is there."""
        if found := _REST.fullmatch(token):
            left = self.segments[self.at :]
            self.rest, self.at = [*self.rest, *left], len(self.segments)
            return found[1] == "*" or any(left)
        if self.at >= len(self.segments):
            return False
        if token in _REPO:
            return self._take_name(token)
        segment, first = self.segments[self.at], self.at == 0
        self.at += 1
        if token == _KIND or (first and token in KINDS_IN_PATHS):
            self.kind = KINDS_IN_PATHS.get(segment, "")
            return bool(self.kind) and token in (_KIND, segment)
        if token.startswith("{"):
            self.rest = [*self.rest, segment]
            return True
        return token == segment

    def _take_name(self, token: str) -> bool:
        parts = self.segments[self.at : self.at + _REPO[token]]
        lone = self.at == 0 and parts[0] in KINDS_IN_PATHS  # it says the kind, and is no namespace
        self.at += len(parts)
        self.name = "/".join(parts).removesuffix(".git" if ".git" in token else "")
        return not lone and ("?" in token or (len(parts) == _REPO[token] and all(parts)))


def matches(route: Route, tokens: tuple[str, ...], segments: list[str]) -> Match | None:
    """Return what the segments of a path say if they have the form `tokens` of the route, else None."""
    reading = _Reading(segments)
    if not all(map(reading.take, tokens)) or reading.at < len(segments):
        return None
    rest = _joined_ref(reading.rest) if reading.name else reading.rest
    return Match(route=route, segments=rest, kind=reading.kind, name=reading.name)


def _joined_ref(segments: list[str]) -> list[str]:
    """Return segments with a revision that was sent unquoted (refs/pr/1) as one segment."""
    if len(segments) > 2 and segments[0] == "refs" and segments[1] in ("pr", "convert", "heads", "tags"):
        return ["/".join(segments[:3]), *segments[3:]]
    return segments


class Table:
    """Routes by method and first segment; of those that match a request the first of the table answers."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self.routes = routes
        self._by_start: dict[tuple[str, str], list[tuple[Route, tuple[str, ...]]]] = {}
        for route in routes:
            for tokens in route.forms:
                start = "{" if tokens[0].startswith("{") else tokens[0]
                self._by_start.setdefault((route.method, start), []).append((route, tokens))

    def find(self, method: str, segments: list[str]) -> Match | None:
        """Return the route for a request with what its path says, None if there is none."""
        for route, tokens in self._candidates(method, segments[0]):
            if (found := matches(route, tokens, segments)) is not None:
                return found
        return None

    def _candidates(self, method: str, first: str) -> Iterator[tuple[Route, tuple[str, ...]]]:
        for start in ((method, first), ("*", first), (method, "{")):
            yield from self._by_start.get(start, ())
