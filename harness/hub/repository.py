"""A repository as it is now: refs, files, visibility."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import AccessDenied, HubError, RepoNotFound
from harness.hub.artifact import RepoKind
from harness.hub.client_errors import translated
from harness.hub.trees import File, Tree

if TYPE_CHECKING:
    from huggingface_hub import HfApi


SOURCE_TOKEN, TARGET_TOKEN = "TFT_FROM_TOKEN", "HF_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryName:
    """A repository on one of the two Hubs."""

    kind: RepoKind
    repo_id: str

    def __str__(self) -> str:
        return f"{self.kind}s/{self.repo_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryState:
    """A repository as it was at one moment: all its names by the commits they meant."""

    place: RepositoryName
    private: bool
    gated: str
    """`auto`, `manual`, or empty."""
    sdk: str | None
    main: str
    branches: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HubSide:
    """One of the two Hubs."""

    api: HfApi
    token_from: str
    """The environment variable that holds its token."""
    _trees: dict[tuple[RepositoryName, str], Tree] = field(default_factory=dict)

    @classmethod
    def at(cls, endpoint: str, token: str | None, token_from: str) -> HubSide:
        """Return the Hub at `endpoint`, read with this token or with none."""
        from huggingface_hub import HfApi

        # False and not None: the client would take HF_TOKEN, which may be the other Hub's.
        return cls(HfApi(endpoint=endpoint, token=token or False, library_name="tft-harness"), token_from)

    @property
    def endpoint(self) -> str:
        """Return its address."""
        return str(self.api.endpoint)

    def asking(self, what: object) -> AbstractContextManager[None]:
        """Turn the client's exceptions into sentences about `what`."""
        return translated(str(what), self.endpoint)

    def state(self, place: RepositoryName) -> RepositoryState | None:
        """Return the repository as it is now, None where it is missing (or hidden from this token)."""
        try:
            with self.asking(place):
                info = self.api.repo_info(place.repo_id, repo_type=place.kind)
                refs = self.api.list_repo_refs(place.repo_id, repo_type=place.kind)
        except RepoNotFound:
            return None
        branches = {ref.name: ref.target_commit for ref in refs.branches}
        if "main" not in branches:
            raise HubError(f"{place} on {self.endpoint} has no branch `main`; push something to it first")
        return RepositoryState(
            place=RepositoryName(kind=place.kind, repo_id=info.id),
            private=bool(info.private),
            gated=str(info.gated or ""),
            sdk=getattr(info, "sdk", None),
            main=branches["main"],
            branches=branches,
            tags={ref.name: ref.target_commit for ref in refs.tags},
        )

    def resolve(self, place: RepositoryName, revision: str) -> str:
        """Return the commit that a revision means now; raises RepoNotFound."""
        with self.asking(f"{place} at revision {revision!r}"):
            return str(self.api.repo_info(place.repo_id, repo_type=place.kind, revision=revision).sha)

    def tree(self, place: RepositoryName, commit: str) -> Tree:
        """Return all files of a commit."""
        if (place, commit) not in self._trees:
            from huggingface_hub.hf_api import RepoFile

            with self.asking(place):
                items = self.api.list_repo_tree(place.repo_id, repo_type=place.kind, revision=commit, recursive=True)
                self._trees[place, commit] = {
                    item.path: File(
                        path=item.path,
                        size=item.size,
                        hash=item.lfs.sha256 if item.lfs else item.blob_id,
                        large=bool(item.lfs),
                    )
                    for item in items
                    if isinstance(item, RepoFile)
                }
        return self._trees[place, commit]

    def age(self, place: RepositoryName, commit: str) -> tuple[datetime, int]:
        """Return when a commit was made, and how many led to it (dates are in seconds): together they sort commits."""
        with self.asking(place):
            history = self.api.list_repo_commits(place.repo_id, repo_type=place.kind, revision=commit)
        return history[0].created_at, len(history)

    def titles(self, place: RepositoryName) -> list[str]:
        """Return the titles of main's commits, the newest first."""
        with self.asking(place):
            return [commit.title for commit in self.api.list_repo_commits(place.repo_id, repo_type=place.kind)]

    def fetch(self, place: RepositoryName, commit: str, path: str, folder: Path) -> Path:
        """Download a file of a commit into `folder` and return where it lies."""
        with self.asking(f"{path} of {place}"):
            # The shared cache knows repositories by their names only: two Hubs may use one name for two things.
            found = self.api.hf_hub_download(
                place.repo_id, path, repo_type=place.kind, revision=commit, cache_dir=folder
            )
        return Path(found).resolve()

    def sha256(self, place: RepositoryName, commit: str, path: str) -> str:
        """Return the SHA-256 of a file's content, by downloading it."""
        with tempfile.TemporaryDirectory() as folder, self.fetch(place, commit, path, Path(folder)).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def check_may_write(side: HubSide, places: list[RepositoryName]) -> None:
    """Raise AccessDenied where the token of `side` may not write to one of the places, whether they exist or not."""
    if not side.api.token:
        raise AccessDenied(f"no token for {side.endpoint}: set {side.token_from} to one that may write")
    with side.asking("the account of this token"):
        me = side.api.whoami()
    role = me.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise AccessDenied(f"the token in {side.token_from} may only read; {side.endpoint} needs one that may write")
    mine = {me["name"].lower(), *(org["name"].lower() for org in me.get("orgs", []))}
    read_only = {org["name"].lower() for org in me.get("orgs", []) if org.get("roleInOrg") == "read"}
    for place in places:
        owner = place.repo_id.partition("/")[0]
        if owner.lower() not in mine - read_only:
            raise AccessDenied(
                f"{me['name']} may not write below {owner} on {side.endpoint}; choose another owner with --namespace"
            )
