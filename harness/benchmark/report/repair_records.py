"""The records of damage and repair, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.benchmark.cells import Job
from harness.curation.repair.labels import LabelReport
from harness.curation.repair.scores import RepairReport
from harness.hub.artifact import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthPlaces:
    """Where the clean traces are."""

    sources: Path | None = None
    """Folder of the source files, for published scenarios; None: the one of the environment or the cache."""
    job: Job | None = None
    """A job whose folder may have a clean.jsonl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """How well the traces of a scenario were filtered and relabelled, measured against the clean ones."""

    scenario: str
    title: str
    filtered: Artifact | None
    relabelled: Artifact | None
    rejected: RepairReport | None
    """Of the filtered dataset: which conversations were kept."""
    repaired: RepairReport | None
    """Of the relabelled dataset: how the turns were changed."""
    labels: LabelReport | None = None
    """What became of every label from the traces to the relabelled dataset; None where either dataset is missing."""
