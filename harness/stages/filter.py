"""Stage `filter`: deterministic checks, then a teacher's ratings; every trace stays in the result with its decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from harness.curation.annotators import answer_counts, estimate_of, make_rater
from harness.curation.checks.batch import Inspected, Inspection, inspect_traces
from harness.curation.checks.message_order import CheckConfig
from harness.curation.inspection.redaction import find_pii, redact
from harness.curation.llm_roles.answer_counts import unusable_in_words, write_counts
from harness.curation.stage_settings import FilterConfig, published
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.stage_rows import dump_filtered
from harness.data.pipeline_records import Rater, Rating, TraceRow
from harness.data.traces.trace_input import TRAIN
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import FILTERED, CardFrame, write_stage_card
from harness.stages._inputs import StageInputs, opened
from harness.stages._requests import PipelineRequest
from harness.stages._result import EmptyResult, StageResult, produce
from harness.statistics.formatting import most_common_first
from harness.terminal import progress, say

STAGE = "filter"
VERSION = 2
_CHUNK = 2000
"""Traces that are rated at once and in memory together."""
_RATINGS = (1, 2, 3, 4, 5, None)


class FilterRequest(PipelineRequest):
    """Which traces are checked and rated, and how; `settings` are those of `FilterConfig`."""


def run(request: FilterRequest, hub: Hub) -> StageResult:
    """Filter, row by row in flat memory, and bring the result to its place.

    A row that cannot be read, or that the teacher gave no rating, is in the result with the reason. Raises EmptyResult,
    which says what rejected how many, where nothing is kept.
    """
    with opened(request, hub) as inputs:
        stage = _Filtering.of(inputs)
        return produce(stage.lineage(), hub, inputs.request.place, stage.write)


def estimate(request: FilterRequest, hub: Hub) -> Iterator[str]:
    """Yield what asking would take, a line per model; nothing is asked."""
    with opened(request, hub) as inputs:
        rater = _Filtering.of(inputs).rater
        if rater is not None:
            yield estimate_of(rater, [row.conversation for row in inputs.rows() if row.problem is None])


@dataclass(slots=True)
class _Tally:
    """What the card and the terminal say, counted while rows pass by."""

    traces: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    relevance: Counter[int | None] = field(default_factory=Counter)
    coherence: Counter[int | None] = field(default_factory=Counter)
    pii: Counter[str] = field(default_factory=Counter)

    def ratings(self) -> dict[str, list[int]]:
        """Return how often each rating was given, 1 to 5 and none, by quality."""
        return {
            "relevance": [self.relevance[rating] for rating in _RATINGS],
            "coherence": [self.coherence[rating] for rating in _RATINGS],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filtering:
    """The stage, ready to run."""

    inputs: StageInputs
    rater: Rater | None
    """None: the checks alone decide."""
    config: FilterConfig

    @classmethod
    def of(cls, inputs: StageInputs) -> _Filtering:
        config = inputs.config(FilterConfig, "filter", published("filter", inputs.request.scenario))
        rater = make_rater(inputs.roles.filter, inputs.task.task, inputs.models) if config.rate else None
        return cls(inputs=inputs, rater=rater, config=config)

    def lineage(self) -> Lineage:
        """Return what the result is made from."""
        rater = self.rater.settings | {"name": self.rater.name} if self.rater else None
        config = {**self.config.model_dump(), **self.inputs.selection, "teacher": rater}
        inputs = (self.inputs.input.name, self.inputs.task.source)
        return Lineage(stage=STAGE, version=VERSION, config=config, inputs=inputs)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write data and card, and return what there is to say of them."""
        tally = _Tally()
        with progress("checking traces" if self.rater is None else "checking and rating traces") as advance:
            write_jsonl(folder / TRAIN, self._rows(tally, advance))
        answers = answer_counts(self.rater)
        write_counts(folder, answers)
        if not tally.kept:
            raise EmptyResult(f"{self._nothing_kept(tally)}{unusable_in_words(answers)}")
        if tally.pii and not self.config.redact:
            found = ", ".join(f"{kind} {count}" for kind, count in tally.pii.items())
            say(f"the traces hold what looks like personal data ({found}); --redact masks it")
        counts: dict[str, Any] = {
            "traces": tally.traces,
            "kept": tally.kept,
            "dropped": most_common_first(tally.dropped),
            "findings": most_common_first(tally.findings),
            "ratings": tally.ratings(),
            "pii": most_common_first(tally.pii),
            "answers": answers,
        }
        frame = CardFrame(
            title="Filtered traces",
            repo_id=self.inputs.request.place.target or "",
            license=self.inputs.license,
            rows=tally.traces,
            columns=FILTERED,
            lineage=self.lineage(),
        )
        write_stage_card(folder, "filtered.md.jinja", frame, rated=self.rater is not None, **counts)
        return counts

    def _rows(self, tally: _Tally, advance: Callable[..., None]) -> Iterator[dict[str, Any]]:
        tools = self.inputs.task.task.tools
        inspection = Inspection(
            tools=tools,
            config=CheckConfig(max_length=self.config.max_length, parallel=self.inputs.task.task.parallel_tool_calls),
            threshold=self.config.similarity,
        )
        inspected = inspect_traces(self._cleaned(tally), inspection)
        while chunk := list(islice(inspected, _CHUNK)):
            ratings = self._rate([one for one in chunk if not _rejection(one)[0]])
            for one in chunk:
                rating = ratings.get(one.row.conversation.id)
                kind, reason = self._decide(one, rating)
                tally.traces += 1
                tally.kept += not reason
                tally.findings.update((finding.check, finding.severity) for finding in one.findings)
                if kind:
                    tally.dropped[kind] += 1
                if rating:
                    tally.relevance[rating.relevance] += 1
                    tally.coherence[rating.coherence] += 1
                yield dump_filtered(one.row.conversation, tools, one.findings, rating, reason)
                advance()

    def _cleaned(self, tally: _Tally) -> Iterator[TraceRow]:
        """Yield the rows, masked where that is wanted, before anything else, above all a teacher, sees them."""
        for row in self.inputs.rows():
            found = find_pii(row.conversation)
            tally.pii.update(found)
            masked = self.config.redact and found
            yield replace(row, conversation=redact(row.conversation)) if masked else row

    def _rate(self, passed: Sequence[Inspected]) -> dict[str, Rating]:
        ratings: dict[str, Rating] = {}
        if self.rater is not None and passed:
            self.rater.rate(
                [one.row.conversation for one in passed], lambda rating: ratings.update({rating.id: rating})
            )
        return ratings

    def _decide(self, one: Inspected, rating: Rating | None) -> tuple[str, str]:
        """Return the kind of the reason against a trace and the reason; two empty texts for one that is kept."""
        kind, reason = _rejection(one)
        if kind:
            return kind, reason
        if self.rater is None:
            return "", ""
        if rating is None or rating.relevance is None or rating.coherence is None:
            return "not rated", f"not rated: {rating.error if rating else 'the teacher left it out'}"
        if rating.relevance < self.config.relevance:
            return (
                f"relevance below {self.config.relevance}",
                f"relevance {rating.relevance}: {rating.relevance_reason}",
            )
        if rating.coherence < self.config.coherence:
            return (
                f"coherence below {self.config.coherence}",
                f"coherence {rating.coherence}: {rating.coherence_reason}",
            )
        return "", ""

    def _nothing_kept(self, tally: _Tally) -> str:
        if not tally.traces:
            return f"{self.inputs.input.name} has no rows; expected one conversation per line"
        causes = ", ".join(f"{kind} ({count})" for kind, count in most_common_first(tally.dropped).items())
        most = next(iter(most_common_first(tally.dropped)))
        threshold = most.split()[0]
        advice = (
            f"lower it with --set {threshold}=N" if threshold in ("relevance", "coherence") else "look at the traces"
        )
        return f"none of {tally.traces} traces is kept: {causes}; {advice}"


def _rejection(one: Inspected) -> tuple[str, str]:
    """Return the kind of the first reason of the checks against a trace and the reason; two empty texts for none."""
    if against := one.rejection:
        return against.check, f"{against.check}: {against.problem}"
    if one.duplicate:
        return "duplicate", f"duplicate of {one.duplicate.of} (similarity {one.duplicate.similarity:.2f})"
    return "", ""
