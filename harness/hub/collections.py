"""Collections on a Hub: their items, and changes to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import CollectionItemType_T


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionItem:
    """An entry of a collection."""

    kind: str
    id: str
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection as it is on the Hub; its items in their order."""

    slug: str
    title: str
    description: str | None
    private: bool
    items: tuple[CollectionItem, ...]


class Collections:
    """The collections of a Hub, by their slugs (`owner/title-id`)."""

    def __init__(self, api: HfApi, errors: Callable[[object], AbstractContextManager[None]]) -> None:
        self._api, self._errors = api, errors

    def read(self, slug: str) -> Collection:
        """Return a collection."""
        with self._errors(f"collection {slug}"):
            found = self._api.get_collection(slug)
        return Collection(
            slug=found.slug,
            title=found.title,
            description=found.description,
            private=bool(found.private),
            items=tuple(
                CollectionItem(kind=str(item.item_type), id=item.item_id, note=item.note)
                for item in sorted(found.items, key=lambda item: item.position)
            ),
        )

    def find(self, owner: str, title: str) -> Collection | None:
        """Return the collection of that owner and title, None without one."""
        with self._errors(f"the collections of {owner}"):
            known = [one.slug for one in self._api.list_collections(owner=owner) if one.title == title]
        return self.read(known[0]) if known else None  # the list shows a few items of each only

    def create(self, owner: str, title: str, *, description: str | None, private: bool, exists_ok: bool = False) -> str:
        """Make a collection and return its slug; HubError where there is one of that title, unless `exists_ok`."""
        with self._errors(f"collection {title!r}"):
            made = self._api.create_collection(
                title, namespace=owner, description=description, private=private, exists_ok=exists_ok
            )
        return str(made.slug)

    def add(self, slug: str, item: CollectionItem) -> None:
        """Append an item to a collection."""
        kind = cast("CollectionItemType_T", item.kind)
        with self._errors(f"{item.kind}s/{item.id} in collection {slug}"):
            self._api.add_collection_item(slug, item.id, kind, note=item.note, exists_ok=True)

    def change(self, slug: str, kind: str, item_id: str, *, note: str | None, position: int | None) -> None:
        """Set the note of an item of a collection, or move it to a position (from 0)."""
        with self._errors(f"{kind}s/{item_id} in collection {slug}"):
            items = self._api.get_collection(slug).items
            key = next(item.item_object_id for item in items if (str(item.item_type), item.item_id) == (kind, item_id))
            self._api.update_collection_item(slug, key, note=note, position=position)

    def set_private(self, slug: str, private: bool) -> None:
        """Show or hide a collection."""
        with self._errors(f"the visibility of collection {slug}"):
            self._api.update_collection_metadata(slug, private=private)
