"""What became of every label, counted by hand: repaired, dropped, left wrong, reworded, made wrong."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.curation.repair.ground_truth import Truth, Truths
from harness.curation.repair.labels import LabelFates, LabelReport, measure_labels
from harness.curation.repair.measure import RepairTarget
from harness.data.formats.stage_rows import CONTEXT
from harness.data.pipeline_records import TraceRow
from harness.errors import DataError


def counted(
    library: SimpleNamespace, before: list[TraceRow], after: list[TraceRow], truths: Truths | None = None
) -> LabelReport:
    against = RepairTarget(
        truths=truths or library.truths, toolbox=library.toolbox, source="traces", truth="clean.jsonl"
    )
    return measure_labels(before, after, against)


def rows(conversations: list, **columns: object) -> list[TraceRow]:  # type: ignore[type-arg]
    return [TraceRow(conversation=one, columns={"kept": True, "reason": "", **columns}) for one in conversations]


def test_every_label_has_one_fate_and_counts_are_those_of_hand(library: SimpleNamespace) -> None:
    """In all ten the search (message 3) is a reply, in the first four the last reply (5) is a call: 14 of 30.

    Conversation 0 does not pass the filter, 1 is dropped by the committee, in 2 the search stays wrong and the last
    reply comes back with other words, in 3 a right reply (1) is broken and one that was damaged is right again.
    """
    damaged = [library.with_call(one, 3, library.reply("Just a moment.")) for one in library.clean]
    damaged[:4] = [library.with_call(one, 5, library.call("FindBook", title="Taxi")) for one in damaged[:4]]
    repaired = list(library.clean)
    repaired[2] = library.with_call(
        library.with_call(damaged[2], 5, library.reply("Here it is.")), 1, library.reply("?")
    )
    repaired[3] = library.with_call(repaired[3], 1, library.call("LendBook", title="?"))
    before = rows(damaged[:1], kept=False) + rows(damaged[1:])
    after = rows(repaired[1:2], kept=False, reason="undecided turns: 1") + rows(repaired[2:])

    found = counted(library, before, after)

    assert found.conversations == 10
    assert found.damaged == LabelFates(kind="damaged", labels=14, right=8, reworded=1, dropped=4, wrong=1)
    assert found.clean == LabelFates(kind="clean", labels=16, right=12, reworded=1, dropped=2, wrong=1)
    for one in found.kinds:
        assert one.labels == one.right + one.reworded + one.dropped + one.wrong
    assert (found.foreign, found.context, found.unmatched) == (0, 0, 0)


def test_what_is_no_label_of_the_task_is_counted_beside(library: SimpleNamespace) -> None:
    """Two are of another task, of which one was kept; one stayed as context; one has no clean conversation."""
    truths = Truths(
        [Truth(conversation=one, belongs=place > 1) for place, one in enumerate(library.clean) if place < 9]
    )
    stranger = replace(
        library.clean[9],
        id="stranger",
        source="",
        messages=tuple(replace(message, tool_calls=()) for message in library.clean[9].messages[:1]),
    )
    before = rows([*library.clean[:9], stranger])
    after = rows(library.clean[1:8]) + rows(library.clean[8:9], kept=False, reason=CONTEXT)
    found = counted(library, before, after, truths)
    assert (found.foreign, found.foreign_dropped, found.context, found.unmatched) == (2, 1, 1, 1)
    assert found.conversations == 6
    assert found.clean == LabelFates(kind="clean", labels=18, right=18, reworded=0, dropped=0, wrong=0)
    assert found.damaged.labels == 0


def test_traces_of_another_truth_are_refused(library: SimpleNamespace) -> None:
    other = Truths([Truth(conversation=replace(library.clean[0], id="x", source="", messages=()))])
    with pytest.raises(DataError, match="has a clean one"):
        counted(library, rows(library.clean), rows(library.clean), other)
