"""What synthetic conversations are modelled on, and the test set that they must not overlap with."""

from __future__ import annotations

from dataclasses import dataclass

from harness.data.records import Conversation
from harness.data.tasks import TestConversations, find_test, has_test
from harness.data.traces.source import read_input
from harness.errors import DataError
from harness.hub.artifact import Artifact, parse_input
from harness.stages._inputs import StageInputs, readable
from harness.terminal import say


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
    def of(cls, start: StageInputs, *, traces: str | None, test: str | None) -> SynthesisMaterial:
        """Return the kept rows of the input as seeds and `traces` as context, by default the rows that were not kept.

        `traces` and `test` are sources; without `test` the job's test set counts, else the task's own. Raises DataError
        where no row was kept.
        """
        sources, others = [start.input.name], None
        if traces is not None:
            read = read_input(traces, start.hub)
            others = readable(read.rows())
            sources.append(read.name)
        held_out = _test_set(start, test)
        if held_out is None:
            say("no test set: nothing says that the result does not overlap with one (--test SOURCE names it)")
        else:
            sources.append(held_out.source)
        rows = readable(start.rows())
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


def _test_set(start: StageInputs, named: str | None) -> TestConversations | None:
    """Return the test set that is named, else the job's, else that of the repository that has the task, else None."""
    task = start.task.source
    if named is None and start.job is not None:
        named = str(start.job.test) if start.job.test else None
    elif named is None and isinstance(parse_input(task), Artifact) and has_test(task, start.hub):
        named = task
    return find_test(named, start.hub) if named is not None else None
