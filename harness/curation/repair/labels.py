"""What became of every label: repaired, dropped, left wrong, or wrong only since the repair, counted by kind of damage.

A label is the call of one assistant turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.curation.repair.measure import RepairTarget, readable
from harness.curation.repair.outcomes import CLEAN, TurnRepair, compare_calls
from harness.data.formats.stage_rows import CONTEXT
from harness.data.pipeline_records import TraceRow
from harness.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFates:
    """What became of the labels with one kind of damage, `clean` for those with none; the last four add up to all."""

    kind: str
    labels: int
    right: int
    """All of the call is right now, spelling apart: repaired, or as it was."""
    reworded: int
    """Replies that are replies, with another text than the true one: what a replaced reply said nobody can know."""
    dropped: int
    """Not among what is kept: undecided, or dropped with their conversation."""
    wrong: int
    """Left wrong; of clean ones, errors that the repair introduced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What became of the labels of some traces."""

    conversations: int
    """Those of the task whose labels are counted."""
    kinds: tuple[LabelFates, ...]
    """Most frequent first, `clean` last, which is always there."""
    foreign: int
    """Conversations of another task."""
    foreign_dropped: int
    context: int
    """Conversations that were left as unlabelled context: not counted."""
    unmatched: int
    """Conversations without a clean one: not counted."""

    @property
    def damaged(self) -> LabelFates:
        """All labels that were wrong, whatever the kind."""
        return _added("damaged", self.kinds[:-1])

    @property
    def clean(self) -> LabelFates:
        """Those that were right."""
        return self.kinds[-1]


def measure_labels(before: Iterable[TraceRow], after: Iterable[TraceRow], against: RepairTarget) -> LabelReport:
    """Return what became of the labels of `before`, the rows of the filter, in `after`, those of the committee.

    Raises DataError for a row that cannot be read, and where no row has a truth.
    """
    decided = readable(after)
    context = {row.conversation.id for row in decided if row.columns.get("reason") == CONTEXT}
    kept = {row.conversation.id: row.conversation for row in decided if row.kept}
    raw = [row.conversation for row in readable(before) if row.conversation.id not in context]
    outcomes = compare_calls(against.truths, raw, list(kept.values()), against.toolbox)
    truths = [(one, against.truths.of(one)) for one in raw]
    foreign = [one for one, truth in truths if truth is not None and not truth.belongs]
    unmatched = sum(truth is None for _, truth in truths)
    if unmatched == len(raw):
        raise DataError(f"no conversation of {against.source} has a clean one in {against.truth}")
    counts = Counter(one.kind for one in outcomes if one.damaged)
    return LabelReport(
        conversations=len({one.conversation for one in outcomes}),
        kinds=tuple(
            _fates(kind, [one for one in outcomes if one.kind == kind])
            for kind in (*sorted(counts, key=lambda kind: (-counts[kind], kind)), CLEAN)
        ),
        foreign=len(foreign),
        foreign_dropped=sum(one.id not in kept for one in foreign),
        context=len(context),
        unmatched=unmatched,
    )


def _fates(kind: str, outcomes: Sequence[TurnRepair]) -> LabelFates:
    counts = Counter(map(_fate, outcomes))
    return LabelFates(kind=kind, labels=len(outcomes), **{fate: counts[fate] for fate in _FATES})


_FATES = ("right", "reworded", "dropped", "wrong")


def _fate(one: TurnRepair) -> str:
    if one.undecided:
        return "dropped"
    if one.arguments:
        return "right"
    return "reworded" if one.name and not one.service else "wrong"


def _added(kind: str, several: Sequence[LabelFates]) -> LabelFates:
    counts = {name: sum(getattr(one, name) for one in several) for name in ("labels", *_FATES)}
    return LabelFates(kind=kind, **counts)
