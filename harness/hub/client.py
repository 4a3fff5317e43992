"""The client of a Hub: names become commits, files of a commit are read, changes are made; a request or two per call.

Nothing else talks to a Hub. What takes more requests is built upon this: `publishing.py`, `promotion/`, `jobs.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import AccessDenied, DataError, HubError, RepoNotFound, UsageError
from harness.hub.address import DEFAULT_ENDPOINT, check_bare_address, quiet, stored_token
from harness.hub.artifact import Artifact, RepoKind, RepositoryName, split_revision
from harness.hub.client_errors import translate_errors
from harness.hub.collections import Collections
from harness.hub.foreign_json import LARGEST
from harness.hub.http_client import use_own_client
from harness.hub.push_checks import check_outgoing, operations
from harness.hub.repository import File, RepositoryState, Tree
from harness.hub.transfers import downloading, send_large

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo

    from harness.hub.push_checks import Operation

PRIVATE = "TFT_PRIVATE"
"""Variable that, set to 1, makes new repositories private: a benchmark is made before it is shown."""
TOKEN = "HF_TOKEN"  # noqa: S105 -- a variable's name
_HTTP_CONFLICT = 409


class Hub:
    """A Hub at an endpoint, asked with one token. Errors are HubErrors that say what was to be done."""

    def __init__(
        self, endpoint: str, token: str | Literal[False] | None, *, token_from: str = TOKEN, cache: Path | None = None
    ) -> None:
        """Ask `endpoint` with `token`; False is none, None that of the environment or of `hf auth login`.

        `token_from` is the variable that holds it, for messages to the user. What is read is kept in `cache`, by
        default the Hub cache, which knows repositories by their names, whichever Hub they are from.
        """
        from huggingface_hub import HfApi

        quiet()
        use_own_client(endpoint)
        self.api = HfApi(endpoint=endpoint, token=token, library_name="tft-harness")
        self.endpoint = endpoint
        self.token_from = token_from
        self._cache = cache
        self.collections = Collections(self.api, self.errors)
        self.private: bool | None = os.environ.get(PRIVATE) == "1" or None
        """Whether repositories that are made are private; None: as the namespace's owner has set it."""
        self._trees: dict[Artifact, Tree] = {}

    @classmethod
    def connect(cls, endpoint: str | None = None) -> Hub:
        """Return the Hub at `endpoint`, or at HF_ENDPOINT, or huggingface.co. Nothing is sent yet.

        It is asked with HF_TOKEN; for what `hf auth login` has stored see `address.stored_token`.

        The endpoint becomes HF_ENDPOINT, so that the libraries that read it (datasets, transformers,
        vLLM in its own process) ask the same Hub.
        """
        chosen = (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        check_bare_address(chosen, "--hub" if endpoint else "HF_ENDPOINT", f"a token belongs into {TOKEN}")
        token = os.environ.get(TOKEN) or stored_token(chosen)
        os.environ["HF_ENDPOINT"] = chosen
        # Read here and not by the library, which reads the environment once, when it is imported.
        return cls(chosen, token)

    def errors(self, what: object) -> AbstractContextManager[None]:
        """Turn the library's exceptions into sentences about `what`."""
        return translate_errors(str(what), self.endpoint, self.token_from)

    def token(self) -> str | None:
        """Return the token that is sent; None where there is none."""
        from huggingface_hub import get_token

        if isinstance(self.api.token, str) or self.api.token is False:
            return self.api.token or None
        with self.errors("the account of this token"):
            return get_token()

    def namespace(self, wanted: str | None = None) -> str:
        """Return `wanted`, or the name of the token's user."""
        if wanted:
            return wanted
        if not self.token():
            login = ", run `hf auth login`" if self.api.token is None else ""
            raise AccessDenied(f"no token for {self.endpoint}: set HF_TOKEN{login}, or give --namespace")
        with self.errors("the account of this token"):
            return str(self.api.whoami()["name"])

    def page(self, what: RepositoryName | Artifact) -> str:
        """Return the address of a repository's page."""
        return RepositoryName(kind=what.kind, repo_id=what.repo_id).page(self.endpoint)

    def resolve(self, kind: RepoKind, repo_id: str, revision: str | None = None) -> Artifact:
        """Return the repository at the commit that `revision` (branch, tag, commit; default main) means now."""
        what = f"{kind} {repo_id}" + (f" at revision {revision!r}" if revision else "")
        from huggingface_hub.errors import HFValidationError

        with self.errors(what):
            try:
                info = self.api.repo_info(repo_id, repo_type=kind, revision=revision)
            except HFValidationError as error:
                raise UsageError(f"{repo_id!r} is no repository name; expected `owner/name` ({error})") from error
        if info.sha is None:
            raise HubError(f"{what}: {self.endpoint} named no commit for it")
        return Artifact(kind=kind, repo_id=info.id, revision=info.sha)

    def find(self, name: str, kind: RepoKind) -> Artifact:
        """Return the repository `owner/name[@revision]` at the commit that it means now; raises as `resolve`."""
        return self.resolve(kind, *split_revision(name))

    def find_tag(self, kind: RepoKind, repo_id: str, tag: str) -> Artifact | None:
        """Return the artifact that carries `tag`, or None where the repository or the tag is missing."""
        try:
            return self.resolve(kind, repo_id, tag)
        except RepoNotFound:
            return None

    def tags(self, kind: RepoKind, repo_id: str) -> dict[str, str]:
        """Return a repository's tags with the commits that they mean; none where it is missing."""
        try:
            with self.errors(f"{kind} {repo_id}"):
                refs = self.api.list_repo_refs(repo_id, repo_type=kind)
        except RepoNotFound:
            return {}
        return {tag.name: tag.target_commit for tag in refs.tags}

    def state(self, place: RepositoryName) -> RepositoryState | None:
        """Return the repository as it is now, None where it is missing (or hidden from this token)."""
        try:
            with self.errors(place):
                info = self.api.repo_info(place.repo_id, repo_type=place.kind)
                refs = self.api.list_repo_refs(place.repo_id, repo_type=place.kind)
        except RepoNotFound:
            return None
        if not any(branch.name == "main" for branch in refs.branches):
            raise HubError(f"{place} on {self.endpoint} has no branch `main`; push something to it first")
        return RepositoryState.of(place.kind, info, refs)

    def tree(self, artifact: Artifact) -> Tree:
        """Return all files of the artifact; a commit is asked for once."""
        if artifact not in self._trees:
            from huggingface_hub import RepoFile

            repo_id, kind, commit = artifact.repo_id, artifact.kind, artifact.revision
            with self.errors(f"{kind} {artifact}"):
                items = self.api.list_repo_tree(repo_id, repo_type=kind, revision=commit, recursive=True)
                self._trees[artifact] = {item.path: File.of(item) for item in items if isinstance(item, RepoFile)}
        return self._trees[artifact]

    def files(self, artifact: Artifact) -> list[str]:
        """Return the paths of all files of the artifact."""
        return list(self.tree(artifact))

    def titles(self, place: RepositoryName) -> list[str]:
        """Return the titles of main's commits, the newest first."""
        with self.errors(place):
            return [commit.title for commit in self.api.list_repo_commits(place.repo_id, repo_type=place.kind)]

    def pull(self, artifact: Artifact, patterns: Sequence[str] | None = None) -> Path:
        """Download the artifact (or the files that match `patterns`) into the Hub cache and return the folder."""
        with self.errors(f"{artifact.kind} {artifact}"), downloading(artifact.short) as bar:
            folder = self.api.snapshot_download(
                artifact.repo_id,
                repo_type=artifact.kind,
                revision=artifact.revision,
                allow_patterns=list(patterns) if patterns is not None else None,
                cache_dir=self._cache,
                tqdm_class=bar,
            )
        return Path(folder)

    def fetch(self, artifact: Artifact, path: str, folder: Path | None = None) -> Path:
        """Download a file of the artifact, into `folder` where one is given; RepoNotFound where it has no such file."""
        with self.errors(f"{path} of {artifact.kind} {artifact}"), downloading(f"{path} of {artifact.short}") as bar:
            found = self.api.hf_hub_download(artifact.repo_id, path, **self._at(artifact, folder), tqdm_class=bar)
        return Path(found).resolve()

    def read(self, artifact: Artifact, path: str) -> bytes | None:
        """Return a file of the artifact, None where it has no such file; DataError for one that is no text to read."""
        try:
            size = self._size(artifact, path)
            file = self.fetch(artifact, path) if size <= LARGEST else None
        except RepoNotFound:
            self.tree(artifact)  # raises where there is no such commit
            return None
        if file is None or file.stat().st_size > LARGEST:
            raise DataError(f"{path} of {artifact} has more than {LARGEST >> 20} MiB; expected a file that people read")
        return file.read_bytes()

    def _size(self, artifact: Artifact, path: str) -> int:
        """Return the bytes of a file without downloading it, 0 where the Hub does not say; RepoNotFound without one."""
        with self.errors(f"{path} of {artifact.kind} {artifact}"):
            return self.api.hf_hub_download(artifact.repo_id, path, **self._at(artifact), dry_run=True).file_size or 0

    def _at(self, artifact: Artifact, folder: Path | None = None) -> dict[str, Any]:
        return {"repo_type": artifact.kind, "revision": artifact.revision, "cache_dir": folder or self._cache}

    def read_at(self, artifact: Artifact, path: str) -> str | None:
        """Return a text file of the artifact, None where it has no such file; DataError where it is not UTF-8."""
        body = self.read(artifact, path)
        try:
            return None if body is None else body.decode("utf-8")  # line ends stay as they are
        except UnicodeDecodeError as error:
            raise DataError(f"{path} of {artifact} is not UTF-8 (byte {error.start}); save it as UTF-8") from error

    def read_text(self, kind: RepoKind, repo_id: str, path: str) -> str | None:
        """Return a text file of the newest revision, None where the repository or the file is missing."""
        try:
            return self.read_at(self.resolve(kind, repo_id), path)
        except RepoNotFound:
            return None

    def check_writable(self, kind: RepoKind, repo_id: str) -> None:
        """Raise AccessDenied where the token may not write to the repository, RepoNotFound where it is missing."""
        with self.errors(f"writing to {kind} {repo_id}"):
            self.api.auth_check(repo_id, repo_type=kind, write=True)

    def ensure_dataset(self, repo_id: str) -> None:
        """Create the dataset repository where it is missing; AccessDenied where the token may not write to it."""
        self.create(RepositoryName(kind="dataset", repo_id=repo_id), private=self.private, exist_ok=True)
        self.check_writable("dataset", repo_id)  # creating what is there already succeeds without the right to

    def create(
        self, place: RepositoryName, *, private: bool | None, sdk: str | None = None, exist_ok: bool = False
    ) -> None:
        """Make a repository, a Space with its `sdk`; where there is one HubError, or nothing with `exist_ok`."""
        with self.errors(f"{place.kind} {place.repo_id}"):
            self.api.create_repo(place.repo_id, repo_type=place.kind, private=private, space_sdk=sdk, exist_ok=exist_ok)

    def set_private(self, place: RepositoryName, private: bool) -> None:
        """Show or hide a repository."""
        with self.errors(f"the visibility of {place}"):
            self.api.update_repo_settings(place.repo_id, repo_type=place.kind, private=private)

    def commit(
        self,
        place: RepositoryName,
        operations: Iterable[Operation],
        *,
        message: str,
        branch: str | None = None,
        parent: str | None = None,
        create_pr: bool = False,
    ) -> CommitInfo:
        """Make one commit on main or on `branch`, or a pull request; with `parent` only on top of that commit.

        Raises CommitConflict where the branch has moved from there, UsageError where a secret would be pushed.
        """
        operations = list(operations)
        check_outgoing(operations, [message], place)
        with self.errors(f"{place.kind} {place.repo_id}"):
            send_large(self.api, place, operations, branch=branch, create_pr=create_pr)
            return self.api.create_commit(
                place.repo_id,
                operations,
                commit_message=message,
                repo_type=place.kind,
                revision=branch,
                parent_commit=parent,
                create_pr=create_pr,
            )

    def commit_files(
        self,
        kind: RepoKind,
        repo_id: str,
        files: Mapping[str, str | bytes | Path],
        *,
        message: str,
        create_pr: bool = False,
        parent: str | None = None,
    ) -> str:
        """Add or replace `files` in one commit and return its URL (the pull request's with `create_pr`)."""
        place = RepositoryName(kind=kind, repo_id=repo_id)
        made = self.commit(place, operations(files), message=message, parent=parent, create_pr=create_pr)
        return made.pr_url or made.commit_url

    def tag(self, artifact: Artifact, tag: str, *, move: bool = True) -> None:
        """Set a tag at the artifact; where it is at another commit, move it, or raise HubError with `move` False."""
        from huggingface_hub.errors import HfHubHTTPError

        repo_id, kind, commit = artifact.repo_id, artifact.kind, artifact.revision
        with self.errors(f"the tag {tag} of {kind} {repo_id}"):
            try:
                self.api.create_tag(repo_id, tag=tag, revision=commit, repo_type=kind)
            except HfHubHTTPError as error:
                if error.response.status_code != _HTTP_CONFLICT or not move:
                    raise
                self.api.delete_tag(repo_id, tag=tag, repo_type=kind)
                self.api.create_tag(repo_id, tag=tag, revision=commit, repo_type=kind)
