"""Stage `relabel`: a committee rewrites the assistant's turns, code decides, an arbiter where the committee differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from markupsafe import Markup

from harness.curation.annotators import answer_counts, estimate_of, make_committee
from harness.curation.committee.relabel import Committee, relabel_conversations
from harness.curation.committee.summary import summarise
from harness.curation.llm_roles.answer_counts import unusable_in_words, write_counts
from harness.curation.repair.ground_truth import Truths, published_truth, read_truth
from harness.curation.repair.measure import RepairTarget, measure
from harness.curation.stage_settings import RelabelConfig
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.stage_rows import CONTEXT, dump_relabelled
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation
from harness.data.sgd_task import CLEAN
from harness.data.sources import locate
from harness.data.tools import Toolbox
from harness.data.traces.trace_input import TRAIN
from harness.errors import DataError, SourceError
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import RELABELLED, CardFrame, write_stage_card
from harness.reports.repair_tables import as_markdown, draw
from harness.stages._inputs import StageInputs, opened, readable
from harness.stages._requests import PipelineRequest
from harness.stages._result import EmptyResult, StageResult, produce
from harness.statistics.formatting import most_common_first

STAGE = "relabel"
VERSION = 2
PLOT = "plots/repair.png"


class RelabelRequest(PipelineRequest):
    """Which traces are relabelled, and how; `settings` are those of `RelabelConfig`."""

    clean: Path | None = None
    """Clean traces, for the card to measure the repair; None: the job's clean.jsonl, the scenario's truth."""


def run(request: RelabelRequest, hub: Hub) -> StageResult:
    """Relabel what earlier stages have kept, and bring it to its place.

    User messages and results stay as they are, and so does every position. Raises DataError where nothing is left to
    relabel, EmptyResult where no conversation survives, HarnessError where a member cannot be asked.
    """
    with opened(request, hub) as inputs:
        stage = _Relabelling.of(inputs, request.clean)
        return produce(stage.lineage(), hub, inputs.request.place, stage.write)


def estimate(request: RelabelRequest, hub: Hub) -> Iterator[str]:
    """Yield what asking would take, a line per model; nothing is asked."""
    with opened(request, hub) as inputs:
        stage = _Relabelling.of(inputs, request.clean)
        seeds, _ = stage.seeds()
        for member in stage.committee.members:
            yield estimate_of(member, seeds)
        turns = sum(message.role == "assistant" for seed in seeds for message in seed.messages)
        yield f"the arbiter: one question for each turn on which the members differ, of {turns} turns"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relabelling:
    """The stage, ready to run."""

    inputs: StageInputs
    rows: tuple[TraceRow, ...]
    committee: Committee
    config: RelabelConfig
    toolbox: Toolbox
    truth: Truths | None
    """The clean traces, where they are known: the card then says how well the committee repairs."""

    @classmethod
    def of(cls, inputs: StageInputs, clean: Path | None) -> _Relabelling:
        task = inputs.task.task
        return cls(
            inputs=inputs,
            rows=readable(inputs.rows()),
            committee=make_committee(inputs.roles, task, inputs.models),
            config=inputs.config(RelabelConfig, "relabel"),
            toolbox=Toolbox(task.tools),
            truth=_truth(inputs, clean),
        )

    def lineage(self) -> Lineage:
        """Return what the result is made from."""
        arbiter = self.committee.arbiter
        config = {
            **self.config.model_dump(),
            **self.inputs.selection,
            "committee": [member.settings | {"name": member.name} for member in self.committee.members],
            "arbiter": arbiter.settings | {"name": arbiter.name} if arbiter else None,
        }
        inputs = (self.inputs.input.name, self.inputs.task.source)
        return Lineage(stage=STAGE, version=VERSION, config=config, inputs=inputs, seed=self.config.seed)

    def seeds(self) -> tuple[list[Conversation], list[Conversation]]:
        """Return the conversations to relabel and those left as context, both in their order; DataError for none."""
        usable = [row.conversation for row in self.rows if row.kept]
        if not usable:
            rejected = f"all {len(self.rows)} rows were rejected by the filter" if self.rows else "there are no rows"
            raise DataError(f"{self.inputs.input.name}: nothing to relabel, {rejected}; loosen the filter's thresholds")
        if self.config.seeds is None or self.config.seeds >= len(usable):
            return usable, []
        drawn = set(Random(self.config.seed).sample(range(len(usable)), self.config.seeds))  # noqa: S311 -- no secret
        return (
            [one for position, one in enumerate(usable) if position in drawn],
            [one for position, one in enumerate(usable) if position not in drawn],
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Relabel, write data and card, and return what there is to say of them."""
        seeds, context = self.seeds()
        results = relabel_conversations(seeds, self.committee, self.toolbox, seed=self.config.seed)
        tools = self.inputs.task.task.tools
        dumped = [dump_relabelled(one.conversation, tools, one.decisions, one.reason) for one in results]
        rows = [TraceRow(conversation=one.conversation, columns=row) for one, row in zip(results, dumped, strict=True)]
        dumped += [dump_relabelled(conversation, tools, (), CONTEXT) for conversation in context]
        write_jsonl(folder / TRAIN, dumped)
        decisions = [decision for result in results for decision in result.decisions]
        members = [member.name for member in self.committee.members]
        kept = sum(not result.reason for result in results)
        dropped = most_common_first(Counter(one.reason.split(":")[0] for one in results if one.reason))
        counts: dict[str, Any] = {
            "conversations": len(results),
            "kept": kept,
            "dropped": dropped,
            "context": len(context),
            "summary": summarise(members, decisions, self.toolbox),
            "answers": answer_counts(*self.committee.members, self.committee.arbiter),
        }
        write_counts(folder, counts["answers"])
        if not kept:
            reason, number = next(iter(dropped.items()))
            causes = unusable_in_words(counts["answers"])
            raise EmptyResult(f"no conversation survives the committee: {number} have {reason}{causes}")
        frame = CardFrame(
            title="Relabelled traces",
            repo_id=self.inputs.request.place.target or "",
            license=self.inputs.license,
            rows=len(dumped),
            columns=RELABELLED,
            lineage=self.lineage(),
        )
        repair = self._repair(folder, rows, self.truth) if self.truth is not None else None
        write_stage_card(folder, "relabelled.md.jinja", frame, repair=repair, **counts)
        return counts

    def _repair(self, folder: Path, rows: Sequence[TraceRow], truth: Truths) -> Markup:
        """Measure the rows against the truth; return the section of the card, whose plot lies beside it."""
        against = RepairTarget(truths=truth, toolbox=self.toolbox, source="this dataset", truth="the clean traces")
        report = measure(rows, against)
        plot = draw(report, folder / PLOT)
        section = f"{as_markdown(report)}\n![{plot.alt}]({PLOT})\n"
        return Markup(section)  # noqa: S704 -- figures and our own words; kinds of damage are escaped there


def _truth(inputs: StageInputs, clean: Path | None) -> Truths | None:
    """Return the clean traces where they are known."""
    job, scenario = inputs.job, inputs.request.scenario
    if clean is None and job and (job.folder / CLEAN).is_file():
        clean = job.folder / CLEAN
    if clean is not None:
        return read_truth(clean)
    if scenario is None:
        return None
    try:
        sources = locate()
    except SourceError:
        return None  # without the sources there is no truth, and the card has no such section
    return published_truth(sources, scenario, inputs.arm)
