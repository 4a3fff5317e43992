"""Copying a collection: its title, its description, and those of its items that the target has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from harness.hub.artifact import RepoKind, RepositoryName
from harness.hub.client import Hub
from harness.hub.collections import CollectionItem
from harness.hub.promotion.plan import PromoteOptions, target_place

_PAPER = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfPlan:
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


def planned_shelf(
    source: Hub, target: Hub, slug: str, wishes: PromoteOptions, goals: Mapping[RepositoryName, RepositoryName]
) -> ShelfPlan:
    """Return the plan for the collection `slug` of `source`.

    `goals` says where repositories of this promotion go. Others are listed where the target has one of that name.
    The collection of the same owner and title on the target is taken to be the same.
    """
    shelf = source.collections.read(slug)
    owner = wishes.namespace or slug.partition("/")[0]
    there = target.collections.find(owner, shelf.title)
    listed = {(item.kind, item.id.lower()) for item in there.items} if there else set()
    items, missing = [], []
    for entry in shelf.items:
        found = _there(target, entry, goals, wishes.namespace)
        if found is None:
            missing.append(f"{entry.kind}s/{entry.id}")
        elif (entry.kind, found.lower()) not in listed:
            items.append(replace(entry, id=found))
    return ShelfPlan(
        slug=slug,
        title=shelf.title,
        description=shelf.description,
        owner=owner,
        private=shelf.private if wishes.private is None else wishes.private,
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


def copy_shelf(target: Hub, plan: ShelfPlan) -> str:
    """Carry the plan out and return the collection's slug on the target."""
    slug = plan.there or target.collections.create(
        plan.owner, plan.title, description=plan.description, private=plan.private, exists_ok=True
    )
    for item in plan.items:
        target.collections.add(slug, item)
    return slug
