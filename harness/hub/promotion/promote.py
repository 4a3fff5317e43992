"""Promotion from end to end: everything is planned and checked before the first change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from harness.errors import DataError, UsageError
from harness.hub.artifact import Artifact, RepoKind, RepositoryName, parse_input
from harness.hub.client import Hub
from harness.hub.collections import CollectionItem
from harness.hub.lineage import LINEAGE, parse_record
from harness.hub.promotion.plan import LinkMap, PromoteOptions, PromotionPlan, plan_repository, target_place
from harness.hub.promotion.transfer import Transfer
from harness.hub.publishing import check_may_write

_PAPER = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionPlan:
    """The promotion of one collection."""

    slug: str
    """On the source."""
    title: str
    description: str | None
    owner: str
    private: bool
    there: str | None
    """The slug on the target, None where it is new."""
    items: tuple[CollectionItem, ...]
    """What is to be added, in order: repositories on the target, and papers."""
    missing: tuple[str, ...]
    """Items that the target does not have."""

    @property
    def needed(self) -> bool:
        """Return whether anything has to be changed on the target."""
        return self.there is None or bool(self.items)


def plan_collection(
    source: Hub, target: Hub, slug: str, options: PromoteOptions, goals: Mapping[RepositoryName, RepositoryName]
) -> CollectionPlan:
    """Return the plan for the collection `slug` of `source`.

    `goals` says where repositories of this promotion go. Others are listed where the target has one of that name.
    The collection of the same owner and title on the target is taken to be the same.
    """
    collection = source.collections.read(slug)
    owner = options.namespace or slug.partition("/")[0]
    there = target.collections.find(owner, collection.title)
    listed = {(item.kind, item.id.lower()) for item in there.items} if there else set()
    items, missing = [], []
    for entry in collection.items:
        found = _there(target, entry, goals, options.namespace)
        if found is None:
            missing.append(f"{entry.kind}s/{entry.id}")
        elif (entry.kind, found.lower()) not in listed:
            items.append(replace(entry, id=found))
    return CollectionPlan(
        slug=slug,
        title=collection.title,
        description=collection.description,
        owner=owner,
        private=collection.private if options.private is None else options.private,
        there=there.slug if there else None,
        items=tuple(items),
        missing=tuple(missing),
    )


def _there(
    target: Hub, item: CollectionItem, goals: Mapping[RepositoryName, RepositoryName], namespace: str | None
) -> str | None:
    """Return the name that an item has on the target, None where it is not there."""
    if item.kind == _PAPER:
        return item.id
    for known in (one for one in get_args(RepoKind) if one == item.kind):
        place = RepositoryName(kind=known, repo_id=item.id)
        if place in goals:
            return goals[place].repo_id
        for candidate in dict.fromkeys((target_place(place, namespace), place)):
            state = target.state(candidate)
            if state is not None:
                return state.place.repo_id
    return None


def copy_collection(target: Hub, plan: CollectionPlan) -> str:
    """Carry out the plan and return the collection's slug on the target."""
    slug = plan.there or target.collections.create(
        plan.owner, plan.title, description=plan.description, private=plan.private, exists_ok=True
    )
    for item in plan.items:
        target.collections.add(slug, item)
    return slug


_COLLECTIONS = "collections/"
_KINDS: tuple[RepoKind, ...] = get_args(RepoKind)
_ORDER = ("dataset", "space", "model")  # models name datasets, so those are there first


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """All that one command promotes, and remarks for the user."""

    plans: tuple[PromotionPlan, ...]
    collections: tuple[CollectionPlan, ...]
    links: LinkMap
    notes: tuple[str, ...]


def parse_name(text: str, kind: RepoKind) -> RepositoryName | str:
    """Return the repository that `text` names (`owner/name`, or with `datasets/` and so on before it).

    A collection (`collections/owner/slug`) is returned as its slug. Raises UsageError for anything else.
    """
    if text.startswith(_COLLECTIONS) and text.count("/") == 2:
        return text.removeprefix(_COLLECTIONS)
    for known in _KINDS:
        if text.startswith(f"{known}s/") and text.count("/") == 2:
            kind, text = known, text.removeprefix(f"{known}s/")
            break
    owner, _, name = text.partition("/")
    if not owner or not name or "/" in name or any(character.isspace() for character in text):
        raise UsageError(
            f"{text!r} names no repository; expected owner/name, datasets/owner/name, spaces/owner/name or "
            "collections/owner/slug"
        )
    return RepositoryName(kind=kind, repo_id=text)


