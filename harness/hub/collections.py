"""A collection on the Hub and its items."""

from __future__ import annotations

from dataclasses import dataclass


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
