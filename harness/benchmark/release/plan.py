"""A release planned: everything is read and checked, and each change is listed, before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from harness.benchmark.release import checks
from harness.benchmark.release.changes import Commit, CreateSpace, Hidden, ReleasePlan, SetTag, Show, ShowShelf, Visible
from harness.benchmark.release.checks import CheckChain, Refused, ReleaseInputs
from harness.benchmark.release.collection import TITLE, TITLE_LIMIT, notes, shelf_changes
from harness.benchmark.release.contents import entries, results_place, space_place, unfinished
from harness.benchmark.release.current import Repo, read_benchmark, read_repos
from harness.benchmark.release.desired import Files, MakeReport, Setting, stale_files, wanted_files
from harness.benchmark.release.diff import FileComparison
from harness.benchmark.release.showing import read_begun
from harness.errors import AccessDenied, RepoNotFound, UsageError
from harness.hub.artifact import Artifact, RepositoryName
from harness.hub.client import Hub
from harness.hub.collections import Collection
from harness.hub.publishing import check_may_write, only_reads

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBERED = re.compile(r"v(\d+)")
_SHOWN = 5


_UNCHECKED = "this token only reads, so whether the one that publishes may write was not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """What the caller asks for."""

    namespace: str
    version: str = "v1"
    title: str = TITLE
    max_unscored: float = 0.1
    """Largest share of pairs without a value, of any metric of any model."""
    partial: bool = False
    """Whether cells that failed or were not run may be left out."""
    only_shown: bool = False
    """Whether nothing will be changed: a token that only reads is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What other parts of the harness do for a release."""

    make_report: MakeReport
    check_chain: CheckChain
    say: Callable[[str], None] = field(default=lambda _: None)
    """Gets a line before each step that takes a while."""


def plan_release(hub: Hub, wishes: ReleaseOptions, parts: Parts) -> ReleasePlan:
    """Return all changes that the release needs; nothing is changed.

    Raises Refused with every problem that was found, AccessDenied where the token may not write (nor only read, where
    nothing will be changed), UsageError for a
    version or a title that cannot be one, HubError and DataError where something cannot be read.
    """
    _check_wishes(wishes)
    namespace = wishes.namespace
    reads_only = wishes.only_shown and only_reads(hub)
    if not reads_only:
        check_may_write(hub, [results_place(namespace)])
    parts.say(f"reading what {namespace} has")
    found = _read(hub, namespace)
    shelf = hub.collections.find(namespace, wishes.title)
    if not reads_only:
        _check_rights(hub, found.repos)
    parts.say("checking scores, lineage and decontamination")
    problems = list(_problems(found, shelf, wishes, parts))
    if problems:
        raise Refused(namespace, problems)
    setting = Setting(hub=hub, namespace=namespace, results=found.results, repos=found.repos)
    parts.say("rendering cards and the report")
    wanted = wanted_files(setting, found.entries, parts.make_report)
    planned = _Planned(setting=setting, wishes=wishes, wanted=wanted)
    commits = planned.commits()
    conflicts = list(planned.conflicts(commits))
    if conflicts:
        raise Refused(namespace, conflicts)
    begun = _begun(hub, found)
    beside = notes(found.entries, found.results.reports)
    hidden: list[Hidden] = [CreateSpace(place=place) for place, repo in found.repos.items() if repo is None]
    hidden += [*commits.values(), *shelf_changes(shelf, namespace, wishes.title, beside), *planned.tags(commits)]
    return ReleasePlan(
        namespace=namespace,
        version=wishes.version,
        title=wishes.title,
        places=tuple(beside),
        slug=shelf.slug if shelf else None,
        hidden=tuple(hidden),
        visible=tuple(_visible(found, shelf, wishes)),
        begun=begun,
        notes=(*([_UNCHECKED] if reads_only else []), *_about(begun), *_remarks(found, shelf, wishes, hidden=hidden)),
    )


def _read(hub: Hub, namespace: str) -> ReleaseInputs:
    results = read_benchmark(hub, _results_artifact(hub, namespace))
    listed = entries(namespace, results.record)
    repos = read_repos(hub, (entry.place for entry in listed))
    return ReleaseInputs(hub=hub, results=results, entries=listed, repos=repos)


def _check_wishes(wishes: ReleaseOptions) -> None:
    version = wishes.version
    if not _VERSION.fullmatch(version) or version.endswith((".lock", ".")) or version.startswith("fp-"):
        raise UsageError(f"--version {version!r} cannot be the name of a tag; give one such as v1")
    if version == "main" or ".." in version:
        raise UsageError(f"--version {version!r} cannot be the name of a tag; give one such as v1")
    if not wishes.title.strip() or len(wishes.title) > TITLE_LIMIT:
        raise UsageError(f"--title has {len(wishes.title)} characters; a collection's title has 1 to {TITLE_LIMIT}")


def _results_artifact(hub: Hub, namespace: str) -> Artifact:
    try:
        return hub.resolve("dataset", results_place(namespace).repo_id)
    except RepoNotFound as error:
        raise RepoNotFound(f"{error}; there is nothing to publish: run `tft benchmark` first") from error


def _check_rights(hub: Hub, repos: Mapping[RepositoryName, Repo | None]) -> None:
    """Raise AccessDenied where the token may not write to a repository; all of them are named."""
    denied = []
    for place, repo in repos.items():
        try:
            if repo is not None:
                hub.check_writable(place.kind, place.repo_id)
        except AccessDenied:
            denied.append(str(place))
    if denied:
        raise AccessDenied(f"the token may not write to {', '.join(denied)}; use one that may in HF_TOKEN")


def _problems(found: ReleaseInputs, shelf: Collection | None, wishes: ReleaseOptions, parts: Parts) -> Iterator[str]:
    if not wishes.partial:
        for problem in unfinished(found.results.record):
            yield f"{problem}; run `tft benchmark` again, or leave it out with --partial"
    if not any(entry.cell for entry in found.entries):
        yield "no cell of the benchmark is done, so there is nothing to publish; run `tft benchmark` again"
    yield from checks.names(found, wishes.namespace)
    yield from checks.shelf_is_free(shelf, wishes.namespace)
    yield from checks.scored(found, wishes.max_unscored)
    yield from checks.up_to_date(found)
    yield from checks.unchanged(found)
    yield from checks.decontaminated(found)
    yield from checks.chains(found, parts.check_chain)
    if _is_published(found.repos, wishes.version):
        changed = checks.changed_results(found, wishes.namespace, wishes.version)
        if changed:
            yield _published_already(wishes.version, f"results ({_listed(changed)} changed)", found.repos)


def _is_published(repos: Mapping[RepositoryName, Repo | None], version: str) -> bool:
    """Return whether a version may have been seen: a tag that only its makers have seen can still be moved."""
    return any(version in repo.state.tags and not repo.state.private for repo in repos.values() if repo)


def _published_already(version: str, what: str, repos: Mapping[RepositoryName, Repo | None]) -> str:
    taken = {tag for repo in repos.values() if repo for tag in repo.state.tags}
    numbers = [int(found[1]) for found in map(_NUMBERED.fullmatch, taken) if found]
    free = f"v{max(numbers, default=0) + 1}"
    return f"{version} is published with other {what}; give --version {free}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """What the files should be, against what they are."""

    setting: Setting
    wishes: ReleaseOptions
    wanted: Mapping[RepositoryName, Files]

    @property
    def _compared(self) -> FileComparison:
        return FileComparison(self.setting.hub)

    def commits(self) -> dict[RepositoryName, Commit]:
        """Return the commits that are needed; the Space's comes first, which says what the report is about."""
        found = {}
        space = space_place(self.setting.namespace)
        for place, files in sorted(self.wanted.items(), key=lambda one: one[0] != space):
            stale = stale_files(self.setting, place, files)
            commit = self._compared.commit(place, self.setting.repos[place], files, stale, self.wishes.version)
            if commit is not None:
                found[place] = commit
        return found

    def conflicts(self, commits: Mapping[RepositoryName, Commit]) -> Iterator[str]:
        """Yield a problem where the version is published and means other files."""
        repos, version = self.setting.repos, self.wishes.version
        if not _is_published(repos, version):
            return
        for place, repo in repos.items():
            tagged = repo.state.tags.get(version) if repo else None
            if repo and tagged:
                changed = self._compared.against(repo, tagged, commits.get(place))
                if changed:
                    yield _published_already(version, f"files in {place} ({_listed(changed)} changed)", repos)

    def tags(self, commits: Mapping[RepositoryName, Commit]) -> Iterator[SetTag]:
        """Yield the tags that are not there, and those that mean other files and were never seen."""
        version = self.wishes.version
        for place, repo in self.setting.repos.items():
            commit = commits.get(place)
            tagged = repo.state.tags.get(version) if repo else None
            if repo and tagged and not self._compared.against(repo, tagged, commit):
                continue
            main = repo.state.main if repo and commit is None else None
            yield SetTag(place=place, tag=version, commit=main, moved=tagged is not None)