def plan_promotion(
    source: Hub, target: Hub, wanted: Sequence[RepositoryName | str], options: PromoteOptions
) -> Promotion:
    """Return what promoting `wanted` would do. Reads only; raises HarnessError where it could not be done."""
    places = sorted(
        {name for name in wanted if isinstance(name, RepositoryName)}, key=lambda p: (_ORDER.index(p.kind), p.repo_id)
    )
    slugs = sorted({name for name in wanted if isinstance(name, str)})
    goals = {place: target_place(place, options.namespace) for place in places}
    for place, goal in goals.items():
        others = [one for one in places if one != place and _same(goals[one], goal)]
        if others:
            raise UsageError(f"{place} and {others[0]} would both go to {goal}; promote them one by one")
    owners = [
        RepositoryName(kind="model", repo_id=f"{options.namespace or slug.partition('/')[0]}/x") for slug in slugs
    ]
    check_may_write(target, [*goals.values(), *owners])
    names = {place.repo_id: goal.repo_id for place, goal in goals.items() if place.repo_id != goal.repo_id}
    links = LinkMap(source=source.endpoint, target=target.endpoint, names=names if options.relink else {})
    plans = tuple(plan_repository(source, target, place, options, links) for place in places)
    arrivals = {plan.source.place: plan.place for plan in plans}
    collections = tuple(plan_collection(source, target, slug, options, arrivals) for slug in slugs)
    notes = [note for plan in plans for note in _unknown_inputs(source, target, plan, plans)]
    notes += [
        f"collection {collection.slug}: {one} is not on {target.endpoint}"
        for collection in collections
        for one in collection.missing
    ]
    return Promotion(plans=plans, collections=collections, links=links, notes=tuple(notes))


def _same(one: RepositoryName, other: RepositoryName) -> bool:
    return one.kind == other.kind and one.repo_id.lower() == other.repo_id.lower()


def apply_promotion(source: Hub, target: Hub, promotion: Promotion, say: Callable[[str], None]) -> None:
    """Make the target as planned; `say` gets a line before each revision. Can be repeated after any interruption."""
    for plan in promotion.plans:
        Transfer(source=source, target=target, plan=plan, links=promotion.links, say=say).run()
    for collection in promotion.collections:
        if collection.needed:
            say(f"collections/{collection.slug}")
            copy_collection(target, collection)


def _unknown_inputs(source: Hub, target: Hub, plan: PromotionPlan, plans: Sequence[PromotionPlan]) -> Iterator[str]:
    """Yield a note for each input in `lineage.json` that readers of the target will not find."""
    content = source.read(plan.source.place.at(plan.main), LINEAGE)
    if content is None:
        return
    where = f"{LINEAGE} of {plan.source.place}"
    try:
        record = parse_record(content, where, advice="it is copied as it is, and its inputs are not known")
    except DataError as error:
        yield str(error)
        return
    for read in map(parse_input, record.lineage.inputs):
        if isinstance(read, Artifact) and not any(_copies(one, read) for one in plans) and not _has(target, read):
            yield (
                f"{plan.source.place} was made from {read.short}, which is not on {target.endpoint} and not "
                "promoted here; tag that commit and promote it too"
            )


def _copies(plan: PromotionPlan, wanted: Artifact) -> bool:
    commits = {plan.main, *(one.commit for one in plan.revisions), *(there for there, _ in plan.kept.values())}
    return plan.source.place.repo_id == wanted.repo_id and wanted.revision in commits


def _has(target: Hub, wanted: Artifact) -> bool:
    kinds: tuple[RepoKind, ...] = ("dataset", "model")
    return any(target.find_tag(kind, wanted.repo_id, wanted.revision) for kind in kinds)


def as_json(promotion: Promotion, *, done: bool) -> dict[str, Any]:
    """Return the promotion as JSON values: what was changed, or would be (`done` says which)."""
    return {
        "done": done,
        "repositories": [
            {
                "kind": plan.place.kind,
                "from": plan.source.place.repo_id,
                "to": plan.place.repo_id,
                "new": plan.target is None,
                "changed": plan.needed,
                "tags": {"copied": [t for r in plan.revisions for t in r.tags], "there": sorted(plan.kept)},
                "main": {"source_commit": plan.main, "added": len(plan.main_changes.added),
                         "removed": len(plan.main_changes.removed)},
                "private": _final(plan),
            }
            for plan in promotion.plans
        ],
        "collections": [
            {"from": one.slug, "owner": one.owner, "new": one.there is None, "added": len(one.items),
             "missing": list(one.missing)}
            for one in promotion.collections
        ],
        "notes": list(promotion.notes),
    }  # fmt: skip


def _final(plan: PromotionPlan) -> bool:
    """Return whether the repository is private in the end; a new one always has a decision."""
    return plan.private if plan.private is not None else bool(plan.target and plan.target.private)


def as_lines(promotion: Promotion) -> Iterator[str]:
    """Yield each change as a line for a person."""
    for plan in promotion.plans:
        yield from _plan_lines(plan)
    for collection in promotion.collections:
        state = "new" if collection.there is None else "there" if collection.needed else "nothing to change"
        yield f"collections/{collection.slug} -> {collection.owner}: {state}"
        yield from (f"  add {item.kind} {item.id}" for item in collection.items)


def _plan_lines(plan: PromotionPlan) -> Iterator[str]:
    state = "new" if plan.target is None else "unfinished" if plan.interrupted else "there"
    if not plan.needed:
        state = "nothing to change"
    yield f"{plan.source.place} -> {plan.place}: {state}"
    for revision in plan.revisions:
        for tag in revision.tags:
            yield f"  {'move' if tag in revision.moved else 'add'} tag {tag} = {revision.commit[:12]}"
    if plan.kept and plan.needed:
        yield f"  keep {', '.join(sorted(plan.kept))}"
    if plan.main_changes:
        yield f"  main = {plan.main[:12]}: {plan.main_changes}"
    if plan.needed and (plan.target is None or plan.interrupted or plan.shown):
        yield f"  {'private' if _final(plan) else 'public'} when complete"
