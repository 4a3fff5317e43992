"""What a run of the benchmark leaves beside its results: `benchmark.json`, an entry a cell. For report and publish."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.errors import DataError
from harness.wire.reports import load_record

FILE = "benchmark.json"
"""In the results dataset."""
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """One cell: which model it made, from what, or where it ended."""

    scenario: str
    """`s1` to `s5`, or the name of a job."""
    arm: Literal["tft", "direct"]
    fair: bool
    seed: int
    model: str
    """The model repository."""
    status: Literal["done", "failed"]
    stage: str | None = None
    """The stage that failed."""
    problem: str | None = None
    """Why, in a sentence."""
    artifacts: dict[str, str] = field(default_factory=dict)
    """Stage (`corrupt`, `filter`, `relabel`, `synthesize`, `train`) -> `repo@commit`."""
    result: str | None = None
    """Fingerprint of its evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRecord:
    """All cells of a run, and the settings that they have in common."""

    format: int
    preset: str
    settings: dict[str, Any]
    """The resolved preset."""
    student: str
    """`repo@commit`."""
    test_set: str
    """`repo@commit`."""
    seeds: int
    cells: tuple[CellRecord, ...]

    def dump(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)


def load(text: str, where: str) -> BenchmarkRecord:
    """Return the record in the text of a `benchmark.json`; DataError says what is wrong with it."""
    try:
        value = json.loads(text)
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}")
        record: BenchmarkRecord = load_record(BenchmarkRecord, value, "benchmark")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{FILE} of {where} cannot be read ({error}); run `tft benchmark` again") from error
    return record
