"""What filter, relabel and synthesize start from: what their requests name, opened on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from harness.curation.job_folder import JobFolder
from harness.curation.stage_settings import Config, Stage, resolve
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation
from harness.data.scenarios import Arm
from harness.data.tasks import TaskSource, TestConversations, find_task, find_test, has_test
from harness.data.traces.trace_input import TraceInput, read_input
from harness.errors import DataError, UsageError
from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import Hub
from harness.models.chat.chat_models import ChatModels
from harness.models.roles import Roles
from harness.stages._requests import PipelineRequest
from harness.stages._result import OutputTarget
from harness.terminal import say

_LICENSE = "cc-by-sa-4.0"
"""Of the benchmark's dialogues, and so of everything that is made from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageInputs:
    """What a stage of the pipeline starts from."""

    request: PipelineRequest
    """With the repository's owner."""
    hub: Hub
    input: TraceInput
    task: TaskSource
    job: JobFolder | None
    roles: Roles
    models: ChatModels

    @property
    def arm(self) -> Arm:
        """Of the scenario, `tft` where none is named."""
        return "direct" if self.request.arm == "direct" else "tft"

    @property
    def license(self) -> str | None:
        """The licence of what is made, as the Hub names it, where it is known."""
        return _LICENSE if self.request.scenario is not None else None

    @property
    def prefix(self) -> str:
        """What ids of new rows begin with: `s2-` makes `s2-syn-0000`."""
        return f"s{self.request.scenario}-" if self.request.scenario is not None else ""

    @property
    def selection(self) -> Mapping[str, Any]:
        """Which part of the input is read, where not all of it is: for the lineage."""
        return self.request.model_dump(include={"arm", "limit"}, exclude_none=True)

    def rows(self) -> Iterator[TraceRow]:
        """Yield the rows of the input, as often as wanted."""
        return islice(self.input.rows(parallel=self.task.task.parallel_tool_calls), self.request.limit)

    def config(self, kind: type[Config], stage: Stage, below: Mapping[str, Any] | None = None) -> Config:
        """Return the settings: the request's over the job's over those `below`; UsageError lists the valid ones."""
        of_job = self.job.settings(stage) if self.job else {}
        return resolve(kind, below or {}, of_job, self.request.settings)


def _owned(place: OutputTarget, namespace: Callable[[], str]) -> OutputTarget:
    if place.repo_id is None or "/" in place.repo_id:
        return place
    return place.model_copy(update={"repo_id": f"{namespace()}/{place.repo_id}"})


@contextmanager
def opened(request: PipelineRequest, hub: Hub) -> Iterator[StageInputs]:
    """Yield what a request names; its models are stopped at the end of the block.

    Raises HarnessError where something that is named is not there or cannot be used.
    """
    roles = Roles.named(request.models).changed(
        teacher=request.teacher, committee=request.committee, arbiter=request.arbiter
    )
    asking = request.asking.settings()
    job = JobFolder.open(request.job) if request.job else None
    if job:
        _say_what_is_not_used(job)
    if request.source is None and job is None:
        raise UsageError("no INPUT: name a dataset (owner/name), a file of traces, or a job folder with --job")
    input_ = read_input(request.source or str(job and job.traces), hub, arm=request.arm)
    namespace = partial(hub.namespace, request.namespace)  # asked for late: without a token the rest is checked first
    task = job.task if job and not request.task else find_task(request.task, hub, namespace)
    request = request.model_copy(update={"place": _owned(request.place, namespace)})
    with ChatModels(asking, hub) as models:
        yield StageInputs(request=request, hub=hub, input=input_, task=task, job=job, roles=roles, models=models)


def _say_what_is_not_used(job: JobFolder) -> None:
    """Say what of a job's configuration does nothing here: its models have no addresses, so options name them."""
    named = job.settings("roles")
    if named:
        say(
            f"the job's configuration names models ({', '.join(sorted(named))}), which have no addresses: the options "
            "say which models are used, by default the rules"
        )
    if job.config.ignored:
        say(f"of the job's configuration these keys change nothing here: {', '.join(job.config.ignored)}")


def readable(rows: Iterable[TraceRow]) -> tuple[TraceRow, ...]:
    """Return the rows that can be read, and say of the others how many there are and why the first cannot."""
    every = tuple(rows)
    problems = [row.problem for row in every if row.problem is not None]
    if problems:
        say(f"{len(problems)} of {len(every)} rows cannot be read and are left out, the first one: {problems[0]}")
    return tuple(row for row in every if row.problem is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisMaterial:
    """What is generated from."""

    seeds: tuple[Conversation, ...]
    """Accepted conversations."""
    context: tuple[Conversation, ...]
    """Unlabelled traces."""
    sources: tuple[str, ...]
    """What they were read from, for the lineage; the test set's is the last one, where there is a test set."""
    test: tuple[Conversation, ...] = ()
    """The test set, of which nothing may be in the seeds, the context or the result."""

    @classmethod
    def of(cls, inputs: StageInputs, *, traces: str | None, test: str | None) -> SynthesisMaterial:
        """Return the kept rows of the input as seeds and `traces` as context, by default the rows that were not kept.

        `traces` and `test` are sources; without `test` the job's test set counts, else the task's own. Raises DataError
        where no row was kept.
        """
        sources, others = [inputs.input.name], None
        if traces is not None:
            read = read_input(traces, inputs.hub)
            others = readable(read.rows(parallel=inputs.task.task.parallel_tool_calls))
            sources.append(read.name)
        held_out = _test_set(inputs, test)
        if held_out is None:
            say("no test set: nothing says that the result does not overlap with one (--test SOURCE names it)")
        else:
            sources.append(held_out.source)
        rows = readable(inputs.rows())
        seeds = tuple(row.conversation for row in rows if row.kept)
        if not seeds:
            raise DataError(f"{sources[0]}: no conversation was accepted, so there is nothing to generate from")
        if others is None:
            others = tuple(row for row in rows if not row.kept)
        known = {seed.id for seed in seeds}
        context = tuple(
            row.conversation
            for row in others
            if row.problem is None and row.conversation.messages and row.conversation.id not in known
        )
        tested = held_out.conversations if held_out else ()
        return cls(seeds=seeds, context=context, sources=tuple(sources), test=tested)


def _test_set(inputs: StageInputs, named: str | None) -> TestConversations | None:
    """Return the test set that is named, else the job's, else that of the repository that has the task, else None."""
    task = inputs.task.source
    if named is None and inputs.job is not None:
        named = str(inputs.job.test) if inputs.job.test else None
    elif named is None and isinstance(parse_input(task), Artifact) and has_test(task, inputs.hub):
        named = task
    return find_test(named, inputs.hub) if named is not None else None
