"""What a release changes on a Hub, a request or two each: Spaces, commits, tags, collections, visibility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.hub.artifact import RepoKind
from harness.hub.client import Hub
from harness.hub.client_errors import translated
from harness.hub.collections import Collection, CollectionItem
from harness.hub.repository import RepositoryName

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete


@dataclass(frozen=True, slots=True)
class ReleaseHub:
    """The Hub on which a release is made. Errors are HubErrors that say what was to be done."""

    hub: Hub

    def _doing(self, what: object) -> AbstractContextManager[None]:
        return translated(str(what), self.hub.endpoint)

    def create_space(self, place: RepositoryName) -> None:
        """Make a static Space that is private; HubError where there is one of that name."""
        with self._doing(place):
            self.hub.api.create_repo(place.repo_id, repo_type="space", space_sdk="static", private=True)

    def commit(
        self, place: RepositoryName, files: Mapping[str, bytes], removed: Sequence[str], *, message: str, parent: str
    ) -> str:
        """Write and remove files in one commit on top of `parent` and return it; CommitConflict where main moved."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path, body) for path, body in files.items()
        ]
        operations += [CommitOperationDelete(path, is_folder=False) for path in removed]
        with self._doing(place):
            made = self.hub.api.create_commit(
                place.repo_id, operations, commit_message=message, repo_type=place.kind, parent_commit=parent
            )
        return str(made.oid)

    def set_tag(self, place: RepositoryName, tag: str, commit: str, *, moved: bool) -> None:
        """Tag a commit; `moved` takes the tag from another one first."""
        api, repo_id, kind = self.hub.api, place.repo_id, place.kind
        with self._doing(f"tag {tag} of {place}"):
            if moved:
                api.delete_tag(repo_id, tag=tag, repo_type=kind)
            api.create_tag(repo_id, tag=tag, revision=commit, repo_type=kind)

    def set_private(self, place: RepositoryName, private: bool) -> None:
        """Show or hide a repository."""
        with self._doing(f"the visibility of {place}"):
            self.hub.api.update_repo_settings(place.repo_id, repo_type=place.kind, private=private)

    def find_shelf(self, owner: str, title: str) -> Collection | None:
        """Return the collection of that owner and title, None without one."""
        with self._doing(f"the collections of {owner}"):
            known = [one for one in self.hub.api.list_collections(owner=owner) if one.title == title]
            if not known:
                return None
            found = self.hub.api.get_collection(known[0].slug)  # the list shows a few items of each only
        items = tuple(
            CollectionItem(kind=str(item.item_type), id=item.item_id, note=item.note)
            for item in sorted(found.items, key=lambda item: item.position)
        )
        return Collection(
            slug=found.slug,
            title=found.title,
            description=found.description,
            private=bool(found.private),
            items=items,
        )

    def create_shelf(self, owner: str, title: str, description: str) -> str:
        """Make a private collection and return its slug; HubError where there is one of that title."""
        with self._doing(f"collection {title!r}"):
            made = self.hub.api.create_collection(title, namespace=owner, description=description, private=True)
        return str(made.slug)

    def add_item(self, slug: str, kind: RepoKind, repo_id: str, note: str) -> None:
        """Append a repository to a collection."""
        with self._doing(f"{kind}s/{repo_id} in collection {slug}"):
            self.hub.api.add_collection_item(slug, repo_id, kind, note=note, exists_ok=True)

    def change_item(self, slug: str, kind: str, repo_id: str, *, note: str | None, position: int | None) -> None:
        """Set the note of an item of a collection, or move it to a position (from 0)."""
        with self._doing(f"{kind}s/{repo_id} in collection {slug}"):
            items = self.hub.api.get_collection(slug).items
            key = next(item.item_object_id for item in items if (str(item.item_type), item.item_id) == (kind, repo_id))
            self.hub.api.update_collection_item(slug, key, note=note, position=position)

    def set_shelf_private(self, slug: str, private: bool) -> None:
        """Show or hide a collection."""
        with self._doing(f"the visibility of collection {slug}"):
            self.hub.api.update_collection_metadata(slug, private=private)
