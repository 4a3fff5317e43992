"""What every data stage does at its end: render the card, write the folder, push it once, or reuse it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.data.formats.jsonl import write_json
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.hub.publishing import find_made, push_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The artifact of a stage, and whether it was there already."""

    artifact: Artifact
    reused: bool


def publish(
    hub: Hub, repo_id: str, lineage: Lineage, write: Callable[[Path], None], *, force: bool = False
) -> Published:
    """Push the dataset folder that `write` fills, with its `lineage.json`, unless this fingerprint is there already."""
    found = None if force else find_made(hub, "dataset", repo_id, lineage.fingerprint())
    if found:
        return Published(artifact=found, reused=True)
    with tempfile.TemporaryDirectory(prefix="tft-") as name:
        folder = Path(name)
        write(folder)
        write_json(folder / LINEAGE, lineage.dump())
        message = f"{lineage.stage}: {lineage.fingerprint()}"
        artifact = push_folder(hub, "dataset", repo_id, folder, message=message, tags=[lineage.tag()])
    return Published(artifact=artifact, reused=False)
