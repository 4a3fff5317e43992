"""Plan a release: everything is read and checked, and each change is listed, before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from harness.benchmark.record import FILE
from harness.benchmark.release import checks
from harness.benchmark.release.apply import read_note
from harness.benchmark.release.changes import (
    Commit,
    CreateSpace,
    Hidden,
    MakeCollectionPublic,
    MakePublic,
    ReleasePlan,
    SetTag,
    Visible,
)
from harness.benchmark.release.checks import Refused
from harness.benchmark.release.collection import TITLE, TITLE_LIMIT, collection_changes, notes
from harness.benchmark.release.current import ReleaseInputs, Repo, read_repos
from harness.benchmark.release.desired import MakeReport, changed_files, desired_files, plan_commits
from harness.benchmark.release.manifest import entries, results_place, unfinished
from harness.benchmark.report.results import read_dataset
from harness.errors import AccessDenied, DataError, RepoNotFound, UsageError
from harness.evaluation.results import ResultsDataset
from harness.hub.artifact import Artifact, RepositoryName
from harness.hub.client import Hub
from harness.hub.collections import Collection
from harness.hub.publishing import check_may_write, only_reads
from harness.statistics.formatting import first_of

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
    """The parts of the harness that a release calls."""

    make_report: MakeReport
    check_chain: Callable[[Hub, Artifact], list[str]]
    """Returns what is wrong with the lineage of an artifact; `harness.reports.lineage.check.check_chain`."""
    say: Callable[[str], None] = field(default=lambda _: None)
    """Gets a line before each step that takes a while."""


def plan_release(hub: Hub, options: ReleaseOptions, parts: Parts) -> ReleasePlan:
    """Return all changes that the release needs; nothing is changed.

    Raises Refused with every problem that was found, AccessDenied where the token may not write (nor only read, where
    nothing will be changed), UsageError for a version or a title that cannot be one, HubError and DataError where
    something cannot be read.
    """
    _check_options(options)
    namespace, version = options.namespace, options.version
    reads_only = options.only_shown and only_reads(hub)
    if not reads_only:
        check_may_write(hub, [results_place(namespace)])
    parts.say(f"reading what {namespace} has")
    inputs = _read(hub, namespace)
    collection = hub.collections.find(namespace, options.title)
    if not reads_only:
        _check_rights(hub, inputs.repos)
    parts.say("checking scores, lineage and decontamination")
    _refuse(namespace, _problems(inputs, collection, options, parts))
    parts.say("rendering cards and the report")
    commits = plan_commits(inputs, desired_files(inputs, parts.make_report), version)
    _refuse(namespace, _conflicts(inputs, commits, version))
    already_public = _already_public(inputs)
    beside = notes(inputs.entries, inputs.results.by_config)
    hidden: list[Hidden] = [CreateSpace(place=place) for place, repo in inputs.repos.items() if repo is None]
    hidden += [*commits.values(), *collection_changes(collection, namespace, options.title, beside)]
    hidden += _tags(inputs, commits, version)
    remarks = [*_about(already_public), *_remarks(inputs, collection, options, hidden=hidden)]
    return ReleasePlan(
        namespace=namespace,
        version=version,
        title=options.title,
        places=tuple(beside),
        slug=collection.slug if collection else None,
        hidden=tuple(hidden),
        visible=tuple(_visible(inputs, collection, options)),
        already_public=already_public,
        notes=(*([_UNCHECKED] if reads_only else []), *remarks),
    )


def _refuse(namespace: str, problems: Iterator[str]) -> None:
    if found := list(problems):
        raise Refused(namespace, found)


def _read(hub: Hub, namespace: str) -> ReleaseInputs:
    try:
        artifact = hub.resolve("dataset", results_place(namespace).repo_id)
    except RepoNotFound as error:
        raise RepoNotFound(f"{error}; there is nothing to publish: run `tft benchmark` first") from error
    results = read_dataset(ResultsDataset(hub, artifact), tolerant=True)
    record = results.record
    if record is None:
        raise DataError(
            f"dataset {artifact} has no {FILE}, so no run of the benchmark has completed; run `tft benchmark`"
        )
    listed = entries(namespace, record)
    repos = read_repos(hub, (entry.place for entry in listed))
    return ReleaseInputs(hub=hub, namespace=namespace, record=record, results=results, entries=listed, repos=repos)


def _check_options(options: ReleaseOptions) -> None:
    version = options.version
    unusable = version == "main" or version.endswith((".lock", ".")) or version.startswith("fp-") or ".." in version
    if unusable or not _VERSION.fullmatch(version):
        raise UsageError(f"--version {version!r} cannot be the name of a tag; give one such as v1")
    if not options.title.strip() or len(options.title) > TITLE_LIMIT:
        raise UsageError(f"--title has {len(options.title)} characters; a collection's title has 1 to {TITLE_LIMIT}")


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


def _problems(
    found: ReleaseInputs, collection: Collection | None, options: ReleaseOptions, parts: Parts
) -> Iterator[str]:
    if not options.partial:
        for problem in unfinished(found.record):
            yield f"{problem}; run `tft benchmark` again, or leave it out with --partial"
    if not any(entry.cell for entry in found.entries):
        yield "no cell of the benchmark is done, so there is nothing to publish; run `tft benchmark` again"
    yield from checks.names(found)
    yield from checks.collection_is_free(collection, options.namespace)
    yield from checks.scored(found, options.max_unscored)
    yield from checks.up_to_date(found)
    yield from checks.unchanged(found)
    yield from checks.decontaminated(found)
    yield from checks.chains(found, parts.check_chain)
    if _is_published(found.repos, options.version):
        changed = checks.changed_results(found, options.version)
        if changed:
            yield _published_already(options.version, f"results ({first_of(changed, _SHOWN)} changed)", found.repos)


def _is_published(repos: Mapping[RepositoryName, Repo | None], version: str) -> bool:
    """Return whether a version may have been seen: a tag that only its makers have seen can still be moved."""
    return any(version in repo.state.tags and not repo.state.private for repo in repos.values() if repo)


def _published_already(version: str, what: str, repos: Mapping[RepositoryName, Repo | None]) -> str:
    taken = {tag for repo in repos.values() if repo for tag in repo.state.tags}
    numbers = [int(found[1]) for found in map(_NUMBERED.fullmatch, taken) if found]
    free = f"v{max(numbers, default=0) + 1}"
    return f"{version} is published with other {what}; give --version {free}"


def _conflicts(inputs: ReleaseInputs, commits: Mapping[RepositoryName, Commit], version: str) -> Iterator[str]:
    """Yield a problem where the version is published and means other files."""
    if not _is_published(inputs.repos, version):
        return
    for place, repo in inputs.repos.items():
        tagged = repo.state.tags.get(version) if repo else None
        if repo and tagged and (changed := changed_files(inputs.hub, repo, tagged, commits.get(place))):
            yield _published_already(version, f"files in {place} ({first_of(changed, _SHOWN)} changed)", inputs.repos)


def _tags(inputs: ReleaseInputs, commits: Mapping[RepositoryName, Commit], version: str) -> Iterator[SetTag]:
    """Yield the tags that are not there, and those that mean other files and were never seen."""
    for place, repo in inputs.repos.items():
        commit = commits.get(place)
        tagged = repo.state.tags.get(version) if repo else None
        if repo and tagged and not changed_files(inputs.hub, repo, tagged, commit):
            continue
        main = repo.state.main if repo and commit is None else None
        yield SetTag(place=place, tag=version, commit=main, moved=tagged is not None)


def _already_public(found: ReleaseInputs) -> tuple[Visible, ...]:
    """Return what a run that was killed has shown and is public since."""
    results = next((repo for entry, repo in found.present("results")), None)
    listed = read_note(found.hub, results.state) if results else ()
    states = {place: repo.state for place, repo in found.repos.items() if repo}
    return tuple(
        one for one in listed if isinstance(one, MakePublic) and one.place in states and not states[one.place].private
    )


def _about(already_public: tuple[Visible, ...]) -> Iterator[str]:
    if already_public:
        names = first_of([str(one.place) for one in already_public if isinstance(one, MakePublic)], _SHOWN)
        yield f"an earlier run was killed while it made the release public; {names} are public since, the rest follows"


def _visible(found: ReleaseInputs, collection: Collection | None, options: ReleaseOptions) -> Iterator[Visible]:
    """Yield what to make public: link targets before what links to them, the collection last."""
    first = ("test set", "student", "traces", "filtered", "relabelled", "synthetic")
    after = ("results", "model", "leaderboard")
    for roles in (first, *((role,) for role in after)):
        for entry in found.entries:
            repo = found.repos[entry.place]
            if entry.role in roles and (repo is None or repo.state.private):
                yield MakePublic(place=entry.place)
    if collection is None or collection.private:
        yield MakeCollectionPublic(title=options.title)


def _remarks(
    found: ReleaseInputs, collection: Collection | None, options: ReleaseOptions, *, hidden: list[Hidden]
) -> Iterator[str]:
    public = [str(entry.place) for entry, repo in found.present() if not repo.state.private]
    if public and hidden:
        number = "one repository is" if len(public) == 1 else f"{len(public)} repositories are"
        yield f"{number} public already and stay so, what changes there is seen at once: {', '.join(public)}"
    if collection and not collection.private and hidden:
        yield f"the collection {collection.title!r} is public already"
    if options.partial:
        for problem in unfinished(found.record):
            yield f"left out: {problem}"