def _begun(hub: Hub, found: ReleaseInputs) -> tuple[Visible, ...]:
    """Return what a run that was killed has shown, and is seen since."""
    results = next((repo for entry, repo in found.present("results")), None)
    listed = read_begun(hub, results.state) if results else ()
    states = {place: repo.state for place, repo in found.repos.items() if repo}
    return tuple(
        one for one in listed if isinstance(one, Show) and one.place in states and not states[one.place].private
    )


def _about(begun: tuple[Visible, ...]) -> Iterator[str]:
    if begun:
        names = _listed([str(one.place) for one in begun if isinstance(one, Show)])
        yield f"an earlier run was killed while it made the release public; {names} are public since, the rest follows"


def _visible(found: ReleaseInputs, shelf: Collection | None, wishes: ReleaseOptions) -> Iterator[Visible]:
    """Yield what is to be shown: what others link to before what links to it, the collection last."""
    first = ("test set", "student", "traces", "filtered", "relabelled", "synthetic")
    after = ("results", "model", "leaderboard")
    for roles in (first, *((role,) for role in after)):
        for entry in found.entries:
            repo = found.repos[entry.place]
            if entry.role in roles and (repo is None or repo.state.private):
                yield Show(place=entry.place)
    if shelf is None or shelf.private:
        yield ShowShelf(title=wishes.title)


def _remarks(
    found: ReleaseInputs, shelf: Collection | None, wishes: ReleaseOptions, *, hidden: list[Hidden]
) -> Iterator[str]:
    public = [str(entry.place) for entry, repo in found.present() if not repo.state.private]
    if public and hidden:
        number = "one repository is" if len(public) == 1 else f"{len(public)} repositories are"
        yield f"{number} public already and stay so, what changes there is seen at once: {', '.join(public)}"
    if shelf and not shelf.private and hidden:
        yield f"the collection {shelf.title!r} is public already"
    if wishes.partial:
        for problem in unfinished(found.results.record):
            yield f"left out: {problem}"
