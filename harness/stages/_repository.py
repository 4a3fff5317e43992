"""What every data stage does at its end: render the card, write the folder, push it once, or reuse it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import resources
from harness.hub import Hub
from harness.lineage import Lineage
from harness.records import Artifact
from harness.wire.jsonl import write_json

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The artifact of a stage, and whether it was there already."""

    artifact: Artifact
    reused: bool


def publish(
    hub: Hub, repo_id: str, lineage: Lineage, write: Callable[[Path], None], *, force: bool = False
) -> Published:
    """Push the dataset folder that `write` fills, with its `lineage.json`, unless this fingerprint is there already."""
    found = None if force else hub.find_made("dataset", repo_id, lineage.fingerprint())
    if found:
        return Published(artifact=found, reused=True)
    with tempfile.TemporaryDirectory(prefix="tft-") as name:
        folder = Path(name)
        write(folder)
        write_json(folder / "lineage.json", lineage.dump())
        message = f"{lineage.stage}: {lineage.fingerprint()}"
        artifact = hub.publish("dataset", repo_id, folder, message=message, tags=[lineage.tag()])
    return Published(artifact=artifact, reused=False)


def render(template: str, **records: Any) -> str:
    """Return the card made by `datasets/<template>`; a variable that no record has is an error."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(resources.folder("datasets")),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = _percent
    return environment.get_template(template).render(records)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def size_category(rows: int) -> str:
    """Return the Hub's `size_categories` value for a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1M")


def most_common_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by falling number, ties by name, so that a card does not depend on reading order."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
