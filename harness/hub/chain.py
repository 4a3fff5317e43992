"""What an artifact was made from, and the data behind it, followed from one lineage to the next."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import RepoNotFound
from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, LineageRecord, find_record

_DEEPEST = 8
"""More stages than any data has gone through."""


def read_lineage(hub: Hub, artifact: Artifact, path: str = LINEAGE) -> LineageRecord | None:
    """Return the lineage in a file of the artifact; DataError for a damaged one.

    None without such a file, and where it is somebody else's file of that name.
    """
    content = hub.read(artifact, path)
    return None if content is None else find_record(content, f"{path} of {artifact}")


def follow_data(hub: Hub, artifact: Artifact) -> Iterator[tuple[Artifact, LineageRecord]]:
    """Yield what a stage has made and, one after the other, the data behind it, each with its lineage.

    Ends at what no stage has made and at what is not on this Hub. DataError for a damaged lineage.
    """
    for _ in range(_DEEPEST):
        try:
            record = read_lineage(hub, artifact)
        except RepoNotFound:
            return
        if record is None:
            return
        yield artifact, record
        data = parse_input(record.lineage.data or "")
        if not isinstance(data, Artifact):
            return
        artifact = data
