"""Plan the promotion of a repository: both Hubs are read, every commit pinned, nothing changed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.errors import RepoNotFound, UsageError
from harness.hub.artifact import ATTRIBUTES, README, Artifact, RepositoryName
from harness.hub.client import Hub
from harness.hub.promotion.difference import TreeChanges, changes
from harness.hub.promotion.record import TITLE, read_promotion, without_record
from harness.hub.repository import File, RepositoryState, Tree, blob_id

_RESULTS = re.compile(r"\.eval_results/[^/]+\.ya?ml")
_METADATA = re.compile(rb"---[ \t]*\r?\n.*?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_COMMIT = re.compile(rb"\b[0-9a-f]{40}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMap:
    """What names lead to after a promotion. Empty `names` change nothing."""

    source: str = ""
    """Address of the Hub that gives; `target` of the one that receives."""
    target: str = ""
    names: dict[str, str] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    """Tagged commits of the source -> the commits of the target with the same tag; filled as they are made."""

    def rewritten(self, path: str, content: bytes) -> bytes:
        """Return a file with its names brought over; in the README only the metadata block is touched."""
        if path != README:
            return self._replaced(content)
        block = _METADATA.match(content)
        return self._replaced(block[0]) + content[block.end() :] if block else content

    def _replaced(self, text: bytes) -> bytes:
        for old, new in self.names.items():
            there, here = re.escape(old.encode()), new.encode()
            page = re.escape(self.source.encode()) + rb"/((?:datasets/|spaces/)?)" + there + rb"(?![\w.-])"
            text = re.sub(page, self.target.encode() + rb"/\g<1>" + here, text)
            text = re.sub(rb"(?<![\w./-])" + there + rb"(?![\w./-])", here, text)
        known = {old.encode(): new.encode() for old, new in self.commits.items()}
        return _COMMIT.sub(lambda m: known.get(m[0], m[0]), text)


def desired_main(source: Hub, wanted: Artifact, links: LinkMap) -> tuple[dict[str, File], dict[str, bytes]]:
    """Return the tree that the target's main should have, its record aside, and the contents that were rewritten."""
    tree = without_record(source.tree(wanted))
    contents: dict[str, bytes] = {}
    paths = [path for path in tree if links.names and (path == README or _RESULTS.fullmatch(path))]
    for path in paths:
        content = source.fetch(wanted, path).read_bytes()
        new = links.rewritten(path, content)
        if new != content:
            contents[path] = new
            tree[path] = File(path=path, size=len(new), hash=blob_id(new), large=False)
    return tree, contents


FIRST, UPDATE = "promotion-first", "promotion-update"
"""The branch on which revisions are put together; while it is there, the promotion is not complete."""
_FIRST_COMMIT = "initial commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteOptions:
    """What the caller asks for; the same for every repository."""

    namespace: str | None = None
    """Owner on the target; None keeps the source's."""
    tags: tuple[str, ...] | None = None
    """The tags to copy; None is all."""
    main: str = "main"
    """The revision of the source that the target's main becomes."""
    private: bool | None = None
    """Visibility on the target; None is as on the source."""
    move_tags: bool = False
    overwrite: bool = False
    relink: bool = False
    """Whether names in metadata on main follow repositories to their new owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit of the source, the tags it gets on the target, and what has to be copied for it."""

    commit: str
    tags: tuple[str, ...]
    moved: tuple[str, ...]
    """Those of the tags that mean other files on the target now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPlan:
    """The promotion of one repository."""

    source: RepositoryState
    place: RepositoryName
    """Where it goes."""
    target: RepositoryState | None
    """What is there now."""
    revisions: tuple[Revision, ...]
    """What is to be copied, the oldest first."""
    kept: dict[str, tuple[str, str]]
    """Tags that are there already, with their commits on source and target."""
    main: str
    """The commit of the source that main becomes."""
    main_changes: TreeChanges
    before: dict[str, Any] | None
    """The record of an earlier promotion on the target's main."""
    branch: str
    """FIRST while the target has never been complete, then UPDATE."""
    private: bool | None
    """Visibility when all is done; None leaves it as it is."""

    @property
    def interrupted(self) -> bool:
        """Return whether an earlier promotion was interrupted."""
        return self.target is not None and (self.branch == FIRST or self.branch in self.target.branches)

    @property
    def shown(self) -> bool:
        """Return whether the visibility of what is there changes."""
        return self.target is not None and self.private not in (None, self.target.private)

    @property
    def needed(self) -> bool:
        """Return whether anything has to be changed on the target."""
        copies = self.target is None or self.revisions or self.main_changes
        return bool(copies or self.interrupted or self.shown)


