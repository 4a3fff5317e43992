"""The evaluations beside the cells: the untrained student, the model that wrote the traces, the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.benchmark.cells import BASELINE_KINDS, BaselineKind, Setup
from harness.benchmark.steps import Step, judged_evaluation, say_words
from harness.curation.job_init.logged_test import logged_test, used_conversations
from harness.data.logged import corrected
from harness.hub.artifact import split_revision
from harness.models.names import ModelName
from harness.models.roles import Roles

TEACHER_TOKENS = 1024
"""Longest answer of a teacher: it may think before it calls, which a student does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSteps:
    """The evaluations of a run that belong to no cell, and why those that are missing are."""

    steps: Mapping[BaselineKind, Step] = field(default_factory=dict)
    left_out: Mapping[BaselineKind, str] = field(default_factory=dict)
    """Of those that were wanted, why one cannot be evaluated."""

    @classmethod
    def of(cls, setup: Setup) -> BaselineSteps:
        """Return the evaluations that the setup wants; HarnessError where a job's files cannot be read."""
        make = {"untrained": _untrained, "logged": _logged, "teacher": _teacher}
        made = {kind: make[kind](setup) for kind in BASELINE_KINDS if kind in setup.baselines}
        return cls(
            steps={kind: one for kind, one in made.items() if isinstance(one, Step)},
            left_out={kind: one for kind, one in made.items() if isinstance(one, str)},
        )


def _untrained(setup: Setup) -> Step:
    student = setup.student
    made = (student,) if setup.makes_student else ()
    step = judged_evaluation(setup, student, more=_RESULTS_ONLY, needs=made)
    return replace(step, together=student) if setup.preset.together else step


def _logged(setup: Setup) -> Step | str | None:
    """Return the step, or why it would say nothing; None for the benchmark's own scenarios, which nobody logged."""
    if setup.job is None:
        return None
    folder = Path(setup.job.folder)
    conversations = used_conversations(folder)
    logged = logged_test(folder, conversations)
    if logged is None:
        return "the job folder does not have the test conversations as they were logged (test.logged.jsonl)"
    if not corrected(logged, conversations):
        return "no call that it can be compared by was corrected in the test set, so its answers are the references"
    name = f"logged:{setup.job.name}"
    more = [*_RESULTS_ONLY, *say_words("--max-unscored", "1", max_unscored=1.0)]
    return judged_evaluation(setup, name, more=more)


def _teacher(setup: Setup) -> Step | str:
    teacher = Roles.named(setup.preset.models).teacher
    name = ModelName.parse(teacher)
    if name.backend == "rules":
        return f"{teacher} writes conversations by rules and answers no test set"
    if name.repository and name.repository == split_revision(setup.student)[0]:
        return f"{teacher} is the student"
    asks = name.backend != "vllm"
    return judged_evaluation(setup, teacher, more=_RESULTS_ONLY, max_tokens=TEACHER_TOKENS, asks=asks)


_RESULTS_ONLY = say_words("--results-only", results_only=True)
"""They are other people's models, or inputs of the run, whose commits decide about what is reused."""
