"""What was damaged and what became of it, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.benchmark.report.format import listed
from harness.benchmark.report.repair_records import Repair
from harness.curation.repair.labels import LabelFates, LabelReport
from harness.reports.repair_tables import shown
from harness.statistics.formatting import whole_percent

HOW = (
    "That is measured against the clean traces. A label is the call of one assistant turn; repaired means that all of "
    "it is right again, spelling apart."
)


def say_damage(repairs: Sequence[Repair]) -> tuple[str, ...]:
    """Return a sentence or two per scenario or job, then how that was measured; nothing where nothing was."""
    told = [sentence for one in repairs if one.labels for sentence in _sentences(one.title, one.labels)]
    return (*told, HOW) if told else ()


def _sentences(title: str, labels: LabelReport) -> Iterator[str]:
    damaged, clean = labels.damaged, labels.clean
    total = damaged.labels + clean.labels
    of = f"{total:,} labels in {labels.conversations:,} conversations"
    if damaged.labels:
        share = whole_percent(damaged.labels / total)
        kinds = listed([f"{shown(one.kind)} {one.labels:,}" for one in labels.kinds[:-1]])
        yield f"{title}: damaged {damaged.labels:,} of {of} ({share}; {kinds}). {_became(damaged, clean)}."
    else:
        yield f"{title}: none of {of} was damaged; {_introduced(clean)}."
    if beside := [*_beside(labels)]:
        yield f"{title}, beside these: {listed(beside)}."


def _became(damaged: LabelFates, clean: LabelFates) -> str:
    reworded = f", made replies again whose true words nobody can know {damaged.reworded:,}" if damaged.reworded else ""
    return (
        f"Repaired {damaged.right:,}{reworded}, "
        f"dropped {damaged.dropped:,}, left wrong {damaged.wrong:,}; {_introduced(clean)}"
    )


def _introduced(clean: LabelFates) -> str:
    """Return what became of the labels that were right."""
    if not clean.labels:
        return "no label was right"
    reworded = f", replies reworded {clean.reworded:,}" if clean.reworded else ""
    return f"of the {clean.labels:,} right ones dropped {clean.dropped:,}{reworded}, errors introduced {clean.wrong:,}"


def _beside(labels: LabelReport) -> Iterator[str]:
    """Yield what is no label of the task, or not counted."""
    if labels.foreign:
        yield f"{labels.foreign_dropped:,} of {labels.foreign:,} conversations of another task dropped"
    if labels.context:
        yield f"{labels.context:,} conversations left as unlabelled context, not counted"
    if labels.unmatched:
        yield f"{labels.unmatched:,} conversations without a clean one, not counted"
