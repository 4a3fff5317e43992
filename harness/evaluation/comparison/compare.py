"""Two results on the same pairs: what differs, how surely, and whether a gate lets it pass (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.evaluation.comparison.gate import GateVerdict, Rule, gate_verdict
from harness.evaluation.comparison.sides import ComparedResult, Matching, Values, judge_conflict, match
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.predictions import PredictedRow
from harness.models import parsing
from harness.models.engine.arithmetic import USUAL
from harness.statistics.estimates import Paired, holm, paired

JUDGE_REASON = "judge_reason"
"""The column with what the judge said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A pair on which A and B score differently in the main metric."""

    conversation: str
    turn: int
    question: str | None
    """The last user message, where the rows hold the conversation."""
    reference: str
    a: str | None
    """A's text; None where the model gave no answer."""
    b: str | None
    a_value: float
    b_value: float
    a_reason: str | None
    """What the judge said of it."""
    b_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything reported about two results."""

    a: ComparedResult
    b: ComparedResult
    matching: Matching
    alpha: float
    metrics: dict[str, Paired]
    """The main metric first."""
    adjusted: dict[str, float | None]
    """Metric -> p, adjusted for all the metrics (Holm)."""
    unscored: dict[str, tuple[int, int]]
    """Metric -> common pairs without a value in A, and in B."""
    by_tool: dict[str, Paired]
    """The main metric by the reference's tool."""
    flips: tuple[Flip, ...]
    """Where B scores lower, largest drop first; then where it scores higher, largest gain first."""
    warnings: tuple[str, ...]
    verdict: GateVerdict | None = None

    @property
    def main(self) -> str:
        """The metric that the gate, the tools and the flips are about."""
        return next(iter(self.metrics))


def compare(
    a: ComparedResult,
    b: ComparedResult,
    metrics: Sequence[str],
    *,
    rule: Rule | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Compare the two on their common pairs, in each of `metrics` (the first is the main one); `rule` adds a gate."""
    matching = match(a, b)
    common, clusters = matching.places[: matching.common], matching.clusters[: matching.common]
    columns = {metric: _aligned(a, b, metric, common) for metric in metrics}
    tests = {name: paired(x, y, clusters, seed=seed, alpha=alpha) for name, (x, y) in columns.items()}
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    main = metrics[0]
    return Comparison(
        a=a,
        b=b,
        matching=matching,
        alpha=alpha,
        metrics=tests,
        adjusted=adjusted,
        unscored={name: (sum(v is None for v in x), sum(v is None for v in y)) for name, (x, y) in columns.items()},
        by_tool=_by_tool(a, matching, columns[main]),
        flips=_flips(a, b, matching, columns[main]),
        warnings=tuple(_warnings(a, b, matching, metrics)),
        verdict=gate_verdict(
            main, _aligned(a, b, main, matching.places), matching.clusters, rule=rule, alpha=alpha, seed=seed
        )
        if rule
        else None,
    )


def _aligned(
    a: ComparedResult, b: ComparedResult, metric: str, places: Sequence[tuple[int | None, int | None]]
) -> tuple[Values, Values]:
    """Return the values of A and of B for the pairs at `places`."""
    x, y = a.columns[metric], b.columns[metric]
    return [None if i is None else x[i] for i, _ in places], [None if j is None else y[j] for _, j in places]


def _by_tool(a: ComparedResult, matching: Matching, values: tuple[Values, Values]) -> dict[str, Paired]:
    called = [{call.name: None for call in a.rows[i].references} for i, _ in matching.common_places]
    found = {}
    for tool, _ in Counter(name for names in called for name in names).most_common():
        where = [place for place, names in enumerate(called) if tool in names]
        x, y = ([column[place] for place in where] for column in values)
        found[tool] = paired(x, y, [matching.clusters[place] for place in where])
    return found


def _flips(a: ComparedResult, b: ComparedResult, matching: Matching, values: tuple[Values, Values]) -> tuple[Flip, ...]:
    found = []
    for (i, j), x, y in zip(matching.common_places, *values, strict=True):
        if x is not None and y is not None and x != y:
            found.append(_flip(a.rows[i], b.rows[j], x, y))
    return tuple(sorted(found, key=lambda flip: (flip.b_value > flip.a_value, -abs(flip.b_value - flip.a_value))))


def _flip(a: PredictedRow, b: PredictedRow, x: float, y: float) -> Flip:
    asked = [message.content for message in a.prefix or () if message.role == "user" and message.content]
    return Flip(
        conversation=a.conversation,
        turn=a.turn,
        question=asked[-1] if asked else None,
        reference=parsing.canonical(*a.references),
        a=a.prediction,
        b=b.prediction,
        a_value=x,
        b_value=y,
        a_reason=_reason(a),
        b_reason=_reason(b),
    )


def _reason(row: PredictedRow) -> str | None:
    reason = row.row.get(JUDGE_REASON)
    return reason if isinstance(reason, str) and reason else None


def _warnings(a: ComparedResult, b: ComparedResult, matching: Matching, metrics: Sequence[str]) -> Iterator[str]:
    """Yield what a reader has to know before the numbers."""
    total = len(matching.places)
    if matching.common < total:
        only_a = sum(j is None for _, j in matching.places)
        yield (
            f"Only {matching.common} of {total} pairs are in both: {only_a} are in A alone, "
            f"{total - matching.common - only_a} in B alone. The numbers are about the common pairs."
        )
    for label, side in (("A", a), ("B", b)):
        if side.samples > 1:
            drawn = side.report.run.config.get("temperature") if side.report else None
            at = "an unknown temperature" if drawn is None else f"temperature {drawn}"
            yield (
                f"{label}: the value of a pair is the mean of {side.samples} samples at {at}; the texts below are "
                "those of the first."
            )
    known = {side.report.run.arithmetic for side in (a, b) if side.report} - {None, *USUAL}
    if known and not (a.report and b.report):
        label = "B" if a.report else "A"
        yield f"Nothing says in which arithmetic {label} was answered (rows without a report); the other: {known.pop()}"
    if a.report and b.report:
        data = [(side.report.run.dataset, side.report.run.dataset_revision) for side in (a, b) if side.report]
        if data[0] != data[1]:
            names = [f"{name} at {revision[:12]}" for name, revision in data]
            yield f"The test sets differ: A was asked {names[0]}, B {names[1]}. References agree, prompts may not."
    for label, side in (("A", a), ("B", b)):
        if side.report and side.report.many_cut:
            yield f"{label}: {side.report.cut_words}"
    if JUDGE_METRIC in metrics:
        unknown = [label for label, side in (("A", a), ("B", b)) if not (side.report and side.report.run.judge)]
        if unknown:
            yield (
                f"Nothing says who judged {' and '.join(unknown)} (rows without a report): "
                f"{JUDGE_METRIC} can be compared only if it was the same judge."
            )
    elif JUDGE_METRIC in a.columns and JUDGE_METRIC in b.columns and (conflict := judge_conflict(a, b)):
        yield f"{conflict}: {JUDGE_METRIC} is left out."
