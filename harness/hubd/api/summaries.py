"""What is remembered of the commits that lists show, and how lists read repositories: a damaged one stops none."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..accounts.accounts import User
from ..bounds import Budget, Cache
from ..storage.git import GitRepo
from ..storage.repos import RepoRow, Repos, may_read_content
from .card_facts import Summary, summarise
from .tree import iso

LIST_SECONDS = 1.0  # for reading what is not remembered, after which a list goes on on its next page

_KNOWN: Cache[tuple[str, str], Summary] = Cache(128 << 20)  # (repository, commit): no opened repository stays alive
_TOLD: set[tuple[str, str]] = set()  # what the log says already


def summary_of(repo: RepoRow, git: GitRepo, commit: str) -> Summary:
    """Return what a commit says of its repository, read once; raises what git raises on damaged objects."""
    found = _KNOWN.get((repo.id, commit))
    if found is None:
        summary = summarise(repo, git, commit)
        found = _KNOWN.put((repo.id, commit), summary, summary.weight)
    return found


def shown_to(user: User | None, repo: RepoRow, summary: Summary) -> Summary:
    """Return of a summary what somebody may know: of a gated repository the card alone, unless they are a member."""
    return summary if may_read_content(repo, user) else summary.of_card()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a repository in a list: `commit` None if it has none."""

    repo: RepoRow
    commit: str | None


class Lister:
    """Reads repositories for one list, for about LIST_SECONDS; damaged ones are listed with nothing of their content.

    Their own pages fail, and say why.
    """

    def __init__(self, repos: Repos, user: User | None) -> None:
        self._repos = repos
        self._user = user
        self._budget = Budget(LIST_SECONDS)

    @property
    def late(self) -> bool:
        """Return whether the list has to end here and go on on a page of its own."""
        return self._budget.spent

    def head(self, repo: RepoRow) -> Head:
        """Return the head of main; of a repository that cannot be read, an empty commit id."""
        try:
            return Head(repo=repo, commit=self._repos.head(repo))
        except Exception as error:
            return Head(repo=repo, commit=_unreadable(repo, "", error))

    def knows(self, head: Head) -> bool:
        """Return whether a summary is remembered, and costs nothing."""
        return _KNOWN.get((head.repo.id, head.commit or "")) is not None

    def modified(self, head: Head) -> str:
        """Return when a repository last changed."""
        found = _KNOWN.get((head.repo.id, head.commit or ""))
        try:
            return found.modified if found else iso(self._repos.git(head.repo).commit(head.commit or "").time)
        except Exception as error:
            _unreadable(head.repo, head.commit or "", error)
            return head.repo.created

    def summary(self, head: Head) -> Summary:
        """Return what a head says of its repository, as far as the user may know; nothing, if that cannot be read."""
        found = _KNOWN.get((head.repo.id, head.commit)) if head.commit else None
        try:
            found = found or summary_of(head.repo, self._repos.git(head.repo), head.commit or "")
            return shown_to(self._user, head.repo, found)
        except Exception as error:
            return Summary(commit=_unreadable(head.repo, head.commit or "", error), modified=head.repo.created)


def _unreadable(repo: RepoRow, commit: str, error: Exception) -> str:
    """Say once in the log that a repository cannot be read, and return the commit."""
    if (repo.id, commit) not in _TOLD and len(_TOLD) < 10_000:
        _TOLD.add((repo.id, commit))
        why = f"{type(error).__name__}: {error}"[:300]
        said = f"{repo.kind} {repo.name} cannot be read for lists ({why}); `tft hub verify` says more."
        print(said, file=sys.stderr)  # noqa: T201
    return commit


def in_turn(repos: Iterable[RepoRow]) -> list[RepoRow]:
    """Return repositories in an order in which all owners come in turn: where time ends, nobody's many hide others."""
    turns: Counter[str] = Counter()
    numbered = []
    for repo in repos:
        numbered.append((turns[repo.namespace], repo))
        turns[repo.namespace] += 1
    return [repo for _, repo in sorted(numbered, key=lambda pair: pair[0])]
