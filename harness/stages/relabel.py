"""Stage `relabel`: a committee rewrites the assistant's turns, code decides, an arbiter where the committee differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from markupsafe import Markup

from harness.committee.decide import Verdict, decide, settle
from harness.committee.summary import summarise
from harness.errors import DataError
from harness.events import callable_tools, events
from harness.hub import Hub
from harness.lineage import Lineage
from harness.records import Conversation
from harness.repair.measure import Against, measure
from harness.repair.plot import draw
from harness.repair.tables import as_markdown
from harness.repair.truth import Truths
from harness.stages._card import RELABELLED, CardFrame, rule_based, stage_card
from harness.stages._pipeline import EmptyResult, Place, StageResult, run
from harness.stages._repository import most_common_first
from harness.stages.settings import RelabelConfig
from harness.tasks import TaskSource
from harness.terminal import progress
from harness.toolbox import Toolbox
from harness.trace_records import Arbiter, Labeler, Rewrite, Ruling, TraceRow, TurnDecision
from harness.traces.reading import read_traces
from harness.wire.jsonl import write_jsonl
from harness.wire.stages import dump_relabelled

STAGE = "relabel"
VERSION = 1
PLOT = "plots/repair.png"
CONTEXT = "no seed: unlabelled context"
"""The reason of rows that were not relabelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committee:
    """Who relabels."""

    members: tuple[Labeler, ...]
    arbiter: Arbiter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabelled:
    """One conversation after the committee."""

    conversation: Conversation
    decisions: tuple[TurnDecision, ...]
    reason: str
    """Why it is dropped; empty for one that is kept."""


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
        card = stage_card("relabelled.md.j2", frame, rules=rules, repair=repair, **counts)
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


def relabel_conversations(
    conversations: Sequence[Conversation], committee: Committee, toolbox: Toolbox, *, seed: int = 0
) -> list[Relabelled]:
    """Return every conversation as the committee decides it, in order; see `Committee`."""
    rewrites = [_rewrites(member, conversations) for member in committee.members]
    verdicts = [
        decide(conversation, [by_id.get(conversation.id) for by_id in rewrites], toolbox, seed=seed)
        for conversation in conversations
    ]
    rulings = _rulings(committee.arbiter, verdicts)
    results = []
    for conversation, turns in zip(conversations, verdicts, strict=True):
        decisions = tuple(settle(verdict, rulings, toolbox) for verdict in turns)
        errors = [by_id[conversation.id].error for by_id in rewrites if conversation.id in by_id]
        results.append(_result(conversation, decisions, [error for error in errors if error], toolbox))
    return results


def _rewrites(member: Labeler, conversations: Sequence[Conversation]) -> dict[str, Rewrite]:
    found: dict[str, Rewrite] = {}
    with progress(f"{member.name} relabels", total=len(conversations)) as advance:

        def keep(rewrite: Rewrite) -> None:
            found[rewrite.id] = rewrite
            advance()

        member.relabel(conversations, keep)
    return found


def _rulings(arbiter: Arbiter | None, verdicts: Sequence[Sequence[Verdict]]) -> dict[str, Ruling]:
    disputes = [verdict.dispute for turns in verdicts for verdict in turns if verdict.dispute is not None]
    found: dict[str, Ruling] = {}
    if arbiter is None or not disputes:
        return found
    with progress(f"{arbiter.name} decides", total=len(disputes)) as advance:

        def keep(ruling: Ruling) -> None:
            found[ruling.id] = ruling
            advance()

        arbiter.rule(disputes, keep)
    return found


def _result(
    conversation: Conversation, decisions: tuple[TurnDecision, ...], errors: Sequence[str], toolbox: Toolbox
) -> Relabelled:
    messages = list(conversation.messages)
    for decision in decisions:
        if decision.call is not None and decision.changed:
            messages[decision.position] = toolbox.message_of(decision.call, like=messages[decision.position])
    changed = replace(conversation, messages=tuple(messages))
    undecided = [decision for decision in decisions if decision.call is None]
    if not decisions:
        reason = "there is no assistant turn"
    elif undecided:
        cause = errors[0] if errors else undecided[0].reason
        reason = f"undecided turns: {len(undecided)}, the first in message {undecided[0].position} ({cause})"
    else:
        reason = _out_of_place(changed, decisions, toolbox)
    return Relabelled(conversation=changed, decisions=decisions, reason=reason)


def _out_of_place(conversation: Conversation, decisions: Sequence[TurnDecision], toolbox: Toolbox) -> str:
    """Return why a decided conversation cannot be: a call where the user answers, a message where a tool does."""
    tools = callable_tools(events(conversation.messages, toolbox), toolbox)
    for decision in decisions:
        if decision.call is not None and decision.call.name not in tools[decision.position]:
            what = f"message {decision.position} calls {decision.call.name}"
            return f"out of place: {what}, which does not fit what comes after it"
    return ""


def _counted_reasons(results: Sequence[Relabelled]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for result in results:
        if result.reason:
            kind = result.reason.split(":")[0]
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def _first(counts: dict[str, int]) -> str:
    return next((f"{number} have {reason}" for reason, number in counts.items()), "nobody said why")
