"""The two Hubs of a promotion: each at its address, with its own token, read by commit."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.connecting import DEFAULT_ENDPOINT, EMBEDDED, check_address
from harness.errors import AccessDenied, HubError, RepoNotFound, UsageError
from harness.promotion.trees import Changes, File, Tree
from harness.records import RepoKind
from harness.refusals import translated

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SOURCE_TOKEN, TARGET_TOKEN = "TFT_FROM_TOKEN", "HF_TOKEN"
FIRST, UPDATE = "promotion-first", "promotion-update"
"""The branch on which revisions are put together; while it is there, the promotion is not complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository on one of the two Hubs."""

    kind: RepoKind
    repo_id: str

    def __str__(self) -> str:
        return f"{self.kind}s/{self.repo_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A repository as it was at one moment: all its names by the commits they meant."""

    place: Place
    private: bool
    gated: str
    """`auto`, `manual`, or empty."""
    sdk: str | None
    main: str
    branches: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two Hubs."""

    api: HfApi
    token_from: str
    """The environment variable that holds its token."""
    _trees: dict[tuple[Place, str], Tree] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """Return its address."""
        return str(self.api.endpoint)

    def asking(self, what: object) -> AbstractContextManager[None]:
        """Turn the client's exceptions into sentences about `what`."""
        return translated(str(what), self.endpoint)

    def state(self, place: Place) -> State | None:
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
        return State(
            place=Place(kind=place.kind, repo_id=info.id),
            private=bool(info.private),
            gated=str(info.gated or ""),
            sdk=getattr(info, "sdk", None),
            main=branches["main"],
            branches=branches,
            tags={ref.name: ref.target_commit for ref in refs.tags},
        )

    def resolve(self, place: Place, revision: str) -> str:
        """Return the commit that a revision means now; raises RepoNotFound."""
        with self.asking(f"{place} at revision {revision!r}"):
            return str(self.api.repo_info(place.repo_id, repo_type=place.kind, revision=revision).sha)

    def tree(self, place: Place, commit: str) -> Tree:
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

    def age(self, place: Place, commit: str) -> tuple[datetime, int]:
        """Return when a commit was made, and how many led to it (dates are in seconds): together they sort commits."""
        with self.asking(place):
            history = self.api.list_repo_commits(place.repo_id, repo_type=place.kind, revision=commit)
        return history[0].created_at, len(history)

    def titles(self, place: Place) -> list[str]:
        """Return the titles of main's commits, the newest first."""
        with self.asking(place):
            return [commit.title for commit in self.api.list_repo_commits(place.repo_id, repo_type=place.kind)]

    def fetch(self, place: Place, commit: str, path: str, folder: Path) -> Path:
        """Download a file of a commit into `folder` and return where it lies."""
        with self.asking(f"{path} of {place}"):
            # The shared cache knows repositories by their names only: two Hubs may use one name for two things.
            found = self.api.hf_hub_download(
                place.repo_id, path, repo_type=place.kind, revision=commit, cache_dir=folder
            )
        return Path(found).resolve()

    def sha256(self, place: Place, commit: str, path: str) -> str:
        """Return the SHA-256 of a file's content, by downloading it."""
        with tempfile.TemporaryDirectory() as folder, self.fetch(place, commit, path, Path(folder)).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def changes(have: tuple[Side, Place, str], have_tree: Tree, want: tuple[Side, Place, str], want_tree: Tree) -> Changes:
    """Return what makes the tree of `have` equal that of `want` (each a side, a repository and a commit).

    A file that is large on one side only (each Hub decides for itself) is downloaded from the other to compare.
    """

    def same(one: File, other: File) -> bool:
        answer = one.same(other)
        if answer is not None:
            return answer
        hashes = {
            file.hash if file.large else side.sha256(place, commit, file.path)
            for file, (side, place, commit) in ((one, have), (other, want))
        }
        return len(hashes) == 1

    return Changes(
        added=tuple(
            f for path, f in sorted(want_tree.items()) if path not in have_tree or not same(have_tree[path], f)
        ),
        removed=tuple(sorted(path for path in have_tree if path not in want_tree)),
    )


@contextmanager
def both(source: str, target: str) -> Iterator[tuple[Side, Side]]:
    """Connect to two Hubs, each a URL or `embedded` (started for the block, with its own token).

    The token of the source is TFT_FROM_TOKEN, none where that is not set; the target's is HF_TOKEN. Neither is ever
    sent to the other. Raises UsageError where both are the same Hub.
    """
    with _opened(source, "--from", SOURCE_TOKEN) as first:
        if source == target or first.endpoint == target.rstrip("/"):
            raise UsageError(f"--from and --to are the same Hub, {first.endpoint}; give two")
        with _opened(target, "--to", TARGET_TOKEN) as second:
            yield first, second


@contextmanager
def _opened(address: str, option: str, variable: str) -> Iterator[Side]:
    if address != EMBEDDED:
        endpoint = address.rstrip("/")
        check_address(endpoint, option)
        yield _side(endpoint, os.environ.get(variable) or None, variable)
        return
    from harness.hubd.embedded import running
    from harness.hubd.errors import HubStartError
    from harness.hubd.root import default_root

    try:
        with running(default_root()) as embedded:
            yield _side(embedded.url, embedded.token, variable)
    except HubStartError as error:
        raise HubError(
            f"{option} embedded: {str(error).rstrip('.')}; where one is running, give its address"
        ) from error


def _side(endpoint: str, token: str | None, variable: str) -> Side:
    from huggingface_hub import HfApi, get_token

    from harness.connecting import quiet

    quiet()
    if token is None and variable == TARGET_TOKEN and endpoint == DEFAULT_ENDPOINT:
        token = get_token()  # of `hf auth login`, which is for huggingface.co and nobody else
    # False and not None: the client would take HF_TOKEN, which may be the other Hub's.
    return Side(HfApi(endpoint=endpoint, token=token or False, library_name="tft-harness"), variable)


def check_may_write(side: Side, places: list[Place]) -> None:
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
