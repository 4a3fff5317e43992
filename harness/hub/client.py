"""Artifacts to and from a Hub, through huggingface_hub. Nothing else in the harness talks to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import AccessDenied, DataError, HubError, RepoNotFound, UsageError
from harness.hub.address import DEFAULT_ENDPOINT, check_address, quiet
from harness.hub.artifact import Artifact, RepoKind, split_revision
from harness.hub.client_errors import translated
from harness.hub.lineage import LINEAGE, LineageRecord, parse_record

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    Operation = CommitOperationAdd | CommitOperationDelete

PRIVATE = "TFT_PRIVATE"
"""Variable that, set to 1, makes new repositories private: a benchmark is made before it is shown."""
_HTTP_CONFLICT = 409


class Hub:
    """A Hub at an endpoint, with the token of the environment."""

    def __init__(self, api: HfApi) -> None:
        self.api = api
        self.endpoint: str = api.endpoint
        self.private: bool | None = os.environ.get(PRIVATE) == "1" or None
        """Whether repositories that are made are private; None: as the namespace's owner has set it."""

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

    def token(self) -> str | None:
        """Return the token that is sent, of the environment or of `hf auth login`; None where there is none."""
        from huggingface_hub import get_token

        if isinstance(self.api.token, str) or self.api.token is False:
            return self.api.token or None
        with self._errors("the account of this token"):
            return get_token()

    def namespace(self, wanted: str | None = None) -> str:
        """Return `wanted`, or the name of the token's user."""
        if wanted:
            return wanted
        if not self.token():
            raise AccessDenied(f"no token for {self.endpoint}: set HF_TOKEN, run `hf auth login`, or give --namespace")
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

    def find(self, name: str, kind: RepoKind) -> Artifact:
        """Return the repository `owner/name[@revision]` at the commit that it means now; raises as `resolve`."""
        return self.resolve(kind, *split_revision(name))

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

    def lineage(self, artifact: Artifact, path: str = LINEAGE) -> LineageRecord | None:
        """Return the lineage in a file of the artifact; None without such a file, DataError for a damaged one."""
        file = self.pull(artifact, [path]) / path
        return parse_record(file.read_bytes(), f"{path} of {artifact}") if file.is_file() else None

    def find_tag(self, kind: RepoKind, repo_id: str, tag: str) -> Artifact | None:
        """Return the artifact that carries `tag`, or None where the repository or the tag is missing."""
        try:
            return self.resolve(kind, repo_id, tag)
        except RepoNotFound:
            return None

    def tags(self, kind: RepoKind, repo_id: str) -> list[str]:
        """Return the names of a repository's tags; none where it is missing."""
        try:
            with self._errors(f"{kind} {repo_id}"):
                return [tag.name for tag in self.api.list_repo_refs(repo_id, repo_type=kind).tags]
        except RepoNotFound:
            return []

    def find_made(self, kind: RepoKind, repo_id: str, fingerprint: str) -> Artifact | None:
        """Return the artifact that a stage has made with this fingerprint, or None.

        Where a push was killed between its commit and its tag, main is that artifact, and gets the tag now.
        DataError where main has a `lineage.json` that cannot be read.
        """
        tag = f"fp-{fingerprint}"
        if found := self.find_tag(kind, repo_id, tag):
            return found
        try:
            head = self.resolve(kind, repo_id)
        except RepoNotFound:
            return None
        record = self.lineage(head)
        if record is None or record.fingerprint != fingerprint:
            return None
        self.tag(head, tag)
        return head

    def publish(
        self, kind: RepoKind, repo_id: str, folder: Path, *, message: str, tags: Sequence[str] = ()
    ) -> Artifact:
        """Make the repository equal to `folder` in one commit, then set the tags, and return the artifact.

        The repository is created where it is missing. Tags come last: an interrupted push has none,
        so nothing takes it for complete. Raises UsageError, and changes nothing, where the repository holds files
        that the harness has not made.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        local = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        with self._errors(f"{kind} {repo_id}"):
            self.api.create_repo(repo_id, repo_type=kind, exist_ok=True, private=self.private)
            remote = self.api.list_repo_files(repo_id, repo_type=kind)
            check_ours(kind, repo_id, remote)
            operations: list[Operation] = [CommitOperationAdd(name, str(path)) for name, path in local.items()]
            operations += [CommitOperationDelete(name) for name in remote if name not in {*local, ".gitattributes"}]
            commit = self.api.create_commit(repo_id, operations, commit_message=message, repo_type=kind)
            artifact = Artifact(kind=kind, repo_id=repo_id, revision=commit.oid)
        for tag in tags:
            self.tag(artifact, tag)
        return artifact

    def tag(self, artifact: Artifact, tag: str) -> None:
        """Set a tag at the artifact, moving it where it stands elsewhere."""
        from huggingface_hub.errors import HfHubHTTPError

        repo_id, kind = artifact.repo_id, artifact.kind
        with self._errors(f"the tag {tag} of {kind} {repo_id}"):
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

    def propose(self, repo_id: str, files: Mapping[str, str], *, message: str) -> tuple[str, bool]:
        """Have one open pull request of ours on a model propose `files`; return its URL and whether anything was sent.

        One with this title that is open already is brought up to date; those of others are left alone.
        """
        from huggingface_hub import CommitOperationAdd

        me = self.namespace()
        with self._errors(f"model {repo_id}"):
            filters: dict[str, Any] = {"discussion_type": "pull_request", "discussion_status": "open"}
            found = [
                one
                for one in self.api.get_repo_discussions(repo_id, author=me, **filters)
                if (one.title, one.author) == (message, me)
            ]
        if not found:
            return self.commit_files("model", repo_id, files, message=message, create_pr=True), True
        branch = self.resolve("model", repo_id, found[0].git_reference)
        folder = self.pull(branch, list(files))
        if all((folder / name).is_file() and (folder / name).read_bytes() == files[name].encode() for name in files):
            return found[0].url, False
        operations = [CommitOperationAdd(name, body.encode()) for name, body in files.items()]
        with self._errors(f"model {repo_id}"):
            self.api.create_commit(
                repo_id,
                operations,
                commit_message=message,
                revision=found[0].git_reference,
                parent_commit=branch.revision,
            )
        return found[0].url, True

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
            self.api.create_repo(repo_id, repo_type="dataset", exist_ok=True, private=self.private)
        self.check_writable("dataset", repo_id)  # creating what is there already succeeds without the right to


def check_ours(kind: RepoKind, repo_id: str, files: Sequence[str]) -> None:
    """Raise UsageError where these files of a repository are somebody else's work, which a push would replace."""
    if LINEAGE in files or not {*files} - {".gitattributes", "README.md"}:
        return
    raise UsageError(
        f"the {kind} {repo_id} holds files that this harness has not made ({len(files)}, and no {LINEAGE} among them); "
        "nothing was changed: choose another name or namespace, or delete that repository"
    )


def _as_bytes(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body
