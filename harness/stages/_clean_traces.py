"""The dialogues that the benchmark's data is made from, read once per process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness.data.scenarios import CleanTraces, read_dialogues
from harness.data.sources import locate


@lru_cache(maxsize=1)
def clean_traces(folder: Path) -> CleanTraces:
    """Return the dialogues of the source files in a folder; SourceError where one is not the pinned one."""
    return read_dialogues(locate(folder))
