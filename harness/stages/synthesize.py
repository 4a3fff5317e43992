"""Stage `synthesize`: new conversations modelled on accepted ones, until enough of them pass every check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from harness.curation.annotators import answer_counts, estimate_of, make_writer
from harness.curation.checks.batch import Inspected, Inspection, inspect_traces
from harness.curation.checks.decontamination import GATE_RECORD, Decontamination, GateRecord, stop_if_contaminated
from harness.curation.checks.duplicates import Duplicates
from harness.curation.checks.message_order import CheckConfig
from harness.curation.llm_roles.answer_counts import unusable_in_words, write_counts
from harness.curation.stage_settings import SynthesizeConfig, Topic, published, topics
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.formats.stage_rows import dump_synthetic
from harness.data.pipeline_records import ConversationPlan, Draft, TraceRow, Writer
from harness.data.traces.trace_input import TRAIN
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.models.chat.budget import BudgetSpent
from harness.reports.dataset_card import SYNTHETIC, CardFrame, write_stage_card
from harness.stages._inputs import StageInputs, SynthesisMaterial, opened
from harness.stages._requests import PipelineRequest
from harness.stages._result import EmptyResult, StageResult, produce
from harness.statistics.formatting import most_common_first
from harness.terminal import progress, say

STAGE = "synthesize"
VERSION = 3
_MIDDLE = 3
"""The complexity where none is drawn, of 1 to 5."""
_OVERLAPS = "overlaps with the test set"
_NEXT_TRY = 1_000_003
"""Added to the seed of a conversation that is written again."""


class SynthesizeRequest(PipelineRequest):
    """What is generated from what; `settings` are those of `SynthesizeConfig`."""

    traces: str | None = None
    """Unlabelled traces to show beside the seeds, as `source` is named; None: those of the source."""
    test: str | None = None
    """Test set that nothing may overlap with; None: the job's, else the task's own."""


def run(request: SynthesizeRequest, hub: Hub) -> StageResult:
    """Generate, and bring accepted and rejected conversations to their place.

    Stops before anything is generated where test conversations are among the seeds or the context
    (`ContaminationFound`). A spent budget ends the generation with what has been accepted by then. Raises EmptyResult
    where nothing was accepted, HarnessError where the teacher cannot be asked.
    """
    with opened(request, hub) as inputs:
        stage = _Synthesis.of(inputs, request)
        return produce(stage.lineage(), hub, inputs.request.place, stage.write)


def estimate(request: SynthesizeRequest, hub: Hub) -> Iterator[str]:
    """Yield what asking would take, a line per model; nothing is asked."""
    with opened(request, hub) as inputs:
        stage = _Synthesis.of(inputs, request)
        yield estimate_of(stage.writer, stage.plans())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Synthesis:
    """The stage, ready to run."""

    inputs: StageInputs
    material: SynthesisMaterial
    writer: Writer
    config: SynthesizeConfig
    topics: tuple[Topic, ...]

    @classmethod
    def of(cls, inputs: StageInputs, request: SynthesizeRequest) -> _Synthesis:
        config = inputs.config(SynthesizeConfig, "synthesize", published("synthesize", request.scenario))
        material = SynthesisMaterial.of(inputs, traces=request.traces, test=request.test)
        writer = make_writer(
            inputs.roles.teacher,
            inputs.task.task,
            inputs.models,
            exemplars=material.seeds,
            temperature=config.temperature,
        )
        chosen = (inputs.job.config.topics if inputs.job else ()) or topics()
        return cls(inputs=inputs, material=material, writer=writer, config=config, topics=chosen)

    def lineage(self) -> Lineage:
        """Return what the result is made from."""
        config = {
            **self.config.model_dump(),
            **self.inputs.selection,
            "teacher": self.writer.settings | {"name": self.writer.name},
            "topics": [topic.model_dump() for topic in self.topics],
        }
        inputs = (*self.material.sources, self.inputs.task.source)
        return Lineage(stage=STAGE, version=VERSION, config=config, inputs=inputs, seed=self.config.seed)

    def plans(self) -> list[ConversationPlan]:
        """Return the plans of the first round."""
        return [self.plan(slot, 0) for slot in range(self.config.target)]

    def plan(self, slot: int, attempt: int) -> ConversationPlan:
        """Return what one conversation is to be: length, topic and complexity do not depend on the attempt."""
        config, material = self.config, self.material
        id = f"{self.inputs.prefix}syn-{slot:04d}"
        rng = Random(f"{config.seed}:{id}")  # noqa: S311 -- no secret
        topic = rng.choice(self.topics) if self.topics else None
        length = self._length(topic, rng)
        complexity = rng.randint(1, 5) if config.complexity else _MIDDLE
        again = Random(f"{config.seed}:{id}:{attempt}")  # noqa: S311 -- other examples for another try
        return ConversationPlan(
            id=id,
            seed=config.seed + _NEXT_TRY * attempt,
            length=length,
            topic=topic.text if topic and config.lengths == "topics" else "",
            complexity=complexity,
            exemplars=tuple(again.sample(material.seeds, min(config.exemplars, len(material.seeds)))),
            context=tuple(again.sample(material.context, min(config.context, len(material.context)))),
        )

    def _length(self, topic: Topic | None, rng: Random) -> int:
        """Return a number of messages: a seed's, or one of the topic's that is odd or even as the seeds' are."""
        known = sorted(len(seed.messages) for seed in self.material.seeds)
        if topic is None or self.config.lengths == "seeds":
            return rng.choice(known)
        parities = {length % 2 for length in known}
        lengths = [n for n in range(topic.shortest, topic.longest + 1) if n % 2 in parities]
        return rng.choice(lengths or [topic.longest])

    def write(self, folder: Path) -> dict[str, Any]:
        """Generate, write data and card, and return what there is to say of them."""
        gate = Decontamination(self.material.test)
        given = [*self.material.seeds, *self.material.context]
        stop_if_contaminated(overlap for trace in given for overlap in gate.find(trace))
        work = _Work(self)
        work.run()
        write_jsonl(folder / TRAIN, (work.accepted[slot] for slot in sorted(work.accepted)))
        configs = {"default": TRAIN}
        if work.rejected:  # an empty file has no rows to be loaded
            configs["rejected"] = "data/rejected.jsonl"
            write_jsonl(folder / "data" / "rejected.jsonl", work.rejected)
        answers = answer_counts(self.writer)
        write_counts(folder, answers)
        if not work.accepted:
            reasons = (
                ", ".join(f"{kind} ({n})" for kind, n in most_common_first(work.reasons).items())
                or "the budget was spent"
            )
            causes = unusable_in_words(answers)
            raise EmptyResult(f"no conversation was accepted of {work.drafts} drafts: {reasons}{causes}")
        write_json(folder / GATE_RECORD, asdict(self._gate_record(work)))
        counts = work.counts() | {"answers": answers}
        frame = CardFrame(
            title="Synthetic conversations",
            repo_id=self.inputs.request.place.target or "",
            license=self.inputs.license,
            rows=len(work.accepted),
            columns=SYNTHETIC,
            configs=configs,
            lineage=self.lineage(),
        )
        write_stage_card(folder, "synthetic.md.jinja", frame, **counts)
        return counts

    def _gate_record(self, work: _Work) -> GateRecord:
        """Return what the gate has seen: it lets nothing through, or this line is not reached."""
        material = self.material
        return GateRecord(
            test_set=material.sources[-1] if material.test else None,
            test_conversations=len(material.test),
            compared={"seeds": len(material.seeds), "context": len(material.context), "drafts": work.drafts},
            rejected=work.reasons[_OVERLAPS],
        )