def plan_repository(
    source: Hub, target: Hub, place: RepositoryName, options: PromoteOptions, links: LinkMap
) -> PromotionPlan:
    """Return the plan for one repository of `source`; `links` gets the commits of tags that are there already.

    Raises RepoNotFound where it or a tag is missing, UsageError where the target holds something else of that name.
    """
    there = source.state(place)
    if there is None:
        raise RepoNotFound(
            f"{place} was not found on {source.endpoint}; check the name, and if it is private set "
            f"{source.token_from} to a token that may read it"
        )
    goal = target_place(there.place, options.namespace)
    here = target.state(goal)
    if here is not None and here.place.repo_id.lower() != goal.repo_id.lower():
        raise UsageError(f"{goal} on {target.endpoint} leads to {here.place}, which was renamed; take another owner")
    place = there.place
    main = there.main if options.main == "main" else source.resolve(place.kind, place.repo_id, options.main).revision
    before = read_promotion(target, here.head) if here else None
    branch = FIRST if here is None or FIRST in here.branches or _begun(target, here) else UPDATE
    revisions, kept = _revisions(source, target, there, here, options)
    links.commits.update(kept.values())
    main_changes = _main_changes(source, target, there, here, desired_main(source, place.at(main), links)[0])
    plan = PromotionPlan(
        source=there,
        place=here.place if here else goal,
        target=here,
        revisions=revisions,
        kept=kept,
        main=main,
        main_changes=main_changes,
        before=before,
        branch=branch,
        private=there.private if options.private is None and branch == FIRST else options.private,
    )
    _check_visibility(plan, target, options)
    if not options.overwrite:
        _check_free(plan, source, target)
    return plan


def target_place(place: RepositoryName, namespace: str | None) -> RepositoryName:
    """Return where a repository goes."""
    owner, _, name = place.repo_id.rpartition("/")
    return RepositoryName(kind=place.kind, repo_id=f"{namespace or owner}/{name}")


def _begun(target: Hub, here: RepositoryState) -> bool:
    """Return whether the repository is as promotion makes it: private, with nothing in it but what the Hub put there.

    Then it was interrupted before its branch was made. One that its owner made like that is taken for the same.
    """
    return here.private and not here.tags and _pristine(target, here)


def _pristine(target: Hub, here: RepositoryState) -> bool:
    given = {ATTRIBUTES, README} if here.place.kind == "space" else {ATTRIBUTES}
    return set(target.tree(here.head)) <= given and target.titles(here.place) == [_FIRST_COMMIT]


def _main_changes(
    source: Hub, target: Hub, there: RepositoryState, here: RepositoryState | None, want: Tree
) -> TreeChanges:
    if here is None:
        return TreeChanges(added=tuple(want.values()), removed=())
    have = without_record(target.tree(here.head))
    return changes((target, here.head), have, (source, there.head), want)


def _revisions(
    source: Hub, target: Hub, there: RepositoryState, here: RepositoryState | None, options: PromoteOptions
) -> tuple[tuple[Revision, ...], dict[str, tuple[str, str]]]:
    chosen = sorted(there.tags) if options.tags is None else list(dict.fromkeys(options.tags))
    missing = [tag for tag in chosen if tag not in there.tags]
    if missing:
        known = ", ".join(sorted(there.tags)) or "none"
        raise RepoNotFound(f"{there.place} on {source.endpoint} has no tag {missing[0]!r}; its tags are: {known}")
    kept: dict[str, tuple[str, str]] = {}
    wanted: dict[str, list[str]] = {}
    moved: set[str] = set()
    for tag in chosen:
        commit, present = there.tags[tag], here.tags.get(tag) if here else None
        if here is None or present is None:
            wanted.setdefault(commit, []).append(tag)
            continue
        old, new = here.place.at(present), there.place.at(commit)
        different = changes((target, old), target.tree(old), (source, new), source.tree(new))
        if not different:
            kept[tag] = (commit, present)
            continue
        if not options.move_tags:
            raise UsageError(
                f"tag {tag} of {here.place} on {target.endpoint} means other files ({different}); "
                "--move-tags makes it equal the source's, --tag leaves it out"
            )
        moved.add(tag)
        wanted.setdefault(commit, []).append(tag)
    revisions = tuple(
        Revision(commit=commit, tags=tuple(wanted[commit]), moved=tuple(t for t in wanted[commit] if t in moved))
        for commit in sorted(wanted, key=lambda commit: _age(source, there.place.at(commit)))
    )
    return revisions, kept


def _age(hub: Hub, artifact: Artifact) -> tuple[datetime, int]:
    """Return when a commit was made, and how many led to it (dates are in seconds): together they sort commits."""
    repo_id, kind, commit = artifact.repo_id, artifact.kind, artifact.revision
    with hub.errors(f"{kind} {artifact}"):
        history = hub.api.list_repo_commits(repo_id, repo_type=kind, revision=commit)
    return history[0].created_at, len(history)


def _check_visibility(plan: PromotionPlan, target: Hub, options: PromoteOptions) -> None:
    here = plan.target
    if here and plan.needed and plan.source.private and not here.private and options.private is not False:
        where = f"{plan.place} on {target.endpoint}"
        raise UsageError(f"{where} is public and the source is private; --public shows it to everyone")


def _check_free(plan: PromotionPlan, source: Hub, target: Hub) -> None:
    """Raise UsageError where main holds someone else's work that the source does not have."""
    here, where = plan.target, f"{plan.place} on {target.endpoint}"
    if here is None or not plan.main_changes or _pristine(target, here):
        return
    back = read_promotion(source, plan.source.place.at(plan.main))
    if back and back.get("repo") == here.place.repo_id and back.get("main") == {"source_commit": here.main}:
        return  # the source was promoted from there, and nothing happened there since
    if plan.before is None:
        raise UsageError(f"{where} is there and is something else; take another owner with --namespace, or --overwrite")
    last = target.titles(here.place)[0]
    if not last.startswith(TITLE):
        raise UsageError(
            f"{where} was changed there after the last promotion ({last!r}); bring that to the source first, or "
            "replace it with --overwrite (its history keeps it)"
        )
