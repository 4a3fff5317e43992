"""What the main table says, in plain sentences: where TFT beats Direct, where not, and where nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence

from harness.baselines import GOLD
from harness.summary.records import Baseline, Row, Table, Verdict
from harness.summary.tables import ALPHA


def reach_verdict(main: Table, baselines: Sequence[Baseline], metric: str) -> Verdict:
    """Return the verdict on the corrupted scenarios, by `metric`: paired, clustered by conversation, Holm-adjusted."""
    rows = [row for row in main.rows if row.corrupted]
    compared = {row.scenario: row.contrasts[metric] for row in rows if metric in row.contrasts}
    told = {name: one for name, one in compared.items() if not one.tie}
    tft = tuple(name for name, one in told.items() if (one.difference.value or 0.0) > 0)
    direct = tuple(name for name, one in told.items() if (one.difference.value or 0.0) < 0)
    verdict = Verdict(
        metric=metric,
        alpha=ALPHA,
        tft=tft,
        direct=direct,
        untold=tuple(name for name in compared if name not in told),
        missing=tuple(row.scenario for row in rows if row.scenario not in compared),
        beats_baselines=None,
        sentences=(),
    )
    return verdict
