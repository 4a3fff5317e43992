"""Promotion from end to end: everything is planned and checked before the first change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from harness.errors import DataError, UsageError
from harness.hub.artifact import Artifact, RepoKind, RepositoryName, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, parse_record
from harness.hub.promotion.collection import ShelfPlan, copy_shelf, planned_shelf
from harness.hub.promotion.plan import PromoteOptions, PromotionPlan, planned, target_place
from harness.hub.promotion.relink import LinkMap
from harness.hub.promotion.transfer import Transfer
from harness.hub.publishing import check_may_write

_COLLECTIONS = "collections/"
_KINDS: tuple[RepoKind, ...] = get_args(RepoKind)
_ORDER = ("dataset", "space", "model")  # models name datasets, so those are there first


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """All that one command promotes, and remarks for the person."""

    plans: tuple[PromotionPlan, ...]
    shelves: tuple[ShelfPlan, ...]
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


def plan_all(source: Hub, target: Hub, wanted: Sequence[RepositoryName | str], wishes: PromoteOptions) -> Promotion:
    """Return what promoting `wanted` would do. Reads only; raises HarnessError where it could not be done."""
    places = sorted(
        {name for name in wanted if isinstance(name, RepositoryName)}, key=lambda p: (_ORDER.index(p.kind), p.repo_id)
    )
    slugs = sorted({name for name in wanted if isinstance(name, str)})
    goals = {place: target_place(place, wishes.namespace) for place in places}
    for place, goal in goals.items():
        others = [one for one in places if one != place and _same(goals[one], goal)]
        if others:
            raise UsageError(f"{place} and {others[0]} would both go to {goal}; promote them one by one")
    owners = [RepositoryName(kind="model", repo_id=f"{wishes.namespace or slug.partition('/')[0]}/x") for slug in slugs]
    check_may_write(target, [*goals.values(), *owners])
    names = {place.repo_id: goal.repo_id for place, goal in goals.items() if place.repo_id != goal.repo_id}
    links = LinkMap(source=source.endpoint, target=target.endpoint, names=names if wishes.relink else {})
    plans = tuple(planned(source, target, place, wishes, links) for place in places)
    arrivals = {plan.source.place: plan.place for plan in plans}
    shelves = tuple(planned_shelf(source, target, slug, wishes, arrivals) for slug in slugs)
    notes = [note for plan in plans for note in _unknown_inputs(source, target, plan, plans)]
    notes += [
        f"collection {shelf.slug}: {one} is not on {target.endpoint}" for shelf in shelves for one in shelf.missing
    ]
    return Promotion(plans=plans, shelves=shelves, links=links, notes=tuple(notes))


def _same(one: RepositoryName, other: RepositoryName) -> bool:
    return one.kind == other.kind and one.repo_id.lower() == other.repo_id.lower()


def carry_out(source: Hub, target: Hub, promotion: Promotion, say: Callable[[str], None]) -> None:
    """Make the target as planned; `say` gets a line before each revision. Can be repeated after any interruption."""
    for plan in promotion.plans:
        Transfer(source=source, target=target, plan=plan, links=promotion.links, say=say).run()
    for shelf in promotion.shelves:
        if shelf.needed:
            say(f"collections/{shelf.slug}")
            copy_shelf(target, shelf)


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
            {"from": shelf.slug, "owner": shelf.owner, "new": shelf.there is None, "added": len(shelf.items),
             "missing": list(shelf.missing)}
            for shelf in promotion.shelves
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
    for shelf in promotion.shelves:
        state = "new" if shelf.there is None else "there" if shelf.needed else "nothing to change"
        yield f"collections/{shelf.slug} -> {shelf.owner}: {state}"
        yield from (f"  add {item.kind} {item.id}" for item in shelf.items)


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
