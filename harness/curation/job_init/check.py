"""What is missing or odd in a job folder, each with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.curation.job_folder import JobFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinding:
    """One thing that a job folder lacks, or that is odd about it."""

    what: str
    advice: str
    missing: bool
    """Whether the comparison cannot be run, or not be trusted, without it; otherwise it is worth knowing only."""


def check_job(folder: Path) -> list[JobFinding]:
    """Return what is missing or odd, what is missing first. DataError where the folder is no job folder."""
    job = JobFolder.open(folder)
    found = []
    if job.test is None:
        advice = "put conversations aside that nothing is trained on, one per line, and correct them"
        found.append(JobFinding(what="there is no test.jsonl", advice=advice, missing=True))
    return sorted(found, key=lambda one: not one.missing)
