"""The repair report: precision and recall of detection and repair, by kind of damage, from outcomes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from harness.curation.repair.outcomes import CLEAN, TurnRepair, compare_calls
from harness.statistics.estimates import estimate
from harness.statistics.intervals import share_interval
from harness.statistics.records import Estimate

__all__ = ["ConversationVerdict", "Kind", "Measure", "RepairReport", "compare_calls", "make_report"]

Test = Callable[[TurnRepair], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How well something is found or mended. All intervals are 95 %, clustered by conversation."""

    name: str
    what: str
    """What counts, in words."""
    positives: int
    """Cases that should have been found or mended."""
    flagged: int
    """Cases that were touched."""
    precision: Estimate
    """Share of the touched that should have been, or are right now."""
    recall: Estimate
    """Share of the positives that were found, or are right now."""
    f1: Estimate
    """Harmonic mean of both; n counts positives and touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All turns with one kind of damage, `clean` for those with none."""

    kind: str
    n: int
    conversations: int
    undecided: int
    detected: Estimate
    """Share that was changed or left undecided; false alarms where the kind is `clean`."""
    name: Estimate
    """Share with the right name now, as all the following: an undecided turn is not right."""
    keys: Estimate
    """Of service calls: right name and argument keys."""
    arguments: Estimate
    """Of service calls: all of the call right, spelling apart."""
    strictly: Estimate
    """Of service calls: all of the call right, character by character."""
    text: Estimate
    """Of replies: the very text. What a foreign or a missing reply said cannot be known, so low values are no fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationVerdict:
    """A conversation: does it belong to the task, and was it kept."""

    conversation: str
    belongs: bool
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """All that a table, a plot or a card shows of a repair."""

    source: str
    """What was measured."""
    truth: str
    """Against what."""
    conversations: int
    """Those with turns that were measured."""
    unmatched: int
    """Conversations without a clean one: not measured."""
    misplaced: int
    """Turns at a place where the clean conversation has none: not measured."""
    kinds: tuple[Kind, ...]
    """Most frequent first, `clean` last."""
    measures: tuple[Measure, ...]
    before: dict[str, Estimate]
    """As they came: share of the turns with the right `name`, and of service calls all right (`arguments`)."""
    after: dict[str, Estimate]
    """The same now."""
    broken: dict[str, Estimate]
    """Of the clean turns: `name`, `arguments` (of service calls) and `text` (of replies) no longer right."""
    rejection: Measure | None
    """Conversations that do not belong, found by rejecting them; None where all belong and all are kept."""
    kept: Estimate | None
    """Share of the conversations that belong which are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a report is about, and what could not be measured."""

    source: str
    truth: str
    unmatched: int = 0
    misplaced: int = 0


def make_report(scope: Scope, outcomes: Sequence[TurnRepair], verdicts: Sequence[ConversationVerdict]) -> RepairReport:
    """Return the report over turns (`outcomes`, of conversations that belong) and whole conversations."""
    counts = Counter(one.kind for one in outcomes)
    order = sorted(counts, key=lambda kind: (kind == CLEAN, -counts[kind], kind))
    clean = [one for one in outcomes if not one.damaged]
    services = [one for one in outcomes if one.service]
    interesting = any(not one.belongs or not one.kept for one in verdicts)
    own = [one for one in verdicts if one.belongs]
    return RepairReport(
        source=scope.source,
        truth=scope.truth,
        conversations=len({one.conversation for one in outcomes}),
        unmatched=scope.unmatched,
        misplaced=scope.misplaced,
        kinds=tuple(_kind(kind, [one for one in outcomes if one.kind == kind]) for kind in order),
        measures=tuple(_measures(outcomes)) if outcomes else (),
        before={
            "name": _share(outcomes, lambda one: one.raw_name),
            "arguments": _share(services, lambda one: not one.damaged),
        },
        after={
            "name": _share(outcomes, lambda one: one.name),
            "arguments": _share(services, lambda one: one.arguments),
        },
        broken={
            "name": _share(clean, lambda one: not one.name),
            "arguments": _share([one for one in clean if one.service], lambda one: not one.arguments),
            "text": _share([one for one in clean if not one.service], lambda one: not one.arguments),
        },
        rejection=_rejection(verdicts) if interesting else None,
        kept=estimate([float(one.kept) for one in own], [one.conversation for one in own]) if interesting else None,
    )


def _share(outcomes: Sequence[TurnRepair], test: Test) -> Estimate:
    return estimate([float(test(one)) for one in outcomes], [one.conversation for one in outcomes])


def _kind(kind: str, outcomes: Sequence[TurnRepair]) -> Kind:
    services = [one for one in outcomes if one.service]
    return Kind(
        kind=kind,
        n=len(outcomes),
        conversations=len({one.conversation for one in outcomes}),
        undecided=sum(one.undecided for one in outcomes),
        detected=_share(outcomes, lambda one: one.changed),
        name=_share(outcomes, lambda one: one.name),
        keys=_share(services, lambda one: one.keys),
        arguments=_share(services, lambda one: one.arguments),
        strictly=_share(services, lambda one: one.strictly),
        text=_share([one for one in outcomes if not one.service], lambda one: one.arguments),
    )


def _measures(outcomes: Sequence[TurnRepair]) -> Iterable[Measure]:
    yield _measure(
        ("detection", "wrong turns, found by changing them or leaving them undecided"),
        [(one.conversation, one.damaged, one.changed, one.damaged and one.changed) for one in outcomes],
    )
    yield _measure(
        ("reply text", "replies that say the wrong thing, found by changing them or leaving them undecided"),
        [
            (one.conversation, one.damaged, one.changed, one.damaged and one.changed)
            for one in outcomes
            if one.both_replies
        ],
    )
    yield _measure(
        ("tool name", "turns with the wrong tool, mended by giving them the right one"),
        [(one.conversation, not one.raw_name, one.name_changed, one.name_changed and one.name) for one in outcomes],
    )
    yield _measure(
        ("service call", "service calls that are wrong in any way, mended by making all of the call right"),
        [
            (one.conversation, one.damaged and one.service, touched, touched and one.arguments)
            for one in outcomes
            if one.service or one.into_service
            for touched in (one.changed and not one.undecided,)
        ],
    )


Row = tuple[str, bool, bool, bool]
"""Cluster, whether it should be touched, whether it was, and whether that did what it should."""


def _measure(names: tuple[str, str], rows: Sequence[Row]) -> Measure:
    positives = [(cluster, hit) for cluster, positive, _, hit in rows if positive]
    flagged = [(cluster, hit) for cluster, _, touched, hit in rows if touched]
    return Measure(
        name=names[0],
        what=names[1],
        positives=len(positives),
        flagged=len(flagged),
        precision=estimate([float(hit) for _, hit in flagged], [cluster for cluster, _ in flagged]),
        recall=estimate([float(hit) for _, hit in positives], [cluster for cluster, _ in positives]),
        f1=_f1(positives, flagged),
    )


def _f1(positives: Sequence[tuple[str, bool]], flagged: Sequence[tuple[str, bool]]) -> Estimate:
    """Return 2 hits / (positives + flagged): the mean of `hit` over both lists together, so one `estimate`.

    Every hit is in both lists, so the sandwich variance of this mean is the linearised one of the ratio. Only where
    there is no variance, at 0 and 1, each case must not count twice for the interval.
    """
    both = [*positives, *flagged]
    one = estimate([float(hit) for _, hit in both], [cluster for cluster, _ in both])
    if one.value not in (0.0, 1.0) or one.clusters < 2:
        return one
    low, high = share_interval(one.value, 0.0, one.clusters - 1, max(len(positives), len(flagged)))
    return replace(one, low=low, high=high)


def _rejection(verdicts: Sequence[ConversationVerdict]) -> Measure:
    return _measure(
        ("rejection", "conversations of another task, found by rejecting them"),
        [(one.conversation, not one.belongs, not one.kept, not one.belongs and not one.kept) for one in verdicts],
    )
