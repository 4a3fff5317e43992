"""Artifacts to and from a Hub, through huggingface_hub. Nothing else in the harness talks to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.errors import AccessDenied, DataError, HubError, RepoNotFound, UsageError
from harness.records import Artifact, RepoKind
from harness.refusals import translated

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    Operation = CommitOperationAdd | CommitOperationDelete

DEFAULT_ENDPOINT = "https://huggingface.co"
EMBEDDED = "embedded"
_HTTP_CONFLICT = 409


class Hub:
    """A Hub at an endpoint, with the token of the environment."""

    def __init__(self, api: HfApi) -> None:
        self.api = api
        self.endpoint: str = api.endpoint

    @classmethod
    def connect(cls, endpoint: str | None = None) -> Hub:
        """Return the Hub at `endpoint`, or at HF_ENDPOINT, or huggingface.co. Nothing is sent yet.

        The endpoint becomes HF_ENDPOINT, so that the libraries that read it (datasets, transformers,
        vLLM in its own process) ask the same Hub.
        """
        chosen = (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        check_address(chosen, "--hub" if endpoint else "HF_ENDPOINT")
        os.environ["HF_ENDPOINT"] = chosen
        from huggingface_hub import HfApi

        quiet()
        # Read here and not by the library, which reads the environment once, when it is imported.
        return cls(HfApi(endpoint=chosen, token=os.environ.get("HF_TOKEN") or None, library_name="tft-harness"))

    def _errors(self, what: str) -> AbstractContextManager[None]:
        """Turn the client's exceptions into sentences about `what`."""
        return translated(what, self.endpoint)

    def namespace(self, wanted: str | None = None) -> str:
        """Return `wanted`, or the name of the token's user."""
        if wanted:
            return wanted
        if not self.api.token and not os.environ.get("HF_TOKEN"):
            from huggingface_hub import get_token

            if not get_token():
                raise AccessDenied(
                    f"no token for {self.endpoint}: set HF_TOKEN, run `hf auth login`, or give --namespace"
                )
        with self._errors("the account of this token"):
            name: str = self.api.whoami()["name"]
        return name

    def resolve(self, kind: RepoKind, repo_id: str, revision: str | None = None) -> Artifact:
        """Return the repository at the commit that `revision` (branch, tag, commit; default main) means now."""
        what = f"{kind} {repo_id}" + (f" at revision {revision!r}" if revision else "")
        from huggingface_hub.errors import HFValidationError

        with self._errors(what):
            try:
                info = self.api.repo_info(repo_id, repo_type=kind, revision=revision)
            except HFValidationError as error:
                raise UsageError(f"{repo_id!r} is no repository name; expected `owner/name` ({error})") from error
        if info.sha is None:
            raise HubError(f"{what}: {self.endpoint} named no commit for it")
        return Artifact(kind=kind, repo_id=info.id, revision=info.sha)

    def pull(self, artifact: Artifact, patterns: Sequence[str] | None = None) -> Path:
        """Download the artifact (or the files that match `patterns`) into the Hub cache and return the folder."""
        with self._errors(f"{artifact.kind} {artifact}"):
            folder = self.api.snapshot_download(
                artifact.repo_id,
                repo_type=artifact.kind,
                revision=artifact.revision,
                allow_patterns=list(patterns) if patterns is not None else None,
            )
        return Path(folder)

    def files(self, artifact: Artifact) -> list[str]:
        """Return the paths of all files of the artifact."""
        with self._errors(f"{artifact.kind} {artifact}"):
            return self.api.list_repo_files(artifact.repo_id, repo_type=artifact.kind, revision=artifact.revision)

    def find_tag(self, kind: RepoKind, repo_id: str, tag: str) -> Artifact | None:
        """Return the artifact that carries `tag`, or None where the repository or the tag is missing."""
        try:
            return self.resolve(kind, repo_id, tag)
        except RepoNotFound:
            return None

    def publish(
        self, kind: RepoKind, repo_id: str, folder: Path, *, message: str, tags: Sequence[str] = ()
    ) -> Artifact:
        """Make the repository equal to `folder` in one commit, then set the tags, and return the artifact.

        The repository is created where it is missing. Tags come last: an interrupted push has none,
        so nothing takes it for complete.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        local = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        with self._errors(f"{kind} {repo_id}"):
            self.api.create_repo(repo_id, repo_type=kind, exist_ok=True)
            remote = self.api.list_repo_files(repo_id, repo_type=kind)
            operations: list[Operation] = [CommitOperationAdd(name, str(path)) for name, path in local.items()]
            operations += [CommitOperationDelete(name) for name in remote if name not in {*local, ".gitattributes"}]
            commit = self.api.create_commit(repo_id, operations, commit_message=message, repo_type=kind)
            artifact = Artifact(kind=kind, repo_id=repo_id, revision=commit.oid)
            for tag in tags:
                self._move_tag(artifact, tag)
        return artifact

    def _move_tag(self, artifact: Artifact, tag: str) -> None:
        from huggingface_hub.errors import HfHubHTTPError

        repo_id, kind = artifact.repo_id, artifact.kind
        try:
            self.api.create_tag(repo_id, tag=tag, revision=artifact.revision, repo_type=kind)
        except HfHubHTTPError as error:
            if error.response.status_code != _HTTP_CONFLICT:
                raise
            self.api.delete_tag(repo_id, tag=tag, repo_type=kind)
            self.api.create_tag(repo_id, tag=tag, revision=artifact.revision, repo_type=kind)

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
        """Add or replace `files` in one commit and return its URL (the pull request's with `create_pr`).

        With `parent` the commit is made only on top of that commit, CommitConflict where the branch has moved.
        """
        from huggingface_hub import CommitOperationAdd

        operations = [
            CommitOperationAdd(name, str(body) if isinstance(body, Path) else _as_bytes(body))
            for name, body in files.items()
        ]
        with self._errors(f"{kind} {repo_id}"):
            commit = self.api.create_commit(
                repo_id,
                operations,
                commit_message=message,
                repo_type=kind,
                create_pr=create_pr,
                parent_commit=parent,
            )
        return commit.pr_url or commit.commit_url

    def url(self, artifact: Artifact) -> str:
        """Return the address of the repository's page."""
        return self.page(artifact.kind, artifact.repo_id)

    def page(self, kind: RepoKind, repo_id: str) -> str:
        """Return the address of a repository's page."""
        prefix = "" if kind == "model" else f"{kind}s/"
        return f"{self.endpoint}/{prefix}{repo_id}"

    def read_text(self, kind: RepoKind, repo_id: str, path: str) -> str | None:
        """Return a text file of the newest revision, None where the repository or the file is missing."""
        try:
            found = self.pull(self.resolve(kind, repo_id), [path]) / path
        except RepoNotFound:
            return None
        try:
            return found.read_bytes().decode("utf-8") if found.is_file() else None  # line ends stay as they are
        except UnicodeDecodeError as error:
            raise DataError(f"{path} of {repo_id} is not UTF-8 (byte {error.start}); save it as UTF-8") from error

    def check_writable(self, kind: RepoKind, repo_id: str) -> None:
        """Raise AccessDenied where the token may not write to the repository, RepoNotFound where it is missing."""
        with self._errors(f"writing to {kind} {repo_id}"):
            self.api.auth_check(repo_id, repo_type=kind, write=True)

    def ensure_dataset(self, repo_id: str) -> None:
        """Create the dataset repository where it is missing; AccessDenied where the token may not write to it."""
        with self._errors(f"dataset {repo_id}"):
            self.api.create_repo(repo_id, repo_type="dataset", exist_ok=True)
        self.check_writable("dataset", repo_id)  # creating what is there already succeeds without the right to


def quiet() -> None:
    """Keep the client's own output for a person who waits: no bars into logs, no remarks on what we do on purpose."""
    import logging
    import sys
    import warnings

    from huggingface_hub.utils.tqdm import disable_progress_bars

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Warnings while validating metadata", module="huggingface_hub")
    if not sys.stderr.isatty():
        disable_progress_bars()


@contextmanager
def connected(hub: str | None) -> Iterator[Hub]:
    """Connect to the Hub that `--hub` names: a URL, None for HF_ENDPOINT, or `embedded`.

    `embedded` starts a Hub on the default folder of `tft hub serve` and stops it at the end of the block.
    """
    if hub != EMBEDDED:
        yield Hub.connect(hub)
        return
    from harness.hubd.embedded import running
    from harness.hubd.errors import HubStartError
    from harness.hubd.root import default_root

    try:
        with running(default_root()) as embedded:
            os.environ["HF_TOKEN"] = embedded.token
            yield Hub.connect(embedded.url)
    except HubStartError as error:
        raise HubError(f"the embedded Hub did not start: {error}") from error


def check_address(address: str, source: str) -> None:
    """Raise UsageError where `address`, which `source` gave, is no http address."""
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address in them, a port out of range
        valid = False
    if not valid or any(character.isspace() for character in address):
        raise UsageError(f"{source} is {address!r}, which is no address; expected https://host or http://host:port")


def _as_bytes(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body
