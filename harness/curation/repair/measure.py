"""Rows of a stage, or any traces, against the truth: what a repair report is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.curation.repair.ground_truth import Truth, Truths
from harness.curation.repair.outcomes import TurnRepair, compare_calls, compare_decisions
from harness.curation.repair.scores import ConversationVerdict, RepairReport, Scope, make_report
from harness.data.formats.stage_rows import parse_decisions
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation
from harness.data.tools import Toolbox
from harness.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairTarget:
    """What a repair is measured against, and what both sides are called."""

    truths: Truths
    toolbox: Toolbox
    source: str
    """What the rows are called."""
    truth: str
    """What the truth is called."""


@dataclass(slots=True, kw_only=True)
class _Found:
    """What the rows come to; filled row by row."""

    outcomes: list[TurnRepair] = field(default_factory=list)
    verdicts: list[ConversationVerdict] = field(default_factory=list)
    unmatched: int = 0
    misplaced: int = 0


def measure(
    rows: Iterable[TraceRow], against: RepairTarget, *, raw: Sequence[Conversation] | None = None
) -> RepairReport:
    """Return the repair report of relabelled rows, of filtered rows, or of plain conversations.

    Relabelled rows hold their decisions, turn by turn; rows that were left as context have none and are passed over.
    Filtered rows are measured by what is kept. Plain conversations are compared with `raw`, joined by id, without it
    with themselves: how the traces are as they came. Raises DataError for a row that cannot be read, and where no row
    has a truth.
    """
    listed = readable(rows)
    found = _Found()
    if any(row.columns.get("turns") is not None for row in listed):
        for row in listed:
            _add_decisions(found, row, against)
    elif any("kept" in row.columns for row in listed):
        for row in listed:
            _add_verdict(found, row, _truth(found, row.conversation, against))
    else:
        _add_conversations(found, [row.conversation for row in listed], raw, against)
    if not found.outcomes and not found.verdicts:
        raise DataError(
            f"no conversation of {against.source} has a clean one in {against.truth}; the truth must be of the same "
            "traces: name their clean.jsonl with --clean, or their scenario and arm"
        )
    scope = Scope(source=against.source, truth=against.truth, unmatched=found.unmatched, misplaced=found.misplaced)
    return make_report(scope, found.outcomes, found.verdicts)


def readable(rows: Iterable[TraceRow]) -> list[TraceRow]:
    """Return the rows; DataError for one that cannot be read."""
    listed = list(rows)
    for row in listed:
        if row.problem is not None:
            raise DataError(row.problem)
    return listed


def _truth(found: _Found, conversation: Conversation, against: RepairTarget) -> Truth | None:
    truth = against.truths.of(conversation)
    found.unmatched += truth is None
    return truth


def _add_verdict(found: _Found, row: TraceRow, truth: Truth | None) -> None:
    if truth is not None:
        found.verdicts.append(
            ConversationVerdict(conversation=truth.conversation.id, belongs=truth.belongs, kept=row.kept)
        )


def _add_decisions(found: _Found, row: TraceRow, against: RepairTarget) -> None:
    if not row.columns.get("turns"):
        return
    truth = _truth(found, row.conversation, against)
    _add_verdict(found, row, truth)
    if truth is None or not truth.belongs:
        return
    try:
        decisions = parse_decisions(row.columns)
    except ValueError as error:
        raise DataError(f"{against.source}, conversation {row.conversation.id}: {error}") from error
    for outcome in compare_decisions(truth, decisions, against.toolbox):
        if outcome is None:
            found.misplaced += 1
        else:
            found.outcomes.append(outcome)


def _add_conversations(
    found: _Found, repaired: Sequence[Conversation], raw: Sequence[Conversation] | None, against: RepairTarget
) -> None:
    before = list(raw) if raw is not None else list(repaired)
    found.outcomes = compare_calls(against.truths, before, repaired, against.toolbox)
    kept = {conversation.id for conversation in repaired}
    for conversation in before:
        truth = _truth(found, conversation, against)
        if truth is not None:
            belongs, id = truth.belongs, truth.conversation.id
            found.verdicts.append(ConversationVerdict(conversation=id, belongs=belongs, kept=conversation.id in kept))
