"""How far people have approved a test set: the counts, which travel with it, and the sentence about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.formats.strict_records import load_record

APPROVAL = "test_approval"
"""Where the counts stand in the lineage of a test set, and in the configuration of what was evaluated on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCounts:
    """How many test conversations were held out, and what became of them; `looked_at` is by a person."""

    conversations: int
    looked_at: int
    corrected: int
    dropped: int
    taken: int
    """By `--yes`."""
    pending: int

    @property
    def used(self) -> int:
        """Return how many models are compared on: all that were not dropped."""
        return self.conversations - self.dropped

    @property
    def sentence(self) -> str:
        """Return in one sentence how many of the conversations a person looked at."""
        number = f"{self.conversations} test conversation{'' if self.conversations == 1 else 's'}"
        if not self.looked_at:
            return f"Nobody looked at the {number}: what is wrong in them counts as right."
        others = self.conversations - self.looked_at
        rest = f", nobody at the other {others}" if others else ""
        share = (
            f"{self.looked_at} of the {number}" if others else f"{'all' if self.conversations > 1 else 'the'} {number}"
        )
        return f"A person looked at {share}{rest}: {self.corrected} corrected, {self.dropped} left out."


def approval_of(config: Mapping[str, Any]) -> ReviewCounts | None:
    """Return the counts in a lineage's or an evaluation's configuration; None where it has none that can be read."""
    try:
        counts = load_record(ReviewCounts, config.get(APPROVAL), APPROVAL)
    except ValueError:
        return None
    return counts if isinstance(counts, ReviewCounts) else None
