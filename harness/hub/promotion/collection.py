"""Copying a collection: its title, its description, and those of its items that the target has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from harness.hub.artifact import RepoKind
from harness.hub.promotion.plan import PromoteOptions, target_place
from harness.hub.repository import HubSide, RepositoryName

_PAPER = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry of a collection: a repository on the target or a paper, and the note beside it."""

    type: str
    id: str
    note: str | None


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
    items: tuple[Item, ...]
    """What is to be added, in order."""
    missing: tuple[str, ...]
    """Items that the target does not have."""

    @property
    def needed(self) -> bool:
        """Return whether anything has to be changed on the target."""
        return self.there is None or bool(self.items)


def planned_shelf(
    source: HubSide, target: HubSide, slug: str, wishes: PromoteOptions, goals: Mapping[RepositoryName, RepositoryName]
) -> ShelfPlan:
    """Return the plan for the collection `slug` of `source`.

    `goals` says where repositories of this promotion go. Others are listed where the target has one of that name.
    The collection of the same owner and title on the target is taken to be the same.
    """
    with source.asking(f"collection {slug}"):
        shelf = source.api.get_collection(slug)
    owner = wishes.namespace or slug.partition("/")[0]
    there, listed = _found(target, owner, shelf.title)
    items, missing = [], []
    for entry in shelf.items:
        item = _item(target, entry.item_type, entry.item_id, goals, wishes.namespace)
        if item is None:
            missing.append(f"{entry.item_type}s/{entry.item_id}")
        elif (entry.item_type, item.lower()) not in listed:
            items.append(Item(type=entry.item_type, id=item, note=entry.note))
    return ShelfPlan(
        slug=slug,
        title=shelf.title,
        description=shelf.description,
        owner=owner,
        private=shelf.private if wishes.private is None else wishes.private,
        there=there,
        items=tuple(items),
        missing=tuple(missing),
    )


def _found(target: HubSide, owner: str, title: str) -> tuple[str | None, set[tuple[str, str]]]:
    """Return the slug of the target's collection, None without one, and its items by type and name."""
    with target.asking(f"the collections of {owner}"):
        known = [one for one in target.api.list_collections(owner=owner) if one.title == title]
        if not known:
            return None, set()
        shelf = target.api.get_collection(known[0].slug)  # the list shows a few items of each only
    return shelf.slug, {(item.item_type, item.item_id.lower()) for item in shelf.items}


def _item(
    target: HubSide, kind: str, name: str, goals: Mapping[RepositoryName, RepositoryName], namespace: str | None
) -> str | None:
    """Return the name that an item has on the target, None where it is not there."""
    if kind == _PAPER:
        return name
    for known in (one for one in get_args(RepoKind) if one == kind):
        place = RepositoryName(kind=known, repo_id=name)
        if place in goals:
            return goals[place].repo_id
        for candidate in dict.fromkeys((target_place(place, namespace), place)):
            state = target.state(candidate)
            if state is not None:
                return state.place.repo_id
    return None


def copy_shelf(target: HubSide, plan: ShelfPlan) -> str:
    """Carry the plan out and return the collection's slug on the target."""
    api, slug = target.api, plan.there
    with target.asking(f"collection {plan.title!r}"):
        if slug is None:
            made = api.create_collection(
                plan.title, namespace=plan.owner, description=plan.description, private=plan.private, exists_ok=True
            )
            slug = made.slug
        for item in plan.items:
            api.add_collection_item(slug, item.id, item.type, note=item.note, exists_ok=True)  # type: ignore[arg-type]
    return str(slug)