class _Work:
    """The rounds: what is open, what was accepted, what was rejected and why."""

    def __init__(self, stage: _Synthesis) -> None:
        self._stage = stage
        self._seeds = Duplicates(stage.config.seed_similarity)
        for seed in stage.material.seeds:
            self._seeds.add(seed)
        self._written = Duplicates(stage.config.similarity)
        self.accepted: dict[int, dict[str, Any]] = {}
        self.rejected: list[dict[str, Any]] = []
        self.reasons: Counter[str] = Counter()
        self.drafts = 0
        self._planned: list[int] = []

    def run(self) -> None:
        """Write what is open, round by round, until nothing is or every conversation has had its tries."""
        config = self._stage.config
        slots = list(range(config.target))
        for attempt in range(config.tries):
            plans = {slot: self._stage.plan(slot, attempt) for slot in slots}
            if not attempt:
                self._planned = [plan.length for plan in plans.values()]
            drafts, spent = self._drafts(list(plans.values()))
            inspected = self._inspect(drafts.values())
            for slot in slots:
                draft = drafts.get(plans[slot].id)
                if draft is not None:
                    self._judge(slot, plans[slot], (draft, inspected.get(draft.id)), attempt + 1)
            slots = [slot for slot in slots if slot not in self.accepted]
            if spent:
                say(f"{spent}; {len(self.accepted)} of {config.target} conversations are accepted")
                return
            if not slots:
                return
        say(f"{len(slots)} of {config.target} conversations were not accepted in {config.tries} tries each")

    def _drafts(self, plans: Sequence[ConversationPlan]) -> tuple[dict[str, Draft], BudgetSpent | None]:
        found: dict[str, Draft] = {}
        spent = None
        with progress(f"{self._stage.writer.name} writes", total=len(plans)) as advance:

            def keep(draft: Draft) -> None:
                found[draft.id] = draft
                advance()

            try:
                self._stage.writer.write(plans, keep)
            except BudgetSpent as error:
                spent = error
        return found, spent

    def _inspect(self, drafts: Iterable[Draft]) -> dict[str, Inspected]:
        """Return what can be said of each draft without the others, made in several processes."""
        rows = [TraceRow(conversation=draft.conversation) for draft in drafts if draft.conversation]
        material, config = self._stage.material, self._stage.config
        inspection = Inspection(
            tools=self._stage.inputs.task.task.tools,
            config=CheckConfig(strict=True, max_length=config.max_length),
            test=material.test,
        )
        found = {}
        with progress("checking drafts", len(rows)) as advance:
            for one in inspect_traces(rows, inspection):
                found[one.row.conversation.id] = one
                advance()
        return found

    def _judge(self, slot: int, plan: ConversationPlan, found: tuple[Draft, Inspected | None], tries: int) -> None:
        self.drafts += 1
        tools, (kind, reason) = self._stage.inputs.task.task.tools, self._problem(*found)
        if not reason:
            self.accepted[slot] = dump_synthetic(plan, tools, found[0], "", tries=tries)
            return
        self.reasons[kind] += 1
        self.rejected.append(dump_synthetic(plan, tools, found[0], reason, tries=tries))

    def _problem(self, draft: Draft, inspected: Inspected | None) -> tuple[str, str]:
        """Return the kind of the first problem and what it is; two empty texts where there is none."""
        if draft.conversation is None or inspected is None:
            return "no usable answer", draft.error or "the teacher gave no reason"
        if first := inspected.rejection:
            return first.check, f"{first.check}: {first.problem}"
        if overlap := next((overlap for overlap in inspected.overlaps if overlap.reasons), None):
            return _OVERLAPS, f"overlaps with {overlap.test_id}: {overlap.reasons[0]}"
        for index, what in ((self._seeds, "a seed"), (self._written, "another one")):
            if twin := index.find(draft.conversation):
                return f"near duplicate of {what}", f"near duplicate of {twin.of} (similarity {twin.similarity:.2f})"
        self._written.add(draft.conversation)
        return "", ""

    def counts(self) -> dict[str, Any]:
        """Return what the card says."""
        from scipy.stats import ks_2samp

        lengths = [len(row["messages"]) for row in self.accepted.values()]
        return {
            "accepted": len(self.accepted),
            "drafts": self.drafts,
            "rejected": most_common_first(self.reasons),
            "exemplars": len(self._stage.material.seeds),
            "context": len(self._stage.material.context),
            "shortest": min(lengths),
            "longest": max(lengths),
            "mean": sum(lengths) / len(lengths),
            "distance": float(ks_2samp(lengths, self._planned).statistic),
            "test_conversations": len(self._stage.material.test),
        }
