"""What this package asks of a Hub besides its client: a file at a commit, tags, and files by their hashes."""

from __future__ import annotations

from harness.errors import DataError
from harness.hub.artifact import Artifact, RepoKind
from harness.hub.client import Hub
from harness.hub.client_errors import translated


def without_bars() -> None:
    """Keep the client's bars away: a chain is read in dozens of small files, and there is a bar for all of it."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()


def read_at(hub: Hub, artifact: Artifact, path: str) -> str | None:
    """Return a text file of the artifact, None where it has no such file; DataError where it is not UTF-8."""
    found = hub.pull(artifact, [path]) / path
    try:
        return found.read_bytes().decode("utf-8") if found.is_file() else None  # line ends stay as they are
    except UnicodeDecodeError as error:
        raise DataError(f"{path} of {artifact} is not UTF-8 (byte {error.start})") from error


def tags(hub: Hub, kind: RepoKind, repo_id: str) -> dict[str, str]:
    """Return the repository's tags, each with the commit that it means."""
    with translated(f"{kind} {repo_id}", hub.endpoint):
        refs = hub.api.list_repo_refs(repo_id, repo_type=kind)
    return {tag.name: tag.target_commit for tag in refs.tags}


def hashes(hub: Hub, artifact: Artifact) -> dict[str, str]:
    """Return the artifact's files, each with the hash of its content: SHA-256 of a large one, git's otherwise."""
    from huggingface_hub.hf_api import RepoFile

    with translated(f"{artifact.kind} {artifact}", hub.endpoint):
        items = hub.api.list_repo_tree(
            artifact.repo_id, repo_type=artifact.kind, revision=artifact.revision, recursive=True
        )
        files = [item for item in items if isinstance(item, RepoFile)]
    return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}
