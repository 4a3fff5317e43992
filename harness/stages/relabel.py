"""Stage `relabel`: a committee rewrites the assistant's turns, code decides, an arbiter where the committee differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from markupsafe import Markup

from harness.curation.committee.relabel import Committee, Relabelled, relabel_conversations
from harness.curation.committee.summary import summarise
from harness.curation.repair.ground_truth import Truths
from harness.curation.repair.measure import Against, measure
from harness.curation.settings import RelabelConfig
from harness.data.annotations import TraceRow
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.stage_rows import CONTEXT, dump_relabelled
from harness.data.records import Conversation
from harness.data.tasks import TaskSource
from harness.data.tools import Toolbox
from harness.data.traces.read import read_traces
from harness.errors import DataError
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import RELABELLED, CardFrame, most_common_first, rule_based, stage_card
from harness.reports.repair_plot import draw
from harness.reports.repair_tables import as_markdown
from harness.stages._run import EmptyResult, Place, StageResult, run

STAGE = "relabel"
VERSION = 1
PLOT = "plots/repair.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabelling:
    """The stage, ready to run."""

    rows: tuple[TraceRow, ...]
    source: str
    task: TaskSource
    committee: Committee
    config: RelabelConfig
    license: str | None = None
    """Of the traces, as the Hub names it, where that is known."""
    selection: Mapping[str, Any] = field(default_factory=dict)
    """Which part of the source is read, where not all of it is: for the lineage."""
    truth: Truths | None = None
    """The clean traces, where they are known: the card then says how well the committee repairs."""

    def lineage(self) -> Lineage:
        """Return what the result is made from."""
        arbiter = self.committee.arbiter
        config = {
            **self.config.model_dump(),
            **self.selection,
            "committee": [member.settings | {"name": member.name} for member in self.committee.members],
            "arbiter": arbiter.settings | {"name": arbiter.name} if arbiter else None,
        }
        inputs = (self.source, self.task.source)
        return Lineage(stage=STAGE, version=VERSION, config=config, inputs=inputs, seed=self.config.seed)

    def run(self, hub: Hub | None, place: Place) -> StageResult:
        """Relabel what earlier stages have kept, and bring it to its place.

        User messages and results stay as they are, and so does every position. Raises DataError where nothing is
        left to relabel, EmptyResult where no conversation survives, HarnessError where a member cannot be asked.
        """
        return run(self.lineage(), lambda folder: self._write(folder, place.repo_id or ""), hub, place)

    def _write(self, folder: Path, repo_id: str) -> dict[str, Any]:
        seeds, context = self.seeds()
        results = relabel_conversations(seeds, self.committee, Toolbox(self.task.task.tools), seed=self.config.seed)
        kept = sum(not result.reason for result in results)
        dumped = [dump_relabelled(one.conversation, one.decisions, one.reason) for one in results]
        dumped += [dump_relabelled(conversation, (), CONTEXT) for conversation in context]
        write_jsonl(folder / "data" / "train.jsonl", dumped)
        decisions = [decision for result in results for decision in result.decisions]
        members = [member.name for member in self.committee.members]
        summary = summarise(members, decisions, Toolbox(self.task.task.tools))
        dropped = most_common_first(_counted_reasons(results))
        counts: dict[str, Any] = {
            "conversations": len(results),
            "kept": kept,
            "dropped": dropped,
            "context": len(context),
            "summary": summary,
        }
        if not kept:
            raise EmptyResult(f"no conversation survives the committee: {_first(dropped)}")
        frame = CardFrame(
            title="Relabelled traces",
            repo_id=repo_id,
            license=self.license,
            rows=len(dumped),
            columns=RELABELLED,
            configs={"default": "data/train.jsonl"},
            lineage=self.lineage(),
        )
        rules = rule_based(self.lineage().config)
        repair = self._repair(folder, self.truth) if self.truth is not None else None
        card = stage_card("relabelled.md.jinja", frame, rules=rules, repair=repair, **counts)
        (folder / "README.md").write_text(card, encoding="utf-8")
        return counts

    def _repair(self, folder: Path, truth: Truths) -> Markup:
        """Measure what was written against the truth; return the section of the card, whose plot lies beside it."""
        against = Against(
            truths=truth,
            toolbox=Toolbox(self.task.task.tools),
            source="this dataset",
            truth="the clean traces",
        )
        report = measure(read_traces(folder / "data" / "train.jsonl"), against)
        plot = draw(report, folder / PLOT)
        section = f"{as_markdown(report)}\n![{plot.alt}]({PLOT})\n"
        return Markup(section)  # noqa: S704 -- figures and our own words; kinds of damage are escaped there

    def seeds(self) -> tuple[list[Conversation], list[Conversation]]:
        """Return the conversations to relabel and those left as context, both in their order; DataError for none."""
        usable = [row.conversation for row in self.rows if row.kept]
        if not usable:
            rejected = f"all {len(self.rows)} rows were rejected by the filter" if self.rows else "there are no rows"
            raise DataError(f"{self.source}: nothing to relabel, {rejected}; loosen the filter's thresholds")
        if self.config.seeds is None or self.config.seeds >= len(usable):
            return usable, []
        drawn = set(Random(self.config.seed).sample(range(len(usable)), self.config.seeds))  # noqa: S311 -- no secret
        return (
            [one for position, one in enumerate(usable) if position in drawn],
            [one for position, one in enumerate(usable) if position not in drawn],
        )


def _counted_reasons(results: Sequence[Relabelled]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for result in results:
        if result.reason:
            kind = result.reason.split(":")[0]
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def _first(counts: dict[str, int]) -> str:
    return next((f"{number} have {reason}" for reason, number in counts.items()), "nobody said why")
